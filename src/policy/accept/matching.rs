//! Drafted tokens that equal the verifier's own choice.

use super::Verdict;
use crate::model::lm::TokenId;

/// Keeps the drafted tokens up to the first that differs from the verifier's choice at its slot; that
/// choice comes next. `choice(i)` is asked in order, and not behind the first difference.
///
/// Lossless: what is committed is a prefix of what the verifier alone would have chosen.
///
/// # Errors
/// The first one that `choice` returns.
pub fn accept<E>(
    drafted: &[TokenId],
    mut choice: impl FnMut(usize) -> Result<TokenId, E>,
) -> Result<Verdict, E> {
    for (slot, &token) in drafted.iter().enumerate() {
        let own = choice(slot)?;
        if own != token {
            return Ok(Verdict {
                accepted: slot,
                next: own,
            });
        }
    }
    Ok(Verdict {
        accepted: drafted.len(),
        next: choice(drafted.len())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_kept_up_to_the_first_difference_and_the_choice_there_follows() {
        let choices = [4, 5, 6, 7];
        let judge = |drafted: &[TokenId]| {
            accept(drafted, |slot| Ok::<_, ()>(choices[slot]))
                .map(|verdict| (verdict.accepted, verdict.next))
        };
        assert_eq!(judge(&[4, 5, 6]), Ok((3, 7)));
        assert_eq!(judge(&[4, 9, 6]), Ok((1, 5)));
        assert_eq!(judge(&[9, 5, 6]), Ok((0, 4)));
        assert_eq!(judge(&[]), Ok((0, 4)));
    }
}
