//! Turns the messages of serde into the words of someone who writes YAML.

/// Type names that serde prints after "expected", and what a user calls them.
const TYPES: [(&str, &str); 11] = [
    ("f64", "a number"),
    ("f32", "a number"),
    ("usize", "a whole number, zero or more"),
    ("u64", "a whole number, zero or more"),
    ("u32", "a whole number, zero or more"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "a mapping"),
    ("sequence", "list"),
    ("map", "mapping"),
    ("null", "nothing"),
];

/// A message of serde with plain quotes, plain type names and, where a name is misspelt, the
/// nearest allowed one.
pub fn reworded(message: &str) -> String {
    let message = message.replace("unknown variant", "unknown value");
    let (head, tail) = match message.split_once(", expected ") {
        Some((head, tail)) => (head.to_owned(), Some(expected(tail))),
        None => (message.clone(), None),
    };
    let mut reworded = head
        .replace("invalid type: sequence", "invalid type: list")
        .replace("invalid type: map", "invalid type: mapping")
        .replace('`', "'");
    if let Some(tail) = &tail {
        reworded += &format!(", expected {tail}");
    }
    if let Some(name) = suggestion(&message) {
        reworded += &format!("; did you mean '{name}'?");
    }
    reworded
}

/// The name after "unknown field", where the message is about one.
pub fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// The name after "missing field", where the message is about one.
pub fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// The allowed name nearest to `given`, if it is near enough to be meant.
pub fn nearest<'a>(given: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let given = plain(given);
    allowed
        .into_iter()
        .map(|name| (distance(&given, &plain(name)), name))
        .filter(|&(distance, name)| distance <= 1 + name.len().min(given.len()) / 4)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// Edits between two names; one that is cut short, such as `max_draft`, is near too.
fn distance(given: &str, name: &str) -> usize {
    const SHORTEST_START: usize = 3;
    if given.len() >= SHORTEST_START && name.starts_with(given) {
        return usize::from(given != name);
    }
    edits(given, name)
}

fn expected(tail: &str) -> String {
    let plain = tail.replace('`', "'");
    if plain.starts_with("struct ") {
        return "a mapping".to_owned();
    }
    if plain.contains("tagged enum ") {
        return "a mapping with a 'kind'".to_owned();
    }
    TYPES
        .iter()
        .find(|(serde, _)| *serde == plain)
        .map_or(plain, |(_, ours)| (*ours).to_owned())
}

/// A suggestion for an unknown name out of several; out of one it would only repeat the message.
fn suggestion(message: &str) -> Option<&str> {
    let (head, tail) = message.split_once(", expected ")?;
    if !head.starts_with("unknown ") {
        return None;
    }
    let given = head.split('`').nth(1)?;
    let allowed: Vec<&str> = tail.split('`').skip(1).step_by(2).collect();
    if allowed.len() < 2 {
        return None;
    }
    nearest(given, allowed)
}

/// Edit distance with transposed neighbours counted as one edit (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Row 0 and column 0: everything inserted, everything deleted.
    let mut rows: Vec<Vec<usize>> = (0..=a.len()).map(|i| (i..=i + b.len()).collect()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_missing_and_wrong_letters_are_one_edit_each() {
        assert_eq!(edits("theta_abs", "thetta_abs"), 1);
        assert_eq!(edits("absolute", "abslte"), 2);
        assert_eq!(edits("fixed", "fixde"), 1);
        assert_eq!(edits("", "abc"), 3);
    }

    #[test]
    fn a_misspelt_name_is_suggested_and_a_foreign_one_is_not() {
        let allowed = ["shannon", "renyi", "topk"];
        assert_eq!(nearest("renji", allowed), Some("renyi"));
        assert_eq!(nearest("top-k", allowed), Some("topk"));
        assert_eq!(nearest("shan", allowed), Some("shannon"));
        assert_eq!(nearest("gini", allowed), None);
    }

    #[test]
    fn type_names_of_rust_do_not_reach_the_user() {
        assert_eq!(
            reworded("invalid type: string \"x\", expected f64"),
            "invalid type: string \"x\", expected a number"
        );
        assert_eq!(
            reworded("invalid type: sequence, expected internally tagged enum StopRule"),
            "invalid type: list, expected a mapping with a 'kind'"
        );
    }
}
