//! The random choices of a template, each within the bounds that `arithmetic` asserts.

use std::ops::RangeInclusive;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::vocabulary::{N_NOUNS, N_PEOPLE, Noun, Person, noun, person};

/// The largest number that a question adds or takes away.
const MAX_OPERAND: u32 = 60;
/// The largest sum.
const MAX_SUM: u32 = 150;

/// The chance of one problem. Every choice comes from the one generator, in the order of the calls.
pub(super) struct Draw<'a> {
    rng: &'a mut ChaCha8Rng,
}

/// Two numbers to multiply, in the times table of 2..=9 by 2..=12, in either order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    pub left: u32,
    pub right: u32,
}

/// `dividend = divisor * quotient` with divisor in 2..=10 and quotient in 2..=12.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    pub dividend: u32,
    pub divisor: u32,
}

impl<'a> Draw<'a> {
    pub(super) fn new(rng: &'a mut ChaCha8Rng) -> Self {
        Self { rng }
    }

    pub(super) fn number(&mut self, range: RangeInclusive<u32>) -> u32 {
        self.rng.random_range(range)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.number(0..=1) == 0
    }

    pub(super) fn person(&mut self) -> Person {
        person(self.number(0..=N_PEOPLE - 1))
    }

    /// Different people, of which a text can speak by name.
    pub(super) fn people<const N: usize>(&mut self) -> [Person; N] {
        self.distinct(N_PEOPLE).map(person)
    }

    pub(super) fn noun(&mut self) -> Noun {
        noun(self.number(0..=N_NOUNS - 1))
    }

    /// Different things.
    pub(super) fn nouns<const N: usize>(&mut self) -> [Noun; N] {
        self.distinct(N_NOUNS).map(noun)
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.number(0..=choices.len() as u32 - 1) as usize]
    }

    /// Different entries of a list that holds at least `N`.
    pub(super) fn pick_distinct<T: Copy, const N: usize>(&mut self, choices: &[T]) -> [T; N] {
        self.distinct(choices.len() as u32)
            .map(|index| choices[index as usize])
    }

    /// `n` different entries of a list that holds at least as many.
    pub(super) fn pick_some<T: Copy>(&mut self, choices: &[T], n: usize) -> Vec<T> {
        let mut drawn = self.shuffled(choices.to_vec());
        drawn.truncate(n);
        drawn
    }

    /// The items in an order that is equally likely to be any.
    pub(super) fn shuffled<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        for last in (1..items.len()).rev() {
            items.swap(last, self.number(0..=last as u32) as usize);
        }
        items
    }

    fn distinct<const N: usize>(&mut self, below: u32) -> [u32; N] {
        let mut chosen = [below; N];
        for position in 0..N {
            chosen[position] = loop {
                let index = self.number(0..=below - 1);
                if !chosen.contains(&index) {
                    break index;
                }
            };
        }
        chosen
    }

    /// A number to take from `total` (at least 4) that leaves at least 2.
    pub(super) fn part_of(&mut self, total: impl Into<u32>) -> u32 {
        let total = total.into();
        self.number(2..=MAX_OPERAND.min(total - 2))
    }

    /// A number to add to `total` (at most 148) with a sum of at most 150.
    pub(super) fn addend(&mut self, total: impl Into<u32>) -> u32 {
        let total = total.into();
        self.number(2..=MAX_OPERAND.min(MAX_SUM - total))
    }

    /// Two numbers of at least 2 with the given sum (at least 4).
    pub(super) fn split(&mut self, total: u32) -> (u32, u32) {
        let left = self.number(2..=total - 2);
        (left, total - left)
    }

    pub(super) fn factors(&mut self) -> Factors {
        let (low, high) = (self.number(2..=9), self.number(2..=12));
        let (left, right) = if self.coin() {
            (low, high)
        } else {
            (high, low)
        };
        Factors { left, right }
    }

    /// Factors whose product lies in `range`, which must hold a product of the times table.
    pub(super) fn factors_in(&mut self, range: RangeInclusive<u32>) -> Factors {
        loop {
            let factors = self.factors();
            if range.contains(&(factors.left * factors.right)) {
                return factors;
            }
        }
    }

    /// A number by which `value` (in 2..=12) can be multiplied within the times table.
    pub(super) fn multiplier_of(&mut self, value: impl Into<u32>) -> u32 {
        let value = value.into();
        assert!((2..=12).contains(&value), "{value} has no times table");
        self.number(2..=if value <= 9 { 12 } else { 9 })
    }

    pub(super) fn division(&mut self) -> Division {
        let (divisor, quotient) = (self.number(2..=10), self.number(2..=12));
        Division {
            dividend: divisor * quotient,
            divisor,
        }
    }

    /// A division whose dividend lies in `range`, which must hold one.
    pub(super) fn division_in(&mut self, range: RangeInclusive<u32>) -> Division {
        loop {
            let division = self.division();
            if range.contains(&division.dividend) {
                return division;
            }
        }
    }

    /// A divisor of a product of the times table, with a quotient in 2..=12.
    pub(super) fn divisor_of(&mut self, product: impl Into<u32>) -> u32 {
        let product = product.into();
        let divisors: Vec<u32> = (2..=10)
            .filter(|d| product % d == 0 && (2..=12).contains(&(product / d)))
            .collect();
        divisors[self.number(0..=divisors.len() as u32 - 1) as usize]
    }
}
