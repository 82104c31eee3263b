//! Puts a checkpoint of the hub into the local cache.

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::fetch::{Client, DownloadError, disk};
use super::{Cache, Repository};

/// How far a file has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub file: &'a str,
    pub n_bytes: u64,
    pub n_bytes_in_all: u64,
}

/// Whether the cache holds all files that a checkpoint cannot do without.
pub fn is_complete(cache: &Cache, repository: &Repository) -> bool {
    let Some(folder) = cache.snapshot(repository) else {
        return false;
    };
    let has = |file: &str| folder.join(file).is_file();
    let has_weights = || {
        has("model.safetensors")
            || shards(&folder).is_some_and(|names| names.iter().all(|name| has(name)))
    };
    has("config.json") && has("tokenizer.json") && has_weights()
}

fn shards(folder: &Path) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let text = std::fs::read_to_string(folder.join("model.safetensors.index.json")).ok()?;
    let index: Index = serde_json::from_str(&text).ok()?;
    Some(index.weight_map.into_values().collect())
}

/// Fetches what the cache lacks of a checkpoint: its configuration, tokenizer, chat template and
/// weights, and nothing that could be run. A file that came in part goes on where it broke off.
///
/// # Errors
/// See [`DownloadError`]; whole files and beginnings of files stay in the cache.
pub fn download(
    cache: &Cache,
    repository: &Repository,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), DownloadError> {
    let client = Client::of_environment();
    let listing = client.listing(repository)?;
    let folder = cache.repository(repository);
    let (blobs, snapshot) = (
        folder.join("blobs"),
        folder.join("snapshots").join(&listing.sha),
    );
    for made in [&blobs, &snapshot] {
        std::fs::create_dir_all(made).map_err(|error| disk(made, &error))?;
    }
    for file in listing.wanted() {
        let link = snapshot.join(file);
        if link.is_file() {
            continue;
        }
        let url = client.url(repository, &listing.sha, file);
        let facts = client.facts(&url)?;
        let blob = blobs.join(&facts.etag);
        if !blob.is_file() {
            let partial = blobs.join(format!("{}.incomplete", facts.etag));
            let mut on_bytes = |n_bytes| {
                on_progress(Progress {
                    file,
                    n_bytes,
                    n_bytes_in_all: facts.n_bytes,
                });
            };
            client.fetch(&url, &facts, (&partial, &blob), &mut on_bytes)?;
        }
        put_link(&facts.etag, &blob, &link).map_err(|error| disk(&link, &error))?;
    }
    // Last, so that a revision leads to nothing before all of it is there.
    if repository.revision != listing.sha {
        let reference = folder.join("refs").join(&repository.revision);
        let parent = reference.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(|error| disk(parent, &error))?;
        std::fs::write(&reference, &listing.sha).map_err(|error| disk(&reference, &error))?;
    }
    Ok(())
}

/// A relative link, so that the cache can be moved.
#[cfg(unix)]
fn put_link(etag: &str, _blob: &Path, link: &Path) -> io::Result<()> {
    // One that leads nowhere is in the way.
    if link.symlink_metadata().is_ok() {
        std::fs::remove_file(link)?;
    }
    std::os::unix::fs::symlink(Path::new("../../blobs").join(etag), link)
}

/// Links need a right that few users have there.
#[cfg(not(unix))]
fn put_link(_etag: &str, blob: &Path, link: &Path) -> io::Result<()> {
    std::fs::copy(blob, link).map(drop)
}
