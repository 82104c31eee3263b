//! Small pieces of sentences.

/// `10 %` for 0.1, `2.5 %` for 0.025.
pub fn percent(share: f64) -> String {
    let rounded = (share * 1000.0).round() / 10.0;
    format!("{rounded} %")
}

/// Adds what is not there yet.
pub fn joined(all: &mut Vec<String>, more: Vec<String>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}
