//! Parsers of other people that panic on damaged input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a parser whose panics are the input's fault, not ours: they become errors, and are not printed.
/// What it leaves behind when it panics must not be used.
///
/// # Errors
/// The message of the panic, on one line.
pub fn guarded<T>(parse: impl FnOnce() -> T) -> Result<T, String> {
    static QUIETER_HOOK: Once = Once::new();
    QUIETER_HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                print(panic);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(parse));
    IS_GUARDED.set(was_guarded);
    outcome.map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        let words: Vec<&str> = text
            .unwrap_or("no reason given")
            .split_whitespace()
            .collect();
        format!("it is damaged ({})", words.join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_parser_is_an_error_on_one_line() {
        assert_eq!(guarded(|| 7), Ok(7));
        let failed: Result<(), String> = guarded(|| panic!("two\nlines"));
        assert_eq!(failed, Err("it is damaged (two lines)".to_owned()));
    }
}
