//! `data`: a synthetic workload as JSONL.

use std::io::{BufWriter, Write};

use crate::cli::{DataArgs, SplitArg};
use crate::cmd::Failure;
use crate::workload::{Family, ProblemStream, Source, Split};

pub fn run(args: &DataArgs) -> Result<(), Failure> {
    let source: Source = args
        .source
        .parse()
        .map_err(|error| Failure::Usage(format!("{error}")))?;
    let (what, split) = match (source, args.split) {
        (Source::Synthetic { what }, SplitArg::Train) => (what, Split::Train),
        (Source::Synthetic { what }, SplitArg::HeldOut) => (what, Split::HeldOutSeed),
        (Source::SyntheticGsm8kNewTemplates {}, _) => {
            (Family::Gsm8k.into(), Split::HeldOutTemplate)
        }
        (Source::Gsm8k { .. } | Source::Public { .. }, _) => {
            return Err(Failure::Usage(
                "data writes synthetic workloads; this source is a file already".into(),
            ));
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for problem in ProblemStream::new(what, split, args.seed)?.take(args.n) {
        let line =
            serde_json::to_string(&problem).map_err(|error| Failure::Other(error.to_string()))?;
        match writeln!(out, "{line}") {
            Ok(()) => {}
            // The reader has seen enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::Other(format!("standard output: {error}"))),
        }
    }
    match out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
