//! Sobol's low-discrepancy sequence.

/// Most coordinates of a point.
pub(super) const MAX_DIMS: usize = 1 + JOE_KUO.len();

/// Per dimension from the second on: the coefficients `a` of its primitive polynomial over GF(2), without
/// the first and the last one, and the initial direction numbers m, as many as its degree.
///
/// The first rows of `new-joe-kuo-6.21201` (<https://web.maths.unsw.edu.au/~fkuo/sobol/>): S. Joe and
/// F. Y. Kuo, Constructing Sobol sequences with better two-dimensional projections, SIAM J. Sci. Comput. 30
/// (2008), 2635–2654.
const JOE_KUO: [(u32, &[u32]); 20] = [
    (0, &[1]),
    (1, &[1, 3]),
    (1, &[1, 3, 1]),
    (2, &[1, 1, 1]),
    (1, &[1, 1, 3, 3]),
    (4, &[1, 3, 5, 13]),
    (2, &[1, 1, 5, 5, 17]),
    (4, &[1, 1, 5, 5, 5]),
    (7, &[1, 1, 7, 11, 19]),
    (11, &[1, 1, 5, 1, 1]),
    (13, &[1, 1, 1, 3, 11]),
    (14, &[1, 3, 5, 5, 31]),
    (1, &[1, 3, 3, 9, 7, 49]),
    (13, &[1, 1, 1, 15, 21, 21]),
    (16, &[1, 3, 1, 13, 27, 49]),
    (19, &[1, 1, 1, 15, 7, 5]),
    (22, &[1, 3, 1, 15, 13, 25]),
    (25, &[1, 1, 5, 5, 19, 61]),
    (1, &[1, 3, 7, 11, 23, 15, 103]),
    (4, &[1, 3, 7, 13, 13, 15, 69]),
];

/// Bits of a coordinate.
const N_BITS: usize = u32::BITS as usize;

type Directions = [u32; N_BITS];

/// The points of the sequence, the origin first; coordinates are in units of 2⁻³². It ends after 2³² points.
#[derive(Debug, Clone)]
pub(super) struct Sobol {
    directions: Vec<Directions>,
    /// The point to be given next, and its number.
    point: Vec<u32>,
    number: u32,
    is_over: bool,
}

impl Sobol {
    /// # Panics
    /// When there are more than [`MAX_DIMS`] dimensions.
    pub fn new(n_dims: usize) -> Self {
        assert!(n_dims <= MAX_DIMS, "{n_dims} dimensions, {MAX_DIMS} known");
        let first = std::array::from_fn(|bit| 1 << (N_BITS - 1 - bit));
        let others = JOE_KUO.iter().map(|(a, m)| directions(*a, m));
        Self {
            directions: std::iter::once(first).chain(others).take(n_dims).collect(),
            point: vec![0; n_dims],
            number: 0,
            is_over: false,
        }
    }

    /// The same points seen from another origin, which keeps how evenly they lie: a digital shift.
    #[must_use]
    pub fn shifted(mut self, mut draw: impl FnMut() -> u32) -> Self {
        self.point.iter_mut().for_each(|x| *x ^= draw());
        self
    }
}

/// Bratley and Fox, Algorithm 659, ACM Trans. Math. Softw. 14 (1988), 88–100, equation 2.
fn directions(a: u32, m: &[u32]) -> Directions {
    let degree = m.len();
    let mut v = [0; N_BITS];
    for bit in 0..N_BITS {
        v[bit] = match bit.checked_sub(degree) {
            None => m[bit] << (N_BITS - 1 - bit),
            Some(first) => (1..degree)
                .filter(|k| a >> (degree - 1 - k) & 1 == 1)
                .fold(v[first] ^ v[first] >> degree, |x, k| x ^ v[bit - k]),
        };
    }
    v
}

impl Iterator for Sobol {
    type Item = Vec<u32>;

    /// In the order of the Gray code, in which neighbours differ by one direction number: I. A. Antonov and
    /// V. M. Saleev, USSR Comput. Math. Math. Phys. 19 (1979), 252–256.
    fn next(&mut self) -> Option<Vec<u32>> {
        if self.is_over {
            return None;
        }
        let point = self.point.clone();
        let bit = self.number.trailing_ones() as usize;
        for (x, v) in self.point.iter_mut().zip(&self.directions) {
            *x ^= v.get(bit).copied().unwrap_or_default();
        }
        self.is_over = self.number == u32::MAX;
        self.number = self.number.wrapping_add(1);
        Some(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: f64 = 4_294_967_296.0;

    #[test]
    fn the_first_ten_points_in_three_dimensions_are_the_published_ones() {
        // The example of Joe and Kuo's own generator, `sobol 10 3 new-joe-kuo-6.21201`.
        let published = [
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
            [0.75, 0.25, 0.25],
            [0.25, 0.75, 0.75],
            [0.375, 0.375, 0.625],
            [0.875, 0.875, 0.125],
            [0.625, 0.125, 0.875],
            [0.125, 0.625, 0.375],
            [0.1875, 0.3125, 0.9375],
            [0.6875, 0.8125, 0.4375],
        ];
        for (point, expected) in Sobol::new(3).zip(published) {
            let point: Vec<f64> = point.iter().map(|x| f64::from(*x) / ONE).collect();
            assert_eq!(point, expected);
        }
    }

    #[test]
    fn all_dimensions_are_those_of_scipy() {
        // qmc.Sobol(21, scramble=False, bits=32).random(1024)[1000], in units of 1/1024.
        let expected = [
            225, 99, 531, 693, 287, 929, 47, 921, 513, 71, 87, 261, 165, 393, 147, 379, 737, 353,
            1015, 743, 535,
        ];
        let point = Sobol::new(MAX_DIMS).nth(1000).unwrap();
        let point: Vec<u32> = point.iter().map(|x| x >> 22).collect();
        assert_eq!(point, expected);
    }

    #[test]
    fn shifted_or_not_256_points_visit_each_of_256_intervals_once_in_every_dimension() {
        for shift in [0, 0x9E37_79B9] {
            let points: Vec<Vec<u32>> = Sobol::new(MAX_DIMS).shifted(|| shift).take(256).collect();
            for dim in 0..MAX_DIMS {
                let mut visited: Vec<u32> = points.iter().map(|point| point[dim] >> 24).collect();
                visited.sort_unstable();
                assert!(visited.into_iter().eq(0..256), "dimension {dim}");
            }
        }
    }

    #[test]
    fn without_dimensions_there_is_still_a_point() {
        assert_eq!(Sobol::new(0).next(), Some(Vec::new()));
    }
}
