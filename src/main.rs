use std::process::ExitCode;

use clap::Parser;
use wedlm_bench::cli::Cli;

/// glibc gives memory back to the system after each forward and asks for it again; this one does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match wedlm_bench::cmd::run(cli.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
