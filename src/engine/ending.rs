//! Where a text ends: behind a stop token, behind a stop string, or at the budget.

use crate::engine::session::Request;
use crate::engine::step::Finish;
use crate::model::lm::TokenId;

/// How many of the tokens behind a text are committed, and whether they end the generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub len: usize,
    pub finish: Option<Finish>,
}

/// Looks at `tokens`, one after the other, as continuation of `ids`, the tokens committed so far.
/// Stops behind the first that ends the text, else at the budget.
///
/// A stop string ends the text when the committed tokens end with its tokens, wherever the commits
/// lie. As in the reference engine (`sequence.py`, `check_stop`) the string stays in the text, the
/// prompt does not count, and a string that the model spells with other tokens is not seen.
pub(super) fn cut(ids: &[TokenId], tokens: &[TokenId], request: &Request<'_>) -> Cut {
    let budget_left = request.max_new_tokens - ids.len();
    let within = &tokens[..tokens.len().min(budget_left)];
    for (index, token) in within.iter().enumerate() {
        let new = &within[..=index];
        let finish = if request.stop_ids.contains(token) {
            Finish::StopToken
        } else if request
            .stop_strings
            .iter()
            .any(|stop| ends_with(ids, new, stop))
        {
            Finish::StopString
        } else {
            continue;
        };
        return Cut {
            len: index + 1,
            finish: Some(finish),
        };
    }
    Cut {
        len: within.len(),
        finish: (within.len() == budget_left).then_some(Finish::Budget),
    }
}

/// Whether the last of `tokens` ends the text that `ids` and `tokens` make, the budget aside.
pub(crate) fn is_end(ids: &[TokenId], tokens: &[TokenId], request: &Request<'_>) -> bool {
    let is_stop_token = tokens
        .last()
        .is_some_and(|token| request.stop_ids.contains(token));
    let mut stops = request.stop_strings.iter();
    is_stop_token || stops.any(|stop| ends_with(ids, tokens, stop))
}

/// Whether `ids` followed by `tokens` ends with `stop`.
fn ends_with(ids: &[TokenId], tokens: &[TokenId], stop: &[TokenId]) -> bool {
    match stop.len().checked_sub(tokens.len()) {
        Some(n_before) => stop[n_before..] == *tokens && ids.ends_with(&stop[..n_before]),
        None => tokens.ends_with(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(tokens: &[TokenId], budget_left: usize) -> (usize, Option<Finish>) {
        let request = Request {
            max_new_tokens: budget_left,
            stop_ids: &[7],
            ..Request::default()
        };
        let cut = cut(&[], tokens, &request);
        (cut.len, cut.finish)
    }

    #[test]
    fn a_cut_ends_behind_the_stop_token_or_at_the_budget() {
        assert_eq!(cut_of(&[], 5), (0, None));
        assert_eq!(cut_of(&[1, 2], 5), (2, None));
        assert_eq!(cut_of(&[1, 2], 2), (2, Some(Finish::Budget)));
        assert_eq!(cut_of(&[1, 7, 3], 5), (2, Some(Finish::StopToken)));
        assert_eq!(cut_of(&[1, 7], 2), (2, Some(Finish::StopToken)));
        // The stop token lies beyond the budget.
        assert_eq!(cut_of(&[1, 2, 7], 2), (2, Some(Finish::Budget)));
    }

    #[test]
    fn a_stop_string_is_seen_across_commits_and_a_stop_token_goes_first() {
        let stop_strings = [vec![4, 5, 6], vec![8]];
        let request = Request {
            max_new_tokens: 9,
            stop_ids: &[7],
            stop_strings: &stop_strings,
            ..Request::default()
        };
        let cut_of = |ids: &[TokenId], tokens: &[TokenId]| {
            let cut = cut(ids, tokens, &request);
            (cut.len, cut.finish)
        };
        let string = Some(Finish::StopString);
        assert_eq!(cut_of(&[], &[1, 4, 5, 6, 2]), (4, string));
        assert_eq!(cut_of(&[1, 4], &[5, 6, 2]), (2, string));
        assert_eq!(cut_of(&[1, 4, 5], &[6]), (1, string));
        assert_eq!(cut_of(&[4, 5], &[2, 6]), (2, None));
        assert_eq!(cut_of(&[4, 5, 6], &[2, 8]), (2, string));
        assert_eq!(cut_of(&[4], &[5, 7, 6]), (2, Some(Finish::StopToken)));
        // The end of the string is the last token of the budget.
        assert_eq!(cut_of(&[0, 0, 0, 0, 0, 0, 4], &[5, 6, 1]), (2, string));
    }
}
