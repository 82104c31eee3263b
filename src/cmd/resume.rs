//! Where a sweep writes: a new folder, or that of an unfinished run of the same sweep.

use std::path::Path;

use crate::cli::SweepArgs;
use crate::cmd::Failure;
use crate::cmd::run_folder::{RunFolder, read_manifest};
use crate::config::differ::differing_keys;
use crate::record::manifest::Manifest;

/// The folder for a run with the manifest `this` of the sweep `name`, resolved as `yaml`.
///
/// `--resume` takes the newest unfinished run that it continues exactly: same configuration, version,
/// models, number of prompts and shard. `--resume=FOLDER` takes that one.
///
/// # Errors
/// When the named folder cannot be continued, or nothing can be written.
pub fn open_folder(
    args: &SweepArgs,
    this: &Manifest,
    name: &str,
    yaml: &str,
) -> Result<RunFolder, Failure> {
    if let Some(Some(folder)) = &args.resume {
        return continued(folder, this, yaml);
    }
    let unfinished = RunFolder::unfinished(&args.out, name);
    let twin = unfinished
        .iter()
        .find(|(folder, that)| obstacles(&folder.path, that, this, yaml).is_empty());
    match (twin, args.resume.is_some()) {
        (Some((twin, _)), true) => return Ok(twin.clone()),
        (Some((twin, _)), false) => eprintln!(
            "note: {} is unfinished; --resume would continue it",
            twin.path.display()
        ),
        (None, true) => {
            let of_this_shard = |that: &Manifest| that.shard == this.shard;
            if let Some((other, that)) = unfinished.iter().find(|(_, that)| of_this_shard(that)) {
                let obstacles = obstacles(&other.path, that, this, yaml).join("; ");
                eprintln!(
                    "note: {} is unfinished, but not a run of this sweep ({obstacles}), so a new one is started",
                    other.path.display()
                );
            }
        }
        (None, false) => {}
    }
    Ok(RunFolder::start(&args.out, name, yaml)?)
}

fn continued(folder: &Path, this: &Manifest, yaml: &str) -> Result<RunFolder, Failure> {
    let refused = |reason: &str| {
        let place = folder.display();
        Err(Failure::Usage(format!("--resume={place}: {reason}")))
    };
    let Some(that) = read_manifest(folder) else {
        return refused("is no run folder: it has no readable manifest.json");
    };
    if !that.status.is_open() {
        return refused("is finished, so that nothing is left to run");
    }
    let obstacles = obstacles(folder, &that, this, yaml);
    if !obstacles.is_empty() {
        return refused(&format!(
            "is not a run of this sweep: {}",
            obstacles.join("; ")
        ));
    }
    Ok(RunFolder {
        path: folder.to_path_buf(),
    })
}

/// What stands against continuing the run `that` in `folder` as `this`.
fn obstacles(folder: &Path, that: &Manifest, this: &Manifest, yaml: &str) -> Vec<String> {
    let mut obstacles = this.differences(that);
    if that.config_hash != this.config_hash
        && let Ok(there) = std::fs::read_to_string(folder.join("sweep.yaml"))
        && let Some(keys) = differing_keys(&there, yaml)
    {
        obstacles[0] = format!("another configuration ({keys})");
    }
    if that.shard != this.shard {
        let part = |run: &Manifest| {
            run.shard.map_or("the whole sweep".to_owned(), |shard| {
                format!("shard {shard}")
            })
        };
        obstacles.push(format!("{}, not {}", part(that), part(this)));
    }
    obstacles
}
