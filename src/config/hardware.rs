//! What a forward costs on hardware that is not at hand.
//!
//! A profile is a linear model of the seconds that a forward takes. Speedups projected with one are
//! counts of this run times costs of that machine; they are labelled with the profile's name.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, Fault};
use super::load::{load, parse};

/// The profiles that come with the program, by name.
const INCLUDED: [(&str, &str); 1] = [(
    "llama-3.1-8b-h100",
    include_str!("../../configs/hardware/llama-3.1-8b-h100.yaml"),
)];

/// Costs of one pair of models on one machine, in seconds.
///
/// The form is that of the SpecDecode-Bench simulator (arXiv 2601.11580):
/// `fixed + tokens · per token + cached tokens · per cached token`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardwareProfile {
    pub name: String,
    /// Where the numbers were measured, and how.
    pub source: String,
    pub t_verify: ForwardCost,
    pub t_draft: DraftCost,
    /// Seconds per round outside of both models: sampling, scheduling, launches.
    #[serde(default)]
    pub overhead_seconds: f64,
}

/// Seconds of one forward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardCost {
    pub fixed_seconds: f64,
    pub seconds_per_token: f64,
    pub seconds_per_context_token: f64,
}

/// Seconds of drafting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftCost {
    pub fixed_seconds: f64,
    pub seconds_per_token: f64,
    pub seconds_per_context_token: f64,
    #[serde(default)]
    pub charged_per: DraftCharge,
}

/// What the fixed part and the context part of a draft's cost are paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftCharge {
    /// Once per drafter forward: a drafter that is a language model of its own.
    #[default]
    Forward,
    /// Once per draft, however long: a draft that is launched as one.
    Draft,
}

impl HardwareProfile {
    /// The profile of that name: `hardware/NAME.yaml` in the folder of the sweep, else one that
    /// comes with the program. A name that ends in `.yaml` is a path, from the working directory
    /// or else from the folder of the sweep.
    ///
    /// # Errors
    /// A file that is there but wrong. None when there is no such profile.
    pub fn find(name: &str, sweep_folder: &Path) -> Result<Option<Self>, ConfigError> {
        let beside = sweep_folder.join(file_of(name));
        let places = if is_path(name) {
            vec![PathBuf::from(name), beside]
        } else {
            vec![beside]
        };
        if let Some(place) = places.iter().find(|place| place.is_file()) {
            let profile: Self = load(place, &[])?;
            return profile.checked(&place.display().to_string()).map(Some);
        }
        INCLUDED
            .iter()
            .find(|(included, _)| *included == name)
            .map(|(included, text)| parse::<Self>(included, text, &[])?.checked(included))
            .transpose()
    }

    /// The file of the profile of that name, from the folder of the sweep, if it lies in there.
    pub fn file_below(name: &str, sweep_folder: &Path) -> Option<PathBuf> {
        let file = file_of(name);
        let goes_down = |part| matches!(part, Component::Normal(_));
        let lies_below = file.components().all(goes_down) && sweep_folder.join(&file).is_file();
        lies_below.then_some(file)
    }

    /// What to say when [`find`](Self::find) finds nothing.
    pub fn not_found(name: &str) -> String {
        let included: Vec<String> = INCLUDED
            .iter()
            .map(|(name, _)| format!("'{name}'"))
            .collect();
        format!(
            "there is no profile '{name}', expected {} or the path of a YAML file",
            included.join(", ")
        )
    }

    /// Seconds of one forward of the verifier over `n_tokens` new tokens at a context of
    /// `context_len` cached ones.
    pub fn verify_seconds(&self, n_tokens: usize, context_len: usize) -> f64 {
        let cost = &self.t_verify;
        cost.fixed_seconds
            + n_tokens as f64 * cost.seconds_per_token
            + context_len as f64 * cost.seconds_per_context_token
    }

    /// Seconds of a draft for which the drafter ran `n_forwards` times; 0 for none.
    pub fn draft_seconds(&self, n_forwards: usize, context_len: usize) -> f64 {
        if n_forwards == 0 {
            return 0.0;
        }
        let cost = &self.t_draft;
        let launch = cost.fixed_seconds + context_len as f64 * cost.seconds_per_context_token;
        let n_launches = match cost.charged_per {
            DraftCharge::Forward => n_forwards,
            DraftCharge::Draft => 1,
        };
        n_launches as f64 * launch + n_forwards as f64 * cost.seconds_per_token
    }

