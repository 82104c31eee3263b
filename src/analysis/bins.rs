//! Bins of entropies, in nats. A bin holds its lower edge; there is one bin more than edges.

/// Where the bins of drafted slots meet. About three a decade, because most tokens of a draft are nearly
/// certain.
pub const ENTROPY_EDGES: [f64; 10] = [0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.4];

/// Index of the bin of a value, between edges in rising order.
pub fn bin_of(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|&edge| edge <= value)
}

/// Such as `0.1 to 0.2`.
///
/// # Panics
/// Without an edge.
pub fn bin_name(edges: &[f64], bin: usize) -> String {
    let low = bin.checked_sub(1).map(|below| edges[below]);
    match (low, edges.get(bin)) {
        (None, Some(high)) => format!("below {high}"),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("{low} and more"),
        (None, None) => unreachable!("there is an edge"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_an_edge_is_in_the_bin_above_it() {
        let named = |value: f64| bin_name(&ENTROPY_EDGES, bin_of(&ENTROPY_EDGES, value));
        assert_eq!(named(0.0), "below 0.003");
        assert_eq!(named(0.1), "0.1 to 0.2");
        assert_eq!(named(0.19), "0.1 to 0.2");
        assert_eq!(named(9.0), "2.4 and more");
    }
}
