//! What a selection rule looks at.

use super::SelectRule;

impl SelectRule {
    /// Whether the choice of masks depends on the tokens that would be written, and not on the rows
    /// alone. Above temperature 0 such a rule fills a mask the rather, the likelier the token drawn
    /// for it: a token that was filled is then no longer a draw from its row.
    pub fn reads_choice(&self) -> bool {
        match self {
            Self::ConfidenceThreshold { .. }
            | Self::ConfidenceFactor { .. }
            | Self::Frechet { .. }
            | Self::TopkConfidence { .. }
            | Self::Klass { .. }
            | Self::Slowfast { .. }
            | Self::Credit { .. } => true,
            Self::Entropy { .. }
            | Self::Greedy { .. }
            | Self::LeftToRight { .. }
            | Self::Hybrid { .. }
            | Self::WindowScaled { .. }
            | Self::Margin { .. }
            | Self::EntropyBound { .. }
            | Self::EbCumulative { .. }
            | Self::Random { .. } => false,
        }
    }

    /// Name of the rule as YAML spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Entropy { .. } => "entropy",
            Self::Greedy { .. } => "greedy",
            Self::LeftToRight { .. } => "left_to_right",
            Self::Hybrid { .. } => "hybrid",
            Self::WindowScaled { .. } => "window_scaled",
            Self::ConfidenceThreshold { .. } => "confidence_threshold",
            Self::ConfidenceFactor { .. } => "confidence_factor",
            Self::Frechet { .. } => "frechet",
            Self::TopkConfidence { .. } => "topk_confidence",
            Self::Margin { .. } => "margin",
            Self::EntropyBound { .. } => "entropy_bound",
            Self::EbCumulative { .. } => "eb_cumulative",
            Self::Klass { .. } => "klass",
            Self::Slowfast { .. } => "slowfast",
            Self::Credit { .. } => "credit",
            Self::Random { .. } => "random",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::select::{MaskView, SelectRule, SelectState, select};

    fn rules() -> Vec<SelectRule> {
        // serde lists the known kinds when it meets an unknown one.
        let error = serde_json::from_str::<SelectRule>(r#"{"kind":"?"}"#).unwrap_err();
        let message = error.to_string();
        let kinds = message.split('`').skip(3).step_by(2);
        kinds
            .map(|kind| serde_json::from_str(&format!(r#"{{"kind":"{kind}"}}"#)).unwrap())
            .collect()
    }

    #[test]
    fn the_name_of_a_rule_is_its_kind_in_yaml() {
        let rules = rules();
        assert_eq!(rules.len(), 16);
        for rule in rules {
            assert_eq!(serde_json::to_value(&rule).unwrap()["kind"], rule.kind());
        }
    }

    #[test]
    fn a_rule_that_reads_no_choice_selects_alike_whatever_token_is_drawn() {
        // Rows alike, drawn tokens sure, unsure, or sure in the other order.
        let masks = |confidences: [f64; 4]| -> Vec<MaskView> {
            let mask = |(slot, confidence)| MaskView {
                slot,
                confidence,
                entropy: 0.3 + 0.1 * slot as f64,
                top1: 0.95 - 0.1 * slot as f64,
                top2: 0.02,
                divergence: Some(0.0),
                ..MaskView::default()
            };
            (0..4).zip(confidences).map(mask).collect()
        };
        let draws = [
            [0.99, 0.97, 0.95, 0.93],
            [0.01, 0.01, 0.02, 0.02],
            [0.10, 0.30, 0.60, 0.95],
        ];
        for rule in rules() {
            let selected = draws.map(|confidences| {
                let mut state = SelectState::new(4);
                // The third selection, so that rules with a memory have one.
                let mut selected = Vec::new();
                for _ in 0..3 {
                    selected = select(&rule, &mut state, &masks(confidences), &[0.4; 4]);
                }
                selected
            });
            let is_same = selected.iter().all(|one| *one == selected[0]);
            assert_eq!(
                is_same,
                !rule.reads_choice(),
                "{}: {selected:?}",
                rule.kind()
            );
        }
    }
}
