//! `trace`: decode the prompts of a sweep once and note what every stopping rule would need.

use crate::cli::TraceArgs;
use crate::cmd::Failure;
use crate::cmd::download::fetch;
use crate::cmd::measure_all::settings;
use crate::cmd::replay_sweep::record_trace;
use crate::cmd::replayable::header;
use crate::cmd::setup::{model_names, open, overrides};
use crate::config::load_sweep;
use crate::plan::plan;
use crate::record::trace_files::write_trace;

pub fn run(args: &TraceArgs) -> Result<(), Failure> {
    let sweep = load_sweep(&args.sweep.config, &overrides(&args.sweep))?;
    let plan = plan(&sweep)?;
    let header = header(&plan.trials, sweep.sampling).ok_or_else(|| {
        Failure::Usage(format!(
            "{}: no decoder of it drafts with a drafter, so there is nothing to trace",
            sweep.file
        ))
    })?;
    if args.to.exists() {
        return Err(Failure::Usage(format!(
            "{}: is there already; name a folder that is not",
            args.to.display()
        )));
    }
    let names = model_names(&sweep, &plan);
    fetch(names.all(), args.sweep.download)?;
    let (mut models, prompts) = open(&sweep, &names, &plan)?;
    let settings = settings(&sweep, &models)?;
    let trace = record_trace(&header, &prompts, &settings, &mut models)?;
    write_trace(&args.to, &trace)?;
    println!(
        "{} texts, {} slots, drafts of up to {} tokens, {} entropies",
        trace.prompts().len(),
        trace.slots().len(),
        trace.header().max_draft_len,
        trace.header().entropies.len(),
    );
    println!("{}", args.to.display());
    Ok(())
}
