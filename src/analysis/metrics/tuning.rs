//! A threshold chosen on one half of the prompts and judged on the other.
//!
//! "The best threshold" read off the prompts that it was chosen on is too good: the fastest of many
//! candidates is partly the luckiest. Here the seed splits the prompts of each category in halves;
//! the fastest candidate on the first is judged on the second, beside the best fixed draft length,
//! chosen in the same way, so that both pay for their tuning. One sweep has one pair of models, so a
//! row is a category and a pair.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::ratio;
use crate::analysis::view::{ALL_PROMPTS, DraftRule, TrialKind, TrialView};
use crate::record::schema::Mode;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::interval::Interval;

/// Name of the candidates of fixed draft length, from whatever decoder entry.
pub const FIXED_LENGTH: &str = "fixed k";
/// A category with fewer prompts is not split.
const FEWEST_PROMPTS: usize = 4;

/// The choice among the candidates of one decoder entry for one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    pub category: String,
    /// Name of the decoder entry, or [`FIXED_LENGTH`].
    pub family: String,
    pub mode: Mode,
    pub candidates: usize,
    pub n_tuned: usize,
    pub n_judged: usize,
    /// The fastest on the half for tuning.
    pub chosen: String,
    /// The fastest on the half for judging: a choice that nobody could make.
    pub best: String,
    /// Σ baseline time / Σ time of the chosen one, on the half for judging; none when the baseline was
    /// not timed in the same mode.
    pub speedup: Option<Interval>,
    /// Σ time of the chosen one / Σ time of the best − 1, there: 0 when they are the same.
    pub regret: f64,
    /// Σ time of the chosen fixed draft length / Σ time of the chosen one, there.
    pub against_fixed: Option<Interval>,
    /// What the choice cost: seconds that the candidates took on the half for tuning, once each.
    pub tuning_seconds: f64,
}

/// Indices of prompts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Halves {
    tuned: Vec<usize>,
    judged: Vec<usize>,
}

/// Rows over all prompts, then by category where there are several. `views` are the trials of a sweep,
/// the baseline first; `categories` are those of its prompts, in the order of
/// [`prompt_ns`](crate::analysis::view::Measures::prompt_ns). Trials that ran on fewer prompts are no
/// candidates; without two of a decoder entry whose rule reads entropy there are no rows.
pub fn tuned(
    views: &[TrialView],
    categories: &[String],
    seed: u64,
    bootstrap: &Bootstrap,
) -> Vec<Tuned> {
    let splits = splits(categories, seed);
    let full = |view: &&TrialView| {
        let times = view.measures().map(|measures| measures.prompt_ns.len());
        times == Some(categories.len()) && view.batch_size == 1
    };
    let views: Vec<&TrialView> = views.iter().filter(full).collect();
    let baseline = views
        .iter()
        .find(|view| view.kind == TrialKind::Autoregressive);
    let mut rows = Vec::new();
    for (category, halves) in &splits {
        for mode in [Mode::Live, Mode::Replay] {
            let of_mode = |view: &&&TrialView| view.mode == mode;
            let mode_views: Vec<&TrialView> = views.iter().filter(of_mode).copied().collect();
            let contest = Contest {
                category,
                halves,
                mode,
                baseline: baseline.filter(|view| view.mode == mode).copied(),
                bootstrap,
            };
            rows.extend(contest.rows(&mode_views));
        }
    }
    rows
}

/// By category, all prompts first; the halves of all prompts are those of the categories together.
fn splits(categories: &[String], seed: u64) -> Vec<(String, Halves)> {
    let mut prompts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (prompt, category) in categories.iter().enumerate() {
        prompts.entry(category).or_default().push(prompt);
    }
    let mut all = Halves::default();
    let mut splits = Vec::new();
    for (category, mut prompts) in prompts {
        prompts.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let judged = prompts.split_off(prompts.len() / 2);
        let halves = Halves {
            tuned: prompts,
            judged,
        };
        all.tuned.extend(&halves.tuned);
        all.judged.extend(&halves.judged);
        splits.push((category.to_owned(), halves));
    }
    if splits.len() < 2 {
        splits.clear();
    }
    splits.insert(0, (ALL_PROMPTS.to_owned(), all));
    splits.retain(|(_, halves)| halves.tuned.len() + halves.judged.len() >= FEWEST_PROMPTS);
    splits
}

