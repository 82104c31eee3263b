//! `replay`: answer a sweep from a trace, with times of this device or of another one.

use std::io::IsTerminal;

use crate::analysis::cost::profile_costs;
use crate::analysis::flops::Shapes;
use crate::cli::ReplayArgs;
use crate::cmd::Failure;
use crate::cmd::download::fetch;
use crate::cmd::measure_all::settings;
use crate::cmd::replay_sweep::{Recorded, Replayed};
use crate::cmd::replayable::Split;
use crate::cmd::round_times::RoundTimes;
use crate::cmd::run_folder::{RunFolder, config_hash};
use crate::cmd::setup::{manifest, model_names, open, overrides};
use crate::config::replay::SweepMode;
use crate::config::{SweepSpec, load_sweep};
use crate::plan::{Plan, plan};
use crate::record::folder::now;
use crate::record::manifest::{Manifest, Status};
use crate::record::trace_files::read_trace;
use crate::report::table;
use crate::stats::bootstrap::Bootstrap;
use crate::trace::Trace;
use crate::trace::cost::CostModel;

pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let mut overrides = overrides(&args.sweep);
    overrides.extend(
        args.hardware
            .as_ref()
            .map(|name| format!("hardware={name}")),
    );
    let sweep = load_sweep(&args.sweep.config, &overrides)?;
    let plan = plan(&sweep)?;
    let trace = read_trace(&args.trace)?;
    let mut split = Split::new(&plan, SweepMode::Replay, Some(trace.header()));
    split.live.clear();
    if split.replayed.is_empty() {
        let reason = split.refused.first().map(|(_, reason)| reason.as_str());
        return Err(Failure::Usage(format!(
            "{}: the trace tells none of its decoders; the first: {}",
            sweep.file,
            reason.unwrap_or("there is none")
        )));
    }
    let yaml = sweep.to_yaml()?;
    let profile = sweep
        .hardware_profile()?
        .filter(|_| args.hardware.is_some());
    let (costs, shapes, mut manifest) = match &profile {
        Some(profile) => {
            let costs = CostModel::given(profile_costs(profile));
            (
                costs,
                None,
                manifest(
                    &sweep,
                    &plan,
                    None,
                    trace.prompts().len(),
                    0,
                    config_hash(&yaml),
                ),
            )
        }
        None => {
            fetch(model_names(&sweep, &plan).all(), args.sweep.download)?;
            timed_here(&sweep, &plan, &trace, config_hash(&yaml))?
        }
    };
    let recorded = Recorded { trace, costs };
    let replayed = Replayed {
        sweep: &sweep,
        split: &split,
        checked: &[],
        recorded: &recorded,
        prompts: &[],
        entries: &[],
        profile: None,
        shapes,
    };
    let folder = RunFolder::start(&args.out, &sweep.name, &yaml)?;
    folder.keep_profile(&sweep)?;
    let bootstrap = Bootstrap::default();
    let mut tables = folder.tables()?;
    let (summary, check) = replayed.summarise(&plan.trials, &mut tables, &bootstrap)?;
    folder.finish_tables(tables, summary)?;
    // The report reads the tables back, which takes as much memory as this.
    drop(split);
    drop(plan);
    manifest.status = Status::Finished;
    manifest.finished = Some(now());
    manifest.replay_check = Some(check);
    let view = folder.write_report(&sweep, &manifest, &bootstrap)?;
    println!(
        "{}",
        table::terminal(&view, &bootstrap, std::io::stdout().is_terminal())
    );
    println!("{}", folder.path.display());
    Ok(())
}

/// Costs of the sweep's own models on this device, and their shapes.
fn timed_here(
    sweep: &SweepSpec,
    plan: &Plan,
    trace: &Trace,
    config_hash: String,
) -> Result<(CostModel, Option<Shapes>, Manifest), Failure> {
    let (mut models, prompts) = open(sweep, &model_names(sweep, plan), plan)?;
    let threads = rayon::current_num_threads();
    let manifest = manifest(
        sweep,
        plan,
        Some(&models),
        trace.prompts().len(),
        threads,
        config_hash,
    );
    let settings = settings(sweep, &models)?;
    let mut times = RoundTimes::new(&prompts, &settings);
    times.take(1.0, &mut models)?;
    Ok((times.costs()?, models.pair_shapes(), manifest))
}
