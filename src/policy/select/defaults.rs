//! Default parameters of the selection rules, with their sources.

/// `SamplingParams.wedlm_entropy_threshold` of the WeDLM engine.
pub(super) fn threshold() -> f64 {
    0.4
}

pub(super) fn entropy_threshold() -> Option<f64> {
    Some(threshold())
}

/// `SamplingParams.wedlm_pos_penalty_factor` of the WeDLM engine.
pub(super) fn pos_penalty() -> f64 {
    0.02
}

/// λ of the accuracy tables of the WeDLM paper (section 6).
pub(super) fn greedy_pos_penalty() -> f64 {
    0.1
}

pub(super) fn k() -> usize {
    1
}

/// Step, target and range of the sketch of the hybrid strategy.
pub(super) fn hybrid_step() -> f64 {
    0.1
}

pub(super) fn hybrid_target() -> f64 {
    0.95
}

pub(super) fn hybrid_min() -> f64 {
    0.2
}

pub(super) fn hybrid_max() -> f64 {
    0.6
}

/// Two default windows; the sketch of the strategy leaves "recent" open.
pub(super) fn hybrid_recent() -> usize {
    32
}

/// Fast-dLLM, KLASS, Slow-Fast Sampling and dInfer all default to 0.9.
pub(super) fn theta() -> f64 {
    0.9
}

/// Fast-dLLM.
pub(super) fn factor() -> f64 {
    1.0
}

/// Inside the range 0.02–0.25 that the scripts of Fast-dLLM++ sweep.
pub(super) fn frechet_m() -> f64 {
    0.1
}

/// Ours: no source gives a value.
pub(super) fn margin_theta() -> f64 {
    0.5
}

/// `EntropyBoundScheduler` of diffusers.
pub(super) fn gamma() -> f64 {
    0.1
}

/// `eb_threshold` of JetEngine.
pub(super) fn eb_threshold() -> f64 {
    0.35
}

/// KLASS: `kl_threshold`; its GSM8K runs use 0.015 (LLaDA) and 0.001 (Dream).
pub(super) fn epsilon() -> f64 {
    0.01
}

/// KLASS: `kl_history_length`; Slow-Fast Sampling: `cycle_length_stability_window`.
pub(super) fn history() -> usize {
    2
}

/// Slow-Fast Sampling: `k_exploration_steps`, `cycle_len_confidence_threshold` and
/// `cycle_length_stability_std_dev_threshold`.
pub(super) fn exploration_steps() -> usize {
    6
}

pub(super) fn far_theta() -> f64 {
    0.3
}

pub(super) fn stable_std() -> f64 {
    1.0
}

/// dInfer: `credit_alpha`, `boost_gamma` and `decay_beta`.
pub(super) fn credit_alpha() -> f64 {
    0.7
}

pub(super) fn credit_gamma() -> f64 {
    0.2
}

pub(super) fn credit_beta() -> f64 {
    0.8
}