/// The candidates of one category in one mode.
struct Contest<'c> {
    category: &'c str,
    halves: &'c Halves,
    mode: Mode,
    baseline: Option<&'c TrialView>,
    bootstrap: &'c Bootstrap,
}

impl Contest<'_> {
    fn rows(&self, views: &[&TrialView]) -> Vec<Tuned> {
        let mut families: Vec<(&str, Vec<&TrialView>)> = Vec::new();
        for &view in views {
            let name = match view.kind {
                TrialKind::Speculative(DraftRule::FixedLength) => FIXED_LENGTH,
                TrialKind::Speculative(DraftRule::Entropy) => &view.family,
                TrialKind::Speculative(DraftRule::OtherSignal | DraftRule::Reference)
                | TrialKind::Autoregressive
                | TrialKind::Duplicate
                | TrialKind::Window => continue,
            };
            match families.iter_mut().find(|(family, _)| *family == name) {
                Some((_, members)) => members.push(view),
                None => families.push((name, vec![view])),
            }
        }
        // A lone candidate is no choice; fixed k stands beside one.
        families.retain(|(name, members)| *name == FIXED_LENGTH || members.len() > 1);
        if families.iter().all(|(name, _)| *name == FIXED_LENGTH) {
            return Vec::new();
        }
        let fixed = families.iter().find(|(name, _)| *name == FIXED_LENGTH);
        let fixed = fixed.and_then(|(_, members)| self.fastest(members, &self.halves.tuned));
        let rows = families.iter();
        rows.filter_map(|(family, members)| self.row(family, members, fixed))
            .collect()
    }

    fn row(
        &self,
        family: &str,
        members: &[&TrialView],
        fixed: Option<&TrialView>,
    ) -> Option<Tuned> {
        let Halves { tuned, judged } = self.halves;
        let chosen = self.fastest(members, tuned)?;
        let best = self.fastest(members, judged)?;
        let is_fixed = family == FIXED_LENGTH;
        let fixed = fixed.filter(|_| !is_fixed);
        let tuning_ns: f64 = members.iter().map(|view| sum(view, tuned)).sum();
        Some(Tuned {
            category: self.category.to_owned(),
            family: family.to_owned(),
            mode: self.mode,
            candidates: members.len(),
            n_tuned: tuned.len(),
            n_judged: judged.len(),
            chosen: chosen.label.clone(),
            best: best.label.clone(),
            speedup: self
                .baseline
                .and_then(|baseline| self.judge(baseline, chosen)),
            regret: sum(chosen, judged) / sum(best, judged) - 1.0,
            against_fixed: fixed.and_then(|fixed| self.judge(fixed, chosen)),
            tuning_seconds: tuning_ns / 1e9,
        })
    }

    /// The one with the least time on these prompts.
    fn fastest<'v>(&self, members: &[&'v TrialView], prompts: &[usize]) -> Option<&'v TrialView> {
        let timed = members.iter().map(|&view| (view, sum(view, prompts)));
        let known = timed.filter(|(_, ns)| ns.is_finite() && *ns > 0.0);
        known
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(view, _)| view)
    }

    /// Σ time of one / Σ time of the other on the half for judging.
    fn judge(&self, one: &TrialView, other: &TrialView) -> Option<Interval> {
        let (one, other) = (one.measures()?, other.measures()?);
        let prompts = self.halves.judged.iter();
        let pairs = prompts.map(|&prompt| (one.prompt_ns[prompt], other.prompt_ns[prompt]));
        ratio(pairs, self.bootstrap)
    }
}

