//! `train`: one training file to one checkpoint.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::TrainArgs;
use crate::cmd::Failure;
use crate::cmd::interrupt::on_interrupt;
use crate::config::train::TrainSpec;
use crate::train::trainer::{Progress, train};

pub fn run(args: &TrainArgs) -> Result<(), Failure> {
    let spec = TrainSpec::load(&args.config)?;
    let bar = ProgressBar::new(spec.schedule.n_steps as u64).with_style(
        ProgressStyle::with_template("{bar:30} step {pos}/{len}, {msg}, {eta} left")
            .expect("the template is valid"),
    );
    let stop = on_interrupt()?;
    let mut first = None;
    let summary = train(&spec, &stop, &mut |progress: Progress| {
        // Steps before the first report may be those of an interrupted run, which took no time here.
        let (first_step, since) = *first.get_or_insert_with(|| {
            bar.set_position(progress.step as u64);
            bar.reset_eta();
            (progress.step, Instant::now())
        });
        let message = format!(
            "loss {:.4}, learning rate {:.1e}, {:.0} rows/s",
            progress.loss, progress.learning_rate, progress.rows_per_second
        );
        if bar.is_hidden() {
            let done = (progress.step - first_step) as f64;
            let left = (progress.n_steps - progress.step) as f64;
            let seconds = since.elapsed().as_secs_f64() / done * left;
            let left = if done > 0.0 {
                format!(", {seconds:.0} s left")
            } else {
                String::new()
            };
            println!(
                "step {}/{}, {message}{left}",
                progress.step, progress.n_steps
            );
        }
        bar.set_message(message);
        bar.set_position(progress.step as u64);
    })?;
    bar.finish_and_clear();
    println!(
        "{}: {} parameters, {} documents in {:.0} s, loss {:.4}",
        spec.out.display(),
        summary.n_parameters,
        summary.n_documents,
        summary.seconds,
        summary.final_loss
    );
    Ok(())
}
