//! `generate`: one prompt, shown round by round.

mod trace;

use std::path::Path;

use console::{Style, style};
use serde_json::{Value, json};

use crate::cli::GenerateArgs;
use crate::cmd::Failure;
use crate::cmd::download::fetch;
use crate::cmd::models::{LoadedModels, ModelNames};
use crate::cmd::prompts::Encoder;
use crate::config::decoder::DecoderSpec;
use crate::config::load;
use crate::config::models::Role;
use crate::config::workload::ChatSpec;
use crate::engine::session::{Detail, Request, decode};
use crate::engine::step::{Generation, Outcome, Round};
use crate::model::chat::DEFAULT_DATE;
use crate::model::lm::TokenId;
use crate::model::loaded::Placement;
use crate::model::tokenizer::Tokenizer;
use crate::policy::sample::Sampling;
use crate::record::folder::write_whole;

pub fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let decoder: DecoderSpec = load::parse("--decoder", &args.decoder, &[])?;
    decoder
        .check()
        .map_err(|fault| Failure::Config(fault.in_file("--decoder")))?;
    let names = model_names(args, &decoder);
    fetch(names.all(), args.download)?;
    let prompt = prompt_ids(args, &names)?;
    let mut models = open_models(args, &decoder, &names, prompt.len())?;
    let stop_ids = if args.ignore_eos {
        Vec::new()
    } else {
        models.stop_ids()
    };
    let request = Request {
        prompt: &prompt,
        max_new_tokens: args.max_new_tokens,
        stop_ids: &stop_ids,
        mask_id: models.mask_id(),
        sampling: Sampling {
            temperature: args.temperature,
            ..Sampling::default()
        },
        seed: args.seed,
        record: Detail {
            overlap: args.trace.is_some(),
            ..Detail::default()
        },
        ..Request::default()
    };
    let generation = models.awake(|models| decode(&decoder, &mut models.borrow(), &request))?;
    if args.json {
        println!("{}", as_json(&generation));
    } else {
        show(models.tokenizer(), &prompt, &generation);
    }
    match &args.trace {
        Some(path) => write_trace(path, models.tokenizer(), &generation),
        None => Ok(()),
    }
}

fn write_trace(path: &Path, tokenizer: &Tokenizer, generation: &Generation) -> Result<(), Failure> {
    let lines = trace::lines(generation, |token| tokenizer.decode_all(&[token]));
    write_whole(path, lines.as_bytes()).map_err(|error| {
        let place = path.display();
        Failure::Other(format!(
            "--trace {place}: cannot be written: {}",
            error.reason
        ))
    })
}

fn model_names(args: &GenerateArgs, decoder: &DecoderSpec) -> ModelNames {
    let needs = |role: Role, name: &str| decoder.roles().contains(&role).then(|| name.to_string());
    ModelNames {
        verifier: needs(Role::Verifier, &args.verifier),
        drafter: needs(Role::Drafter, &args.drafter),
        window: needs(Role::Window, &args.window),
    }
}

fn prompt_ids(args: &GenerateArgs, names: &ModelNames) -> Result<Vec<TokenId>, Failure> {
    let chat = args.chat.then(|| ChatSpec {
        system: args.system.clone(),
        date: DEFAULT_DATE.to_string(),
    });
    match (&args.input.prompt, &args.input.ids, names.all().next()) {
        (Some(text), _, Some(model)) => Encoder::open(model, chat.as_ref())?.ids(text),
        (None, Some(ids), _) => Ok(ids.clone()),
        (Some(_), _, None) | (None, None, _) => Ok(Vec::new()),
    }
}

fn open_models(
    args: &GenerateArgs,
    decoder: &DecoderSpec,
    names: &ModelNames,
    prompt_len: usize,
) -> Result<LoadedModels, Failure> {
    let window_size = match decoder {
        DecoderSpec::Window { window_size, .. } | DecoderSpec::WindowDraft { window_size, .. } => {
            *window_size
        }
        DecoderSpec::Autoregressive { .. } | DecoderSpec::Speculative { .. } => 0,
    };
    let placement = Placement {
        device: args
            .device
            .parse()
            .map_err(|error| Failure::Usage(format!("--device: {error}")))?,
        dtype: args.dtype.into(),
        context_len: prompt_len
            .saturating_add(args.max_new_tokens)
            .saturating_add(window_size.saturating_mul(3))
            .saturating_add(8),
    };
    LoadedModels::open(names, |_| placement)
}

fn as_json(generation: &Generation) -> Value {
    let rounds: Vec<Value> = generation.rounds.iter().map(round_json).collect();
    json!({"ids": generation.ids, "rounds": rounds, "counts": generation.counts})
}

fn round_json(round: &Round) -> Value {
    if round.positions.is_empty() {
        json!({
            "draft": round.draft,
            "accepted": round.accepted,
            "committed": round.committed,
            "stopped_by": round.stopped_by,
        })
    } else {
        json!({
            "positions": round.positions,
            "filled": filled(round),
            "committed": round.committed,
        })
    }
}

fn filled(round: &Round) -> Vec<(u32, TokenId)> {
    round
        .slots
        .iter()
        .filter(|slot| slot.outcome == Outcome::Filled)
        .map(|slot| (slot.position, slot.token))
        .collect()
}

/// The text coloured by where each token came from, then every round.
fn show(tokenizer: &Tokenizer, prompt: &[TokenId], generation: &Generation) {
    let (accepted, own, window) = (
        Style::new().green(),
        Style::new().yellow().bold(),
        Style::new().cyan(),
    );
    let mut text = String::new();
    for round in &generation.rounds {
        for (index, &token) in round.committed.iter().enumerate() {
            let piece = tokenizer.decode(&[token]);
            let colour = match (round.positions.is_empty(), index < round.accepted) {
                (false, _) => &window,
                (true, true) => &accepted,
                (true, false) => &own,
            };
            text += &colour.apply_to(piece).to_string();
        }
    }
    println!("{}{text}\n", style(tokenizer.decode(prompt)).dim());
    println!(
        "{} accepted from the draft   {} the verifier's own   {} filled in the window\n",
        accepted.apply_to("■"),
        own.apply_to("■"),
        window.apply_to("■")
    );
    for (index, round) in generation.rounds.iter().enumerate() {
        println!("round {:>3}  {}", index + 1, describe(tokenizer, round));
    }
    let counts = &generation.counts;
    println!(
        "\n{} tokens in {} forwards: {:.2} tokens per forward; drafted {}, accepted {}, drafter forwards {}",
        counts.committed,
        counts.verifier_forwards,
        counts.committed as f64 / counts.verifier_forwards.max(1) as f64,
        counts.drafted,
        counts.accepted,
        counts.drafter_forwards
    );
}

fn describe(tokenizer: &Tokenizer, round: &Round) -> String {
    let text = |ids: &[TokenId]| format!("{:?}", tokenizer.decode_all(ids));
    if round.positions.is_empty() {
        return format!(
            "drafted {} {} · accepted {} · committed {}",
            round.draft.len(),
            text(&round.draft),
            round.accepted,
            text(&round.committed)
        );
    }
    let fills: Vec<String> = filled(round)
        .into_iter()
        .map(|(position, token)| format!("{position}:{}", text(&[token])))
        .collect();
    format!(
        "fed {} rows · committed {} · filled {}",
        round.positions.len(),
        text(&round.committed),
        if fills.is_empty() {
            "nothing".to_string()
        } else {
            fills.join(" ")
        }
    )
}
