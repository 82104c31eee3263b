//! `score`: log-probability and entropies of every token of a text.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::ScoreArgs;
use crate::cmd::Failure;
use crate::cmd::download::fetch;
use crate::model::lm::{LanguageModel, ModelError};
use crate::model::loaded::{LoadedModel, Placement};
use crate::policy::entropy::{EntropyRule, RowStats};

pub fn run(args: &ScoreArgs) -> Result<(), Failure> {
    let placement = Placement {
        device: args
            .device
            .parse()
            .map_err(|error| Failure::Usage(format!("--device: {error}")))?,
        dtype: args.dtype.into(),
        context_len: context_len(args),
    };
    fetch([args.model.as_str()], args.download)?;
    let mut model = LoadedModel::open(&args.model, placement)?;
    let ids = match (&args.input.text, &args.input.ids) {
        (Some(text), _) => model.tokenizer.encode_first(text).map_err(Failure::Other)?,
        (None, Some(ids)) => ids.clone(),
        (None, None) => Vec::new(),
    };
    if ids.is_empty() {
        return Err(Failure::Usage(
            "the text is empty: give --text or --ids".into(),
        ));
    }
    let positions: Vec<u32> = (0..ids.len() as u32).collect();
    let logits = model.lm.forward(&ids, &positions, ids.len())?;
    let rules = EntropyRule::reported();
    let mut stats = Vec::with_capacity(ids.len());
    for (row, values) in logits.rows().enumerate() {
        let read = RowStats::read(values, &rules);
        if read.is_nan() {
            return Err(ModelError::NotANumber { row }.into());
        }
        stats.push(read);
    }
    let logprobs: Vec<f64> = ids[1..]
        .iter()
        .enumerate()
        .map(|(row, &next)| f64::from(logits.row(row)[next as usize]) - stats[row].log_normalizer)
        .collect();
    let entropies: Vec<BTreeMap<String, f64>> = stats
        .iter()
        .map(|stats| {
            rules
                .iter()
                .map(EntropyRule::label)
                .zip(stats.entropies.iter().copied())
                .collect()
        })
        .collect();
    if args.json {
        println!(
            "{}",
            json!({"ids": ids, "logprobs": logprobs, "entropies": entropies})
        );
    } else {
        print_table(&model, &ids, &logprobs, &entropies);
    }
    Ok(())
}

/// Rows of cache that the text can take: a token is at least one byte, and some stand in front of it.
fn context_len(args: &ScoreArgs) -> usize {
    let text = args.input.text.as_ref().map_or(0, String::len);
    let ids = args.input.ids.as_ref().map_or(0, Vec::len);
    text.saturating_add(8).max(ids)
}

fn print_table(
    model: &LoadedModel,
    ids: &[u32],
    logprobs: &[f64],
    entropies: &[BTreeMap<String, f64>],
) {
    println!(
        "{:>8}  {:<16} {:>10}  {:>10} (nats, of the next token)",
        "id", "token", "log p", "entropy"
    );
    for (index, id) in ids.iter().enumerate() {
        let logprob = match index.checked_sub(1) {
            Some(previous) => format!("{:.4}", logprobs[previous]),
            None => "–".to_string(),
        };
        let token = format!("{:?}", model.tokenizer.decode_all(&[*id]));
        println!(
            "{id:>8}  {token:<16} {logprob:>10}  {:>10.4}",
            entropies[index]["shannon"]
        );
    }
    if !logprobs.is_empty() {
        let mean = logprobs.iter().sum::<f64>() / logprobs.len() as f64;
        println!(
            "perplexity {:.3} over {} tokens",
            (-mean).exp(),
            logprobs.len()
        );
    }
}