fn sum(view: &TrialView, prompts: &[usize]) -> f64 {
    let times = view
        .measures()
        .map_or(&[][..], |measures| &measures.prompt_ns);
    prompts.iter().map(|&prompt| times[prompt]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::view::Measures;

    fn view(label: &str, kind: TrialKind, prompt_ns: Vec<f64>) -> TrialView {
        TrialView {
            label: label.into(),
            kind,
            family: "ebsd".into(),
            axes: Vec::new(),
            batch_size: 1,
            mode: Mode::Live,
            dropped_after: None,
            lossless: true,
            result: Ok(Measures {
                prompt_ns,
                ..Measures::default()
            }),
        }
    }

    fn categories() -> Vec<String> {
        let names = ["code", "story"].into_iter().cycle().take(12);
        names.map(str::to_owned).collect()
    }

    /// Times by the category of a prompt, as [`categories`] gives them.
    fn times(code: f64, story: f64) -> Vec<f64> {
        [code, story].into_iter().cycle().take(12).collect()
    }

    #[test]
    fn each_category_gets_the_threshold_that_suits_it() {
        let entropy = TrialKind::Speculative(DraftRule::Entropy);
        let views = [
            view("baseline", TrialKind::Autoregressive, times(100.0, 100.0)),
            view(
                "k=4",
                TrialKind::Speculative(DraftRule::FixedLength),
                times(60.0, 80.0),
            ),
            view("low", entropy, times(80.0, 50.0)),
            view("high", entropy, times(40.0, 100.0)),
        ];
        let rows = tuned(&views, &categories(), 17, &Bootstrap::default());
        let row = |category: &str, family: &str| {
            let mut rows = rows.iter();
            let found = rows.find(|row| row.category == category && row.family == family);
            found.unwrap()
        };
        let code = row("code", "ebsd");
        assert_eq!((code.chosen.as_str(), code.candidates), ("high", 2));
        assert_eq!((code.n_tuned, code.n_judged), (3, 3));
        assert_eq!(code.speedup.unwrap().estimate, 2.5);
        assert_eq!(code.against_fixed.unwrap().estimate, 1.5);
        assert_eq!(row("story", "ebsd").chosen, "low");
        // Over both, 130 of "low" are less than 140 of "high"; both halves agree, so nothing is lost.
        let all = row(ALL_PROMPTS, "ebsd");
        assert_eq!((all.chosen.as_str(), all.regret), ("low", 0.0));
        assert_eq!(row(ALL_PROMPTS, FIXED_LENGTH).against_fixed, None);
        // Three prompts of each kind with two candidates.
        let ns = 3.0 * (80.0 + 50.0 + 40.0 + 100.0);
        assert!((all.tuning_seconds - ns / 1e9).abs() < 1e-15);
    }

    #[test]
    fn a_choice_that_was_luck_shows_as_regret() {
        let entropy = TrialKind::Speculative(DraftRule::Entropy);
        let one_kind = vec!["code".to_owned(); 8];
        let halves = &splits(&one_kind, 3)[0].1;
        let mut lucky = vec![100.0; 8];
        for &prompt in &halves.tuned {
            lucky[prompt] = 10.0;
        }
        let views = [
            view("steady", entropy, vec![50.0; 8]),
            view("lucky", entropy, lucky),
        ];
        let rows = tuned(&views, &one_kind, 3, &Bootstrap::default());
        assert_eq!(rows.len(), 1, "one kind of prompt is all prompts");
        assert_eq!(
            (rows[0].chosen.as_str(), rows[0].best.as_str()),
            ("lucky", "steady")
        );
        assert_eq!(rows[0].regret, 1.0);
        assert_eq!(rows[0].speedup, None);
    }

    #[test]
    fn the_halves_share_no_prompt_hold_all_and_follow_the_seed() {
        let splits = |seed| super::splits(&categories(), seed);
        let all = &splits(1)[0].1;
        let mut prompts: Vec<usize> = all.tuned.iter().chain(&all.judged).copied().collect();
        prompts.sort_unstable();
        assert!(prompts.into_iter().eq(0..12));
        assert_eq!(splits(1), splits(1));
        assert_ne!(splits(1), splits(2));
    }
}
