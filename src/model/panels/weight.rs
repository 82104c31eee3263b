//! How the weights of a panel lie in memory: as f32, or in half the bits.

#[cfg(target_arch = "x86_64")]
use std::any::Any;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m512, __m512i};
use std::fmt::Debug;

use half::{bf16, f16};
use pulp::bytemuck::{self, Pod};
#[cfg(target_arch = "x86_64")]
use pulp::x86::V4;
use pulp::{Simd, cast};

use super::kernel::VECTORS;

/// A number format of weights. Products are in f32 whatever it is.
///
/// Formats of half the bits share words: a word of 32 bits holds a column of a panel's first vector in its
/// low half and the same column of the second one in its high half, so that two operations without a
/// shuffle make two vectors of it.
pub trait Weight: Copy + Debug + Send + Sync + 'static {
    /// What memory is made of.
    type Word: Pod + Debug + Send + Sync + Default;
    /// The words of one input, as vectors.
    type Words<S: Simd>: Copy;
    /// Columns that share a word.
    const PER_WORD: usize;
    /// Most rows whose sums leave registers for widening the weights, where there are 32 of them.
    const MAX_ROWS: usize;

    /// Input after input of a panel.
    fn inputs<S: Simd>(panel: &[Self::Word]) -> &[Self::Words<S>];

    /// The weights of one input.
    fn widen<S: Simd>(simd: S, words: Self::Words<S>) -> [S::f32s; VECTORS];

    /// Rounds a weight and puts it into a column of a line, all words of one input.
    fn put(line: &mut [Self::Word], column: usize, weight: f32);

    /// The weight in a column of a line.
    fn get(line: &[Self::Word], column: usize) -> f32;
}

impl Weight for f32 {
    type Word = f32;
    type Words<S: Simd> = [S::f32s; VECTORS];
    const PER_WORD: usize = 1;
    const MAX_ROWS: usize = 12;

    #[inline(always)]
    fn inputs<S: Simd>(panel: &[f32]) -> &[[S::f32s; VECTORS]] {
        S::as_simd_f32s(panel).0.as_chunks::<VECTORS>().0
    }

    #[inline(always)]
    fn widen<S: Simd>(_: S, words: [S::f32s; VECTORS]) -> [S::f32s; VECTORS] {
        words
    }

    fn put(line: &mut [f32], column: usize, weight: f32) {
        line[column] = weight;
    }

    fn get(line: &[f32], column: usize) -> f32 {
        line[column]
    }
}

/// Bits that a column shifts its half of a word by, and the index of the word.
fn place(n_words: usize, column: usize) -> (usize, usize) {
    (16 * (column / n_words), column % n_words)
}

/// A format of 16 bits.
pub trait Half: Copy + Debug + Send + Sync + 'static {
    fn round(weight: f32) -> u16;
    fn read(bits: u16) -> f32;

    /// The numbers in the lower halves of words, and those in the upper ones.
    fn widen<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; VECTORS];
}

/// The halves of words, each moved to the upper bits, the lower ones 0.
#[inline(always)]
fn upper_halves<S: Simd>(simd: S, words: S::u32s) -> [S::u32s; VECTORS] {
    let low = simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16));
    let high = simd.and_u32s(words, simd.splat_u32s(0xFFFF_0000));
    [low, high]
}

impl<H: Half> Weight for H {
    type Word = u32;
    type Words<S: Simd> = S::u32s;
    const PER_WORD: usize = VECTORS;
    const MAX_ROWS: usize = 8;

    #[inline(always)]
    fn inputs<S: Simd>(panel: &[u32]) -> &[S::u32s] {
        S::as_simd_u32s(panel).0
    }

    #[inline(always)]
    fn widen<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; VECTORS] {
        <H as Half>::widen(simd, words)
    }

    fn put(line: &mut [u32], column: usize, weight: f32) {
        let (shift, word) = place(line.len(), column);
        line[word] = line[word] & !(0xFFFF << shift) | u32::from(H::round(weight)) << shift;
    }

    fn get(line: &[u32], column: usize) -> f32 {
        let (shift, word) = place(line.len(), column);
        H::read((line[word] >> shift) as u16)
    }
}

