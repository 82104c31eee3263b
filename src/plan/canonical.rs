//! Which points of a sweep are one and the same.
//!
//! Two steps. First every parameter that a decoder does not read is dropped. Then rules that decide
//! alike get one form. Only equalities that hold for every input, to the last bit, are used: two
//! forms too many cost time, one too few a wrong table.

use serde_json::{Map, Value};

use super::equal_rules::{normal_accept, normal_select, normal_stop, normal_variant};
use super::reads::{accept_reads_entropy, reads_entropy, reads_order, select_reads_entropy};
use crate::config::decoder::{DecoderSpec, Ending, WindowVariant};
use crate::config::decoder_entry::Point;
use crate::policy::accept::{AcceptRule, Judge};
use crate::policy::sample::Sampling;

/// Why no decoder can run with these parameters.
pub(super) fn refusal(decoder: &DecoderSpec, sampling: &Sampling) -> Option<String> {
    match decoder {
        DecoderSpec::Autoregressive { .. } | DecoderSpec::Window { .. } => None,
        DecoderSpec::WindowDraft { select, accept, .. } => {
            let judge = accept.judge(sampling.is_greedy());
            match judge {
                None => Some(greedy_at(accept, sampling)),
                Some(Judge::Ratio(_)) if select.reads_choice() => Some(format!(
                    "{} selection reads the drawn tokens, so {} acceptance would not be lossless at temperature {}: \
                     use accept.kind gumbel or a select.kind that reads rows alone",
                    select.kind(),
                    accept.kind(),
                    sampling.temperature
                )),
                Some(Judge::Match { .. } | Judge::Ratio(_) | Judge::Evidence(_)) => None,
            }
        }
        DecoderSpec::Speculative {
            stop,
            min_draft_len,
            max_draft_len,
            accept,
            batch_size,
            ..
        } => {
            if min_draft_len > max_draft_len {
                return Some(format!(
                    "min_draft_len {min_draft_len} is more than max_draft_len {max_draft_len}"
                ));
            }
            if accept.judge(sampling.is_greedy()).is_none() {
                return Some(greedy_at(accept, sampling));
            }
            if *batch_size > 1 && stop.remembers_prompts() {
                return Some(format!(
                    "{} of scope stream learns from prompt to prompt, and the {batch_size} prompts of a batch \
                     have no order: use batch_size 1 or scope prompt",
                    stop.kind()
                ));
            }
            None
        }
    }
}

fn greedy_at(accept: &AcceptRule, sampling: &Sampling) -> String {
    format!(
        "{} acceptance needs temperature 0, and it is {}: use accept.kind rejection, block or gumbel",
        accept.kind(),
        sampling.temperature
    )
}

/// The decoder without the parameters that it does not read.
pub(super) fn read_parameters(decoder: &DecoderSpec) -> Value {
    let mut document = as_map(decoder);
    match decoder {
        DecoderSpec::Autoregressive { .. } => {}
        DecoderSpec::Speculative { stop, accept, .. } => {
            if !reads_order(stop, accept) {
                document.shift_remove("order");
                document.shift_remove("min_draft_len");
            }
            if !reads_entropy(stop) && !accept_reads_entropy(accept) {
                document.shift_remove("entropy");
            }
        }
        DecoderSpec::Window { select, .. } | DecoderSpec::WindowDraft { select, .. } => {
            if !select_reads_entropy(select) {
                document.shift_remove("entropy");
            }
        }
    }
    Value::Object(document)
}

/// [`read_parameters`] with one form for rules that decide alike.
pub(super) fn normal_form(decoder: &DecoderSpec, sampling: &Sampling) -> Value {
    let mut normal = decoder.clone();
    match &mut normal {
        DecoderSpec::Autoregressive { .. } => {}
        DecoderSpec::Speculative { stop, accept, .. } => {
            *stop = normal_stop(stop);
            *accept = normal_accept(*accept, sampling);
        }
        DecoderSpec::Window {
            variant,
            window_size,
            ending,
            select,
            entropy: _,
        } => {
            *variant = normal_variant(*variant, *window_size);
            if *variant == WindowVariant::Notebook {
                // It commits what it fills in the same forward.
                *ending = Ending::default();
            }
            *select = normal_select(select);
        }
        DecoderSpec::WindowDraft {
            window_size,
            n_fill_steps,
            max_draft_len,
            select,
            accept,
            entropy: _,
        } => {
            *select = normal_select(select);
            *accept = normal_accept(*accept, sampling);
            // Each forward fills a slot, so that after so many the window is full.
            *n_fill_steps = (*n_fill_steps).min(*window_size);
            *max_draft_len = max_draft_len.filter(|max| max < window_size);
        }
    }
    read_parameters(&normal)
}

/// Drops the axes that the decoder of the point does not read.
pub(super) fn retain_read_axes(point: &mut Point) {
    let read = read_parameters(&point.decoder);
    point.axes.retain(|(axis, _)| {
        let first = axis.split('.').next().unwrap_or(axis);
        read.get(first).is_some()
    });
}

/// JSON with the keys of every mapping in alphabetical order.
pub(super) fn text(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                entries
                    .into_iter()
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect()
            }
            Value::Array(list) => list.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    sorted(value).to_string()
}

fn as_map(decoder: &DecoderSpec) -> Map<String, Value> {
    match serde_json::to_value(decoder) {
        Ok(Value::Object(map)) => map,
        // A tagged enum of numbers and names with text keys always becomes a mapping.
        other => unreachable!("{decoder:?} became {other:?}"),
    }
}
