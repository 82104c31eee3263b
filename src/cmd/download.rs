//! Fetches the `hf:` models of a command into the local cache, where `--download` allows it.

use indicatif::{ProgressBar, ProgressStyle};

use crate::cmd::Failure;
use crate::model::hub::{Cache, PREFIX, Progress, Repository, download, is_complete};

/// Nothing is asked of the network for models that are in the cache. Without `is_allowed` nothing is
/// asked of it at all, and opening the models says what is missing.
///
/// # Errors
/// When a model cannot be fetched.
pub(super) fn fetch<'a>(
    names: impl IntoIterator<Item = &'a str>,
    is_allowed: bool,
) -> Result<(), Failure> {
    if !is_allowed {
        return Ok(());
    }
    let cache = Cache::of_environment();
    for name in names
        .into_iter()
        .filter_map(|name| name.strip_prefix(PREFIX))
    {
        let repository: Repository = name
            .parse()
            .map_err(|error| Failure::Usage(format!("{PREFIX}{name}: {error}")))?;
        if !is_complete(&cache, &repository) {
            fetch_one(&cache, &repository)?;
        }
    }
    Ok(())
}

fn fetch_one(cache: &Cache, repository: &Repository) -> Result<(), Failure> {
    let style = ProgressStyle::with_template(
        "{prefix} {msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    )
    .expect("the template is valid");
    let bar = ProgressBar::new(0)
        .with_style(style)
        .with_prefix(repository.to_string());
    let mut on_progress = |progress: Progress<'_>| {
        if bar.message() != progress.file {
            bar.set_message(progress.file.to_string());
            bar.set_length(progress.n_bytes_in_all);
            bar.reset();
            bar.set_position(progress.n_bytes);
            bar.reset_eta();
        }
        bar.set_position(progress.n_bytes);
    };
    let outcome = download(cache, repository, &mut on_progress);
    bar.finish_and_clear();
    Ok(outcome?)
}