impl Half for bf16 {
    fn round(weight: f32) -> u16 {
        Self::from_f32(weight).to_bits()
    }

    fn read(bits: u16) -> f32 {
        Self::from_bits(bits).to_f32()
    }

    /// It is the upper half of an f32.
    #[inline(always)]
    fn widen<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; VECTORS] {
        let [low, high] = upper_halves(simd, words);
        [cast(low), cast(high)]
    }
}

impl Half for f16 {
    fn round(weight: f32) -> u16 {
        Self::from_f32(weight).to_bits()
    }

    fn read(bits: u16) -> f32 {
        Self::from_bits(bits).to_f32()
    }

    #[inline(always)]
    fn widen<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; VECTORS] {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = (&simd as &dyn Any).downcast_ref::<V4>() {
            // Sizes are equal where this is run, which the other `cast` asks everywhere.
            let [low, high] = widen_by_instruction(*simd, bytemuck::cast(words));
            return [bytemuck::cast(low), bytemuck::cast(high)];
        }
        let [low, high] = upper_halves(simd, words);
        [widen_upper_f16(simd, low), widen_upper_f16(simd, high)]
    }
}

/// f16 as AVX-512 widens them: sixteen in a row, so that the halves of the words are sorted first.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn widen_by_instruction(simd: V4, words: __m512i) -> [__m512; VECTORS] {
    const LOWER_FIRST: [u16; 32] = {
        let mut order = [0; 32];
        let mut index = 0;
        while index < 32 {
            order[index] = (2 * (index % 16) + index / 16) as u16;
            index += 1;
        }
        order
    };
    let order = cast(LOWER_FIRST);
    let sorted = simd.avx512bw._mm512_permutexvar_epi16(order, words);
    let low = simd.avx512f._mm512_castsi512_si256(sorted);
    let high = simd.avx512f._mm512_extracti64x4_epi64::<1>(sorted);
    [
        simd.avx512f._mm512_cvtph_ps(low),
        simd.avx512f._mm512_cvtph_ps(high),
    ]
}

/// f16 in the upper halves of words, by operations that every processor has.
///
/// Moved down by three bits, exponent and fraction are in place but for the bias of the exponent, 15
/// instead of 127. Values below the normal ones and those beyond them (∞, NaN) take another addend.
#[inline(always)]
fn widen_upper_f16<S: Simd>(simd: S, words: S::u32s) -> S::f32s {
    /// Biases apart, as an exponent of f32.
    const BIAS: u32 = (127 - 15) << 23;
    /// The smallest normal f16, 2⁻¹⁴, as f32.
    const SMALLEST: u32 = (127 - 14) << 23;
    let magnitude = simd.wrapping_dyn_shr_u32s(
        simd.and_u32s(words, simd.splat_u32s(0x7FFF_0000)),
        simd.splat_u32s(3),
    );
    let is_beyond = simd.greater_than_or_equal_u32s(magnitude, simd.splat_u32s(31 << 23));
    let addend = simd.select_u32s(is_beyond, simd.splat_u32s(2 * BIAS), simd.splat_u32s(BIAS));
    let normal: S::f32s = cast(simd.add_u32s(magnitude, addend));
    // Fraction · 2⁻²⁴, as the difference of two numbers with the exponent of 2⁻¹⁴.
    let raised: S::f32s = cast(simd.add_u32s(magnitude, simd.splat_u32s(SMALLEST)));
    let small = simd.sub_f32s(raised, cast(simd.splat_u32s(SMALLEST)));
    let is_small = simd.less_than_u32s(magnitude, simd.splat_u32s(1 << 23));
    let unsigned = simd.select_f32s(is_small, small, normal);
    let sign = simd.and_u32s(words, simd.splat_u32s(0x8000_0000));
    cast(simd.or_u32s(cast(unsigned), sign))
}
