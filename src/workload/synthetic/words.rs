//! Words that several families use, beside the names and things of the word problems.

pub(super) const COLORS: [&str; 10] = [
    "red", "blue", "green", "yellow", "white", "black", "brown", "pink", "gray", "purple",
];

pub(super) const PLACES: [&str; 16] = [
    "school", "station", "market", "library", "garden", "park", "farm", "bakery", "museum",
    "village", "beach", "forest", "river", "bridge", "harbor", "castle",
];

pub(super) const ANIMALS: [&str; 12] = [
    "cat", "dog", "bird", "horse", "cow", "duck", "rabbit", "goat", "fox", "sheep", "bear", "frog",
];

pub(super) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `a, b and c`; a list of one is itself.
pub(super) fn enumeration(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