    /// Seconds of one round: the draft, the verifier over `n_tokens`, the overhead. An
    /// autoregressive step is `round_seconds(0, 1, context_len)`.
    pub fn round_seconds(
        &self,
        n_drafter_forwards: usize,
        n_tokens: usize,
        context_len: usize,
    ) -> f64 {
        self.draft_seconds(n_drafter_forwards, context_len)
            + self.verify_seconds(n_tokens, context_len)
            + self.overhead_seconds
    }

    fn checked(self, file: &str) -> Result<Self, ConfigError> {
        let (verify, draft) = (&self.t_verify, &self.t_draft);
        let costs = [
            ("t_verify.fixed_seconds", verify.fixed_seconds),
            ("t_verify.seconds_per_token", verify.seconds_per_token),
            (
                "t_verify.seconds_per_context_token",
                verify.seconds_per_context_token,
            ),
            ("t_draft.fixed_seconds", draft.fixed_seconds),
            ("t_draft.seconds_per_token", draft.seconds_per_token),
            (
                "t_draft.seconds_per_context_token",
                draft.seconds_per_context_token,
            ),
            ("overhead_seconds", self.overhead_seconds),
        ];
        if let Some((key, cost)) = costs.into_iter().find(|(_, cost)| *cost < 0.0) {
            let reason = format!("{cost} is no cost, expected 0 or more seconds");
            return Err(Fault::new(key, reason).in_file(file));
        }
        if self.verify_seconds(1, 0) == 0.0 {
            let reason =
                "a forward of the verifier that costs nothing leaves no speedup to project";
            return Err(Fault::new("t_verify", reason).in_file(file));
        }
        Ok(self)
    }
}

fn is_path(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Where the profile of that name lies beside a sweep.
fn file_of(name: &str) -> PathBuf {
    if is_path(name) {
        PathBuf::from(name)
    } else {
        Path::new("hardware").join(format!("{name}.yaml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h100() -> HardwareProfile {
        HardwareProfile::find("llama-3.1-8b-h100", Path::new(""))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn a_verifier_forward_costs_its_fixed_part_and_its_tokens() {
        // 5.88590713e-3 + 5 · 2.10103129e-5 + 1000 · 3.92645679e-8
        assert!((h100().verify_seconds(5, 1000) - 6.030_223_262e-3).abs() < 1e-12);
    }

    #[test]
    fn a_drafter_that_is_a_model_of_its_own_pays_for_each_forward() {
        // 3 · (2.13526175e-3 + 1000 · 2.37768493e-9 + 8.41429603e-7)
        let per_forward = h100();
        assert!((per_forward.draft_seconds(3, 1000) - 6.415_442_593_6e-3).abs() < 1e-12);
        assert_eq!(per_forward.draft_seconds(0, 1000), 0.0);

        let mut per_draft = h100();
        per_draft.t_draft.charged_per = DraftCharge::Draft;
        assert_eq!(
            per_draft.draft_seconds(1, 1000),
            per_forward.draft_seconds(1, 1000)
        );
        // 2.13526175e-3 + 1000 · 2.37768493e-9 + 3 · 8.41429603e-7
        assert!((per_draft.draft_seconds(3, 1000) - 2.140_163_723_739e-3).abs() < 1e-12);
    }

    #[test]
    fn a_round_is_its_draft_its_verification_and_the_overhead() {
        let profile = h100();
        let parts =
            profile.draft_seconds(4, 200) + profile.verify_seconds(5, 200) + 1.206_839_46e-3;
        assert!((profile.round_seconds(4, 5, 200) - parts).abs() < 1e-15);
        assert!(profile.round_seconds(0, 1, 200) < profile.round_seconds(4, 5, 200));
    }

    #[test]
    fn a_cost_below_zero_is_refused_by_its_key() {
        let mut profile = h100();
        profile.t_draft.seconds_per_token = -1.0;
        assert_eq!(
            profile.checked("x.yaml").unwrap_err().to_string(),
            "x.yaml: t_draft.seconds_per_token: -1 is no cost, expected 0 or more seconds"
        );
    }

    #[test]
    fn an_unknown_profile_is_no_error_of_a_file() {
        assert_eq!(HardwareProfile::find("tpu", Path::new("")), Ok(None));
    }
}
