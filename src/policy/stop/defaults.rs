//! Parameters that a rule has when YAML names only its kind.

pub(super) fn one() -> f64 {
    1.0
}

pub(super) fn default_theta_rel() -> f64 {
    1.5
}

pub(super) fn default_window_size() -> usize {
    3
}

pub(super) fn default_slope() -> f64 {
    0.1
}

pub(super) fn default_thetas() -> Vec<f64> {
    vec![1.0]
}

pub(super) fn default_svip_h() -> f64 {
    0.3
}

pub(super) fn default_confidence() -> f64 {
    0.4
}

pub(super) fn default_p_min() -> f64 {
    0.75
}

pub(super) fn default_kangaroo() -> f64 {
    0.6
}

pub(super) fn default_cumulative() -> f64 {
    0.1
}

pub(super) fn default_margin() -> f64 {
    0.2
}
