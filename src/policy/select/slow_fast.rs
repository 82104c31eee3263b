//! Slow-Fast Sampling inside a sliding window.
//!
//! Slow phase: in each forward the best mask is filled (or, if several reach `theta`, all of
//! those), and the farthest mask with confidence ≥ `far_theta` is noted as the end of a span. When
//! the last `stable_window` ends have a standard deviation below `stable_std`, the last one holds;
//! after `exploration_steps` forwards without that, their mean does. Fast phase: the same filling,
//! inside the span only, until the span has no mask left. Then the slow phase begins again.
//!
//! Source: `generate_slow_fast_sampling.py` of Slow-Fast Sampling, with the window in the place of
//! its block. The published loop explores for all its steps even when the estimate is stable
//! earlier; here exploration ends with stability, as the paper says.

use super::MaskView;
use super::choose::{argmax, at_least};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Ends of the span estimated so far, as counts of positions from the start of the generation.
    Slow { ends: Vec<usize> },
    /// Masks before `end` are filled first.
    Fast { end: usize },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Slow { ends: Vec::new() }
    }
}

pub(super) struct SlowFast {
    pub exploration_steps: usize,
    pub far_theta: f64,
    pub stable_window: usize,
    pub stable_std: f64,
    pub theta: f64,
}

impl SlowFast {
    /// Masks to fill, and the phase of the next forward. `origin + slot` is a position.
    pub fn choose(&self, phase: &Phase, origin: usize, masks: &[MaskView]) -> (Vec<usize>, Phase) {
        if let Phase::Fast { end } = phase {
            let n_inside = masks.partition_point(|mask| origin + mask.slot < *end);
            if n_inside > 0 {
                return (self.fill(&masks[..n_inside]), phase.clone());
            }
        }
        let mut ends = match phase {
            Phase::Slow { ends } => ends.clone(),
            Phase::Fast { .. } => Vec::new(),
        };
        ends.push(origin + self.estimated_end(masks));
        let next = match self.settled_end(&ends) {
            Some(end) => Phase::Fast { end },
            None => Phase::Slow { ends },
        };
        (self.fill(masks), next)
    }

    fn fill(&self, masks: &[MaskView]) -> Vec<usize> {
        let confidence: Vec<f64> = masks.iter().map(|mask| mask.confidence).collect();
        let sure = at_least(&confidence, self.theta);
        if sure.len() > 1 {
            sure
        } else {
            vec![argmax(&confidence)]
        }
    }

    fn estimated_end(&self, masks: &[MaskView]) -> usize {
        masks
            .iter()
            .rev()
            .find(|mask| mask.confidence >= self.far_theta)
            .unwrap_or(&masks[0])
            .slot
            + 1
    }

    fn settled_end(&self, ends: &[usize]) -> Option<usize> {
        let last = &ends[ends.len().saturating_sub(self.stable_window)..];
        let mean = last.iter().sum::<usize>() as f64 / last.len() as f64;
        let variance = last
            .iter()
            .map(|&end| (end as f64 - mean).powi(2))
            .sum::<f64>()
            / last.len() as f64;
        if last.len() == self.stable_window && variance.sqrt() < self.stable_std {
            ends.last().copied()
        } else if ends.len() >= self.exploration_steps {
            Some(mean as usize)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW_FAST: SlowFast = SlowFast {
        exploration_steps: 6,
        far_theta: 0.3,
        stable_window: 2,
        stable_std: 1.0,
        theta: 0.9,
    };

    fn masks(confidences: &[(usize, f64)]) -> Vec<MaskView> {
        confidences
            .iter()
            .map(|&(slot, confidence)| MaskView {
                slot,
                confidence,
                ..MaskView::default()
            })
            .collect()
    }

    #[test]
    fn two_agreeing_ends_start_the_fast_phase() {
        let first = masks(&[(0, 0.5), (1, 0.6), (2, 0.4), (3, 0.1)]);
        let (picked, phase) = SLOW_FAST.choose(&Phase::default(), 0, &first);
        assert_eq!(picked, [1]);
        assert_eq!(phase, Phase::Slow { ends: vec![3] });

        // Slot 2 is still the farthest above 0.3: standard deviation 0 < 1.
        let second = masks(&[(0, 0.5), (2, 0.4), (3, 0.1)]);
        let (picked, phase) = SLOW_FAST.choose(&phase, 0, &second);
        assert_eq!(picked, [0]);
        assert_eq!(phase, Phase::Fast { end: 3 });
    }

    #[test]
    fn the_fast_phase_ignores_masks_behind_the_span() {
        let phase = Phase::Fast { end: 3 };
        let all = masks(&[(1, 0.5), (2, 0.4), (3, 0.99)]);
        assert_eq!(SLOW_FAST.choose(&phase, 0, &all), (vec![0], phase.clone()));
        // Two slots were committed meanwhile: slot 1 is now position 3, outside the span.
        let later = masks(&[(0, 0.4), (1, 0.99)]);
        assert_eq!(SLOW_FAST.choose(&phase, 2, &later).0, [0]);
    }

    #[test]
    fn several_sure_masks_are_filled_together_but_one_alone_is_just_the_best() {
        let together = masks(&[(0, 0.95), (1, 0.2), (2, 0.9)]);
        assert_eq!(SLOW_FAST.choose(&Phase::default(), 0, &together).0, [0, 2]);
        let alone = masks(&[(0, 0.5), (1, 0.91)]);
        assert_eq!(SLOW_FAST.choose(&Phase::default(), 0, &alone).0, [1]);
    }

    #[test]
    fn a_full_span_starts_the_exploration_again() {
        let phase = Phase::Fast { end: 3 };
        let (_, next) = SLOW_FAST.choose(&phase, 0, &masks(&[(3, 0.5), (4, 0.2)]));
        assert_eq!(next, Phase::Slow { ends: vec![4] });
    }

    #[test]
    fn ends_that_never_agree_are_averaged_when_the_exploration_is_over() {
        // The last two ends, 9 and 4, have mean 6.5.
        let phase = Phase::Slow {
            ends: vec![4, 9, 4, 9, 4],
        };
        let (_, next) = SLOW_FAST.choose(&phase, 0, &masks(&[(0, 0.4), (8, 0.4)]));
        assert_eq!(next, Phase::Fast { end: 6 });
    }
}
