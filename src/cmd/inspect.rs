//! `inspect`: what a checkpoint is, what it takes to run it here, and what is wrong with it.

use serde_json::json;

use crate::cli::InspectArgs;
use crate::cmd::Failure;
use crate::cmd::download::fetch;
use crate::model::checkpoint::Checkpoint;
use crate::model::device::DeviceSpec;
use crate::model::inspect::{Inspection, inspect};
use crate::model::memory::readable;

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let device: DeviceSpec = args
        .device
        .parse()
        .map_err(|error| Failure::Usage(format!("--device: {error}")))?;
    fetch([args.model.as_str()], args.download)?;
    let checkpoint = Checkpoint::open(&args.model)?;
    let found = inspect(&checkpoint, device, args.dtype.into(), args.context);
    if args.json {
        println!("{}", json!(found));
    } else {
        print(&found);
    }
    match found.problems.len() {
        0 => Ok(()),
        1 => Err(Failure::Other(format!(
            "{}: there is a problem, see above",
            found.model
        ))),
        n => Err(Failure::Other(format!(
            "{}: there are {n} problems, see above",
            found.model
        ))),
    }
}

fn print(found: &Inspection) {
    let shape = &found.shape;
    let line = |key: &str, value: String| println!("{key:<14} {value}");
    println!("{}", found.model);
    line(
        "architecture",
        format!(
            "{}: {} layers, width {}, {} heads of {} ({} for keys and values), feed-forward {}",
            found.architecture,
            shape.layers,
            shape.hidden,
            shape.heads,
            shape.head_len,
            shape.kv_heads,
            shape.ffn
        ),
    );
    let with: Vec<&str> = [
        ("tied embedding", shape.tied_head),
        ("biases of queries, keys, values", shape.has_bias),
        ("norms of queries and keys", shape.has_qk_norm),
        ("sliding windows", shape.has_sliding_window),
    ]
    .into_iter()
    .filter_map(|(what, has)| has.then_some(what))
    .collect();
    if !with.is_empty() {
        line("with", with.join(", "));
    }
    line("parameters", found.n_parameters.to_string());
    line(
        "stored as",
        format!(
            "{}, {}",
            found.stored.join(", "),
            readable(found.stored_bytes)
        ),
    );
    line("runs as", format!("{} on {}", found.dtype, found.device));
    line("weights", readable(found.weight_bytes));
    line(
        "cache",
        format!(
            "{} for a context of {} (at most {})",
            readable(found.cache_bytes),
            found.context,
            shape.context_len
        ),
    );
    line(
        "tokenizer",
        match found.n_tokens {
            Some(n) => format!(
                "{n} entries; {} rows of the vocabulary, those beyond are never drawn",
                shape.vocab
            ),
            None => "none that can be read".to_string(),
        },
    );
    let ids: Vec<String> = found
        .special_ids
        .iter()
        .map(|special| match special.id {
            Some(id) => format!("{} {:?} = {id}", special.name, special.text),
            None => format!("{} {:?} (no entry)", special.name, special.text),
        })
        .collect();
    line(
        "special tokens",
        if ids.is_empty() {
            "none named".into()
        } else {
            ids.join(", ")
        },
    );
    line(
        "ends a text",
        if found.eos_ids.is_empty() {
            "no token".into()
        } else {
            format!("{:?}", found.eos_ids)
        },
    );
    line(
        "mask",
        found
            .mask_id
            .map_or("none: no window decoding".into(), |id| id.to_string()),
    );
    line(
        "chat template",
        if found.has_chat_template {
            "there is one".into()
        } else {
            "none".into()
        },
    );
    for problem in &found.problems {
        line("problem", problem.clone());
    }
    if found.problems.is_empty() {
        line("problems", "none found".into());
    }
}
