//! Window trials of one prompt share forwards: until their choices part, they feed the same rows to the
//! same model.
//!
//! A shared forward runs once, and every trial that asks for it is charged the time that it took then:
//! the look-up is free, and so is the work of bringing a cache back that another trial has used in the
//! meantime. Counts are what the decoder asked for.

mod forwards;
mod tree;

use std::time::Duration;

use crate::config::decoder::DecoderSpec;
use crate::engine::session::{EngineError, Models, Request, decode as decode_alone};
use crate::engine::step::{Durations, Generation};
use crate::model::lm::LanguageModel;

pub use forwards::{ForwardTime, Runs, SharedForwards};

/// Decodes one prompt with a window decoder, with the forwards of those that decoded it before.
/// `forwards` are to [forget](SharedForwards::forget) a prompt before the next one, or they take up ever
/// more memory.
///
/// # Errors
/// See [`EngineError`]; decoders that need another model than the window's find it missing.
pub fn decode<M: LanguageModel>(
    spec: &DecoderSpec,
    forwards: &mut SharedForwards<M>,
    request: &Request<'_>,
) -> Result<Generation, EngineError> {
    forwards.take_times();
    let mut models = Models {
        window: Some(&mut *forwards),
        ..Models::default()
    };
    let mut generation = decode_alone(spec, &mut models, request)?;
    charge(&mut generation, &forwards.take_times());
    Ok(generation)
}

/// Puts the time that each forward took when it ran in the place of the time that the decoder waited.
/// A round has one forward, and those before the rounds are the prefill.
///
/// # Panics
/// When there are fewer forwards than rounds, or the generation took less time than its forwards.
fn charge(generation: &mut Generation, times: &[ForwardTime]) {
    let (prefill, rounds) = times.split_at(times.len() - generation.rounds.len());
    let total = &mut generation.durations;
    for time in prefill {
        exchange(total, |total| &mut total.prefill, time);
    }
    for (round, time) in generation.rounds.iter_mut().zip(rounds) {
        exchange(&mut round.durations, |own| &mut own.verify, time);
        exchange(total, |total| &mut total.verify, time);
    }
    let n_shared = times.iter().filter(|time| time.is_shared).count();
    generation.counts.shared_forwards = n_shared as u64;
}

/// In the wall time and in the part of it that the forward belongs to.
fn exchange(
    durations: &mut Durations,
    part: impl Fn(&mut Durations) -> &mut Duration,
    time: &ForwardTime,
) {
    let exchanged = |duration: Duration| duration - time.spent + time.charged;
    durations.wall = exchanged(durations.wall);
    let part = part(durations);
    *part = exchanged(*part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::step::Round;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_forward_is_charged_as_it_ran_and_neither_the_look_up_nor_the_restored_cache_is() {
        let round = |wall, verify| Round {
            durations: Durations {
                wall: ms(wall),
                verify: ms(verify),
                policy: ms(wall - verify),
                ..Durations::default()
            },
            ..Round::default()
        };
        let mut generation = Generation {
            rounds: vec![round(3, 2), round(44, 41)],
            durations: Durations {
                wall: ms(50),
                prefill: ms(1),
                verify: ms(43),
                policy: ms(4),
                ..Durations::default()
            },
            ..Generation::default()
        };
        let time = |charged, spent, is_shared| ForwardTime {
            charged: ms(charged),
            spent: ms(spent),
            is_shared,
        };
        // A prefill and a round were looked up; the other round first had to restore the cache.
        let times = [time(20, 1, true), time(11, 2, true), time(10, 40, false)];
        charge(&mut generation, &times);
        let total = &generation.durations;
        assert_eq!((total.prefill, total.verify), (ms(20), ms(43 - 42 + 21)));
        assert_eq!((total.wall, total.policy), (ms(50 - 43 + 41), ms(4)));
        let rounds = generation.rounds.iter().map(|round| round.durations);
        let rounds: Vec<_> = rounds.map(|own| (own.wall, own.verify)).collect();
        assert_eq!(rounds, [(ms(12), ms(11)), (ms(14), ms(11))]);
        assert_eq!(generation.counts.shared_forwards, 2);
    }
}
