//! Powers of two of a row of logits, in single precision and without branches, so that LLVM
//! vectorises the loops around it on every target.

/// Values handled together; a multiple of every vector width in use.
pub(crate) const LANES: usize = 16;

/// Exponents are raised to this one: 2^−125 is a normal `f32`, and next to a largest term of 1 it
/// vanishes, even 10¹⁸ times.
const SMALLEST: f32 = -125.0;

/// 1.5 · 2²³: adding it rounds an `f32` to an integer that is then in the low mantissa bits.
const ROUND: f32 = 12_582_912.0;

/// x·y + z; in one instruction that rounds once, where `FMA` promises that the processor has it.
#[inline(always)]
fn multiply_add<const FMA: bool>(x: f32, y: f32, z: f32) -> f32 {
    if FMA { x.mul_add(y, z) } else { x * y + z }
}

/// t and 2^t for t ≤ 0, both for t = −125 where t is less, so that −∞ can be multiplied. Of a NaN the
/// first stays one; its power may be any number.
///
/// Relative error of 2^t ≤ 2e-7. Method: 2^t = 2ⁿ·2^f with |f| ≤ 1/2, both exact; 2^f by a polynomial
/// of degree 5 that is 1 at 0 and off by a relative 9.2e-8 at most (minimax fit).
#[inline(always)]
#[expect(
    clippy::approx_constant,
    reason = "a coefficient of the minimax polynomial, near ln 2 but not it"
)]
pub(crate) fn clamped_exp2<const FMA: bool>(t: f32) -> (f32, f32) {
    let clamped = if t < SMALLEST { SMALLEST } else { t };
    let rounded = clamped + ROUND;
    let f = clamped - (rounded - ROUND);
    let mut series = 1.326_472_7e-3_f32;
    series = multiply_add::<FMA>(series, f, 9.671_513e-3);
    series = multiply_add::<FMA>(series, f, 5.550_733_6e-2);
    series = multiply_add::<FMA>(series, f, 2.402_224_2e-1);
    series = multiply_add::<FMA>(series, f, 6.931_47e-1);
    let mantissa = multiply_add::<FMA>(series, f, 1.0);
    // The shift leaves n, which is added to the exponent of the mantissa.
    let exponent = rounded.to_bits() << 23;
    let value = f32::from_bits(mantissa.to_bits().wrapping_add(exponent));
    (clamped, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst_error<const FMA: bool>() -> f64 {
        (0..=1_250_000)
            .map(|step| -(step as f32) * 1e-4)
            .map(|t| {
                let exact = f64::from(t).exp2();
                (f64::from(clamped_exp2::<FMA>(t).1) - exact).abs() / exact
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn the_relative_error_is_at_most_two_in_ten_million() {
        for worst in [worst_error::<false>(), worst_error::<true>()] {
            assert!(worst <= 2e-7, "worst relative error {worst:e}");
        }
    }

    #[test]
    fn zero_gives_one_and_minus_infinity_gives_almost_nothing_that_can_be_multiplied() {
        assert_eq!(clamped_exp2::<false>(0.0), (0.0, 1.0));
        let (t, value) = clamped_exp2::<false>(f32::NEG_INFINITY);
        assert_eq!((t, value), (-125.0, 2.0_f32.powi(-125)));
        assert_eq!(1.0 + 1e18 * f64::from(t * value), 1.0);
        assert!(clamped_exp2::<false>(f32::NAN).0.is_nan());
    }
}
