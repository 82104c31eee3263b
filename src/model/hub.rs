//! Checkpoints of the Hugging Face hub: their names, and where the local cache keeps their files.
//!
//! The cache is that of Python's `huggingface_hub`, so that what one of the two has downloaded, the
//! other finds: `models--org--name/refs/REVISION` holds a commit, `snapshots/COMMIT/` the files of it,
//! each a link to a file under `blobs/`.

mod download;
mod fetch;
mod listing;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use download::{Progress, download, is_complete};
pub use fetch::DownloadError;

/// What stands in front of a repository's name where models are named.
pub const PREFIX: &str = "hf:";
const DEFAULT_REVISION: &str = "main";

/// `org/name[@revision]`: a model repository, and a branch, tag or commit of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub organisation: String,
    pub name: String,
    pub revision: String,
}

/// A text that names no repository.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' names no repository, expected 'org/name' or 'org/name@revision'")]
pub struct NotARepository(String);

impl FromStr for Repository {
    type Err = NotARepository;

    /// Each part becomes a folder of the cache, so none may lead out of it.
    fn from_str(text: &str) -> Result<Self, NotARepository> {
        let wrong = || NotARepository(text.to_string());
        let (path, revision) = text.split_once('@').unwrap_or((text, DEFAULT_REVISION));
        let (organisation, name) = path.split_once('/').ok_or_else(wrong)?;
        let is_plain = [organisation, name]
            .into_iter()
            .chain(revision.split('/'))
            .all(is_part);
        if !is_plain {
            return Err(wrong());
        }
        Ok(Self {
            organisation: organisation.to_string(),
            name: name.to_string(),
            revision: revision.to_string(),
        })
    }
}

fn is_part(part: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    !part.is_empty() && part != "." && part != ".." && part.chars().all(is_allowed)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organisation, self.name)?;
        if self.revision == DEFAULT_REVISION {
            Ok(())
        } else {
            write!(f, "@{}", self.revision)
        }
    }
}

/// The folder in which downloads are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    pub folder: PathBuf,
}

impl Cache {
    /// `$HF_HUB_CACHE`, else `$HF_HOME/hub`, else `huggingface/hub` under `$XDG_CACHE_HOME` or
    /// `~/.cache`.
    pub fn of_environment() -> Self {
        Self::of(|name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })
    }

    fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let home = || {
            let user = variable("HOME").or_else(|| variable("USERPROFILE"));
            variable("XDG_CACHE_HOME")
                .unwrap_or_else(|| user.unwrap_or_default().join(".cache"))
                .join("huggingface")
        };
        let folder = variable("HF_HUB_CACHE")
            .unwrap_or_else(|| variable("HF_HOME").unwrap_or_else(home).join("hub"));
        Self { folder }
    }

    /// Folder of a repository, with all of its revisions.
    pub fn repository(&self, repository: &Repository) -> PathBuf {
        let Repository {
            organisation, name, ..
        } = repository;
        self.folder.join(format!("models--{organisation}--{name}"))
    }

    /// Folder of the files of a revision, if there is one; some of its files may be missing.
    pub fn snapshot(&self, repository: &Repository) -> Option<PathBuf> {
        let folder = self.repository(repository);
        let reference = folder.join("refs").join(&repository.revision);
        let commit = std::fs::read_to_string(reference)
            .map(|text| text.trim().to_string())
            .ok()
            .filter(|commit| is_part(commit))
            .unwrap_or_else(|| repository.revision.clone());
        let snapshot = folder.join("snapshots").join(commit);
        snapshot.is_dir().then_some(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_organisation_and_a_revision_that_is_main_unless_given() {
        let plain: Repository = "Qwen/Qwen2.5-0.5B".parse().unwrap();
        assert_eq!(plain.revision, "main");
        assert_eq!(plain.to_string(), "Qwen/Qwen2.5-0.5B");
        let pinned: Repository = "org/name@refs/pr/1".parse().unwrap();
        assert_eq!(pinned.revision, "refs/pr/1");
        assert_eq!(pinned.to_string(), "org/name@refs/pr/1");
    }

    #[test]
    fn no_part_of_a_name_leads_out_of_the_cache() {
        for text in [
            "name",
            "a/b/c",
            "../b",
            "a/..",
            "a/b@..",
            "a/b@x/../y",
            "a/b@",
            "a/",
            "a\\b/c",
            "a/b@/x",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_cache_is_where_the_python_packages_look_for_it() {
        let cache = |pairs: &[(&str, &str)]| {
            let found = Cache::of(|name| {
                let pair = pairs.iter().find(|(key, _)| *key == name);
                pair.map(|(_, value)| PathBuf::from(value))
            });
            found.folder.display().to_string()
        };
        let home = ("HOME", "/u");
        assert_eq!(cache(&[home]), "/u/.cache/huggingface/hub");
        assert_eq!(
            cache(&[home, ("XDG_CACHE_HOME", "/x")]),
            "/x/huggingface/hub"
        );
        assert_eq!(cache(&[home, ("HF_HOME", "/h")]), "/h/hub");
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]), "/c");
    }

    #[test]
    fn a_revision_is_found_by_its_reference_or_as_a_commit() {
        let scratch = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: scratch.path().to_path_buf(),
        };
        let folder = scratch.path().join("models--org--name");
        std::fs::create_dir_all(folder.join("snapshots/0123abcd")).unwrap();
        std::fs::create_dir_all(folder.join("refs")).unwrap();
        std::fs::write(folder.join("refs/main"), "0123abcd\n").unwrap();
        let found = |text: &str| cache.snapshot(&text.parse().unwrap());
        assert_eq!(found("org/name"), Some(folder.join("snapshots/0123abcd")));
        assert_eq!(found("org/name"), found("org/name@0123abcd"));
        assert_eq!(found("org/name@v1"), None);
        assert_eq!(found("org/other"), None);
        std::fs::write(folder.join("refs/main"), "../../..").unwrap();
        assert_eq!(found("org/name"), None);
    }
}
