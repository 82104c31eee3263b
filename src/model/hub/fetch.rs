//! Requests to the hub, and files fetched to the end of what a broken connection left.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Body;
use ureq::http::Response;

use super::listing::Listing;
use super::{Repository, is_part};
use crate::model::files::sha256;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Until a server has answered; how long a file takes is not limited.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that may break in the middle of one file.
const N_ATTEMPTS: usize = 5;
/// Most bytes of a listing: some ten times those of the largest known.
const MAX_LISTING: u64 = 16 << 20;
/// Redirects within the hub, as of a repository that was renamed.
const MAX_RENAMES: usize = 5;

/// Why a checkpoint could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error(
        "{url}: cannot be reached ({reason}); check the network, or give a folder with the checkpoint"
    )]
    Unreachable { url: String, reason: String },
    #[error("{url}: the server answers {status}: {}", remedy(*.status))]
    Refused { url: String, status: u16 },
    #[error("{url}: the server's answer is not one of the hub ({reason}); check HF_ENDPOINT")]
    NotTheHub { url: String, reason: String },
    #[error(
        "{url}: the connection broke {N_ATTEMPTS} times, last with: {reason}; what has come is kept, give the command again"
    )]
    Broken { url: String, reason: String },
    #[error(
        "{url}: what has come is not what the hub announced ({reason}) and was deleted; give the command again"
    )]
    Damaged { url: String, reason: String },
    #[error("{}: cannot be written: {reason}", path.display())]
    Disk { path: PathBuf, reason: String },
}

fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "set HF_TOKEN to a token that may read it, after accepting its licence on its page"
        }
        404 => "there is no such repository, revision or file; check the name",
        429 => "too many requests; wait, or set HF_TOKEN",
        _ => "give the command again later; what has come is kept",
    }
}

/// What the hub says of a file before it is fetched.
#[derive(Debug)]
pub(super) struct FileFacts {
    /// Names the content in the cache: the SHA-256 of large files, git's hash of the others.
    pub etag: String,
    pub n_bytes: u64,
}

pub(super) struct Client {
    /// Shows redirects, as they carry the facts about a file.
    asking: ureq::Agent,
    /// Follows redirects, without the token: they lead to other servers.
    fetching: ureq::Agent,
    endpoint: String,
    token: Option<String>,
}

impl Client {
    /// Server and token as `$HF_ENDPOINT` and `$HF_TOKEN` say.
    pub fn of_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_string());
        let agent = |n_redirects| {
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(n_redirects)
                .max_redirects_will_error(false)
                .timeout_connect(Some(PATIENCE))
                .timeout_recv_response(Some(PATIENCE))
                .user_agent(concat!("wedlm-bench/", env!("CARGO_PKG_VERSION")))
                .build()
                .new_agent()
        };
        Self {
            asking: agent(0),
            fetching: agent(10),
            endpoint: endpoint.trim_end_matches('/').to_string(),
            token: variable("HF_TOKEN"),
        }
    }

    pub fn url(&self, repository: &Repository, commit: &str, file: &str) -> String {
        let Repository {
            organisation, name, ..
        } = repository;
        format!(
            "{}/{organisation}/{name}/resolve/{commit}/{file}",
            self.endpoint
        )
    }

    /// The commit of a revision and its files.
    pub fn listing(&self, repository: &Repository) -> Result<Listing, DownloadError> {
        let Repository {
            organisation,
            name,
            revision,
        } = repository;
        let url = format!(
            "{}/api/models/{organisation}/{name}/revision/{}",
            self.endpoint,
            revision.replace('/', "%2F")
        );
        let mut response = self.get(&url, None)?;
        if response.status().as_u16() != 200 {
            return Err(refused(&url, &response));
        }
        let not_the_hub = |reason: String| DownloadError::NotTheHub {
            url: url.clone(),
            reason,
        };
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_LISTING)
            .read_to_string()
            .map_err(|error| not_the_hub(error.to_string()))?;
        let listing: Listing =
            serde_json::from_str(&text).map_err(|error| not_the_hub(error.to_string()))?;
        if is_part(&listing.sha) {
            Ok(listing)
        } else {
            Err(not_the_hub(format!("'{}' is no commit", listing.sha)))
        }
    }

    /// Asks about a file without fetching it.
    pub fn facts(&self, url: &str) -> Result<FileFacts, DownloadError> {
        let mut place = url.to_string();
        for _ in 0..MAX_RENAMES {
            let request = self.asking.head(&place);
            let response = self
                .signed(request)
                .call()
                .map_err(|error| unreachable(&place, &error))?;
            let header = |name: &str| {
                let value = response.headers().get(name)?;
                Some(value.to_str().ok()?.to_string())
            };
            let status = response.status().as_u16();
            if !matches!(status, 200 | 301 | 302 | 303 | 307 | 308) {
                return Err(refused(&place, &response));
            }
            let etag = header("x-linked-etag").or_else(|| header("etag"));
            match header("location").filter(|target| target.starts_with('/')) {
                Some(target) => place = format!("{}{target}", self.endpoint),
                None => {
                    let n_bytes = header("x-linked-size").or_else(|| header("content-length"));
                    return facts_of(url, etag, n_bytes);
                }
            }
        }
        Err(DownloadError::NotTheHub {
            url: url.to_string(),
            reason: "it redirects in a circle".to_string(),
        })
    }

    /// Fetches a file to `target`, behind what an earlier attempt left in `partial`. `on_bytes` hears
    /// how many bytes are there.
    pub fn fetch(
        &self,
        url: &str,
        facts: &FileFacts,
        (partial, target): (&Path, &Path),
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<(), DownloadError> {
        let mut last = String::new();
        for _ in 0..N_ATTEMPTS {
            match self.continue_at(url, facts, partial, on_bytes) {
                Ok(true) => {
                    check(url, facts, partial)?;
                    return std::fs::rename(partial, target).map_err(|error| disk(target, &error));
                }
                Ok(false) => last = "it ended too early".to_string(),
                Err(DownloadError::Unreachable { reason, .. }) => last = reason,
                Err(other) => return Err(other),
            }
        }
        Err(DownloadError::Broken {
            url: url.to_string(),
            reason: last,
        })
    }

    /// One request for what is missing; whether all is there now.
    fn continue_at(
        &self,
        url: &str,
        facts: &FileFacts,
        partial: &Path,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<bool, DownloadError> {
        let there = std::fs::metadata(partial).map_or(0, |metadata| metadata.len());
        // More than there should be is not the beginning of this file.
        let there = if there > facts.n_bytes { 0 } else { there };
        on_bytes(there);
        if there == facts.n_bytes && there > 0 {
            return Ok(true);
        }
        let response = self.get(url, Some(there))?;
        let (from, status) = (there, response.status().as_u16());
        let from = match status {
            206 => from,
            200 => 0,
            _ => return Err(refused(url, &response)),
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(from == 0)
            .write(from == 0)
            .append(from > 0)
            .open(partial)
            .map_err(|error| disk(partial, &error))?;
        let mut reader = response.into_body().into_reader();
        let (mut buffer, mut n) = (vec![0; 1 << 16], from);
        while n < facts.n_bytes {
            let n_read = reader
                .read(&mut buffer)
                .map_err(|error| unreachable(url, &error))?;
            if n_read == 0 {
                break;
            }
            file.write_all(&buffer[..n_read])
                .map_err(|error| disk(partial, &error))?;
            n += n_read as u64;
            on_bytes(n);
        }
        file.sync_all().map_err(|error| disk(partial, &error))?;
        Ok(n == facts.n_bytes)
    }

    fn get(&self, url: &str, from: Option<u64>) -> Result<Response<Body>, DownloadError> {
        let mut request = self.fetching.get(url);
        if let Some(from) = from.filter(|&from| from > 0) {
            request = request.header("range", format!("bytes={from}-"));
        }
        self.signed(request)
            .call()
            .map_err(|error| unreachable(url, &error))
    }

    fn signed<T>(&self, request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
        // The size of the file is wanted, not that of a compressed form of it.
        let request = request.header("accept-encoding", "identity");
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

fn facts_of(
    url: &str,
    etag: Option<String>,
    n_bytes: Option<String>,
) -> Result<FileFacts, DownloadError> {
    let missing = |what: &str| DownloadError::NotTheHub {
        url: url.to_string(),
        reason: format!("it gives no {what}"),
    };
    let etag = etag.ok_or_else(|| missing("etag"))?;
    let etag = etag.trim_start_matches("W/").trim_matches('"').to_string();
    if !is_part(&etag) {
        return Err(missing("usable etag"));
    }
    let n_bytes = n_bytes
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| missing("size"))?;
    Ok(FileFacts { etag, n_bytes })
}

/// Large files are named by their SHA-256, which is looked after.
fn check(url: &str, facts: &FileFacts, partial: &Path) -> Result<(), DownloadError> {
    let is_sha256 = facts.etag.len() == 64 && facts.etag.chars().all(|c| c.is_ascii_hexdigit());
    if !is_sha256 {
        return Ok(());
    }
    let found = sha256(partial).map_err(|error| disk(partial, &error))?;
    let found = format!("{found:x}");
    if found == facts.etag.to_ascii_lowercase() {
        return Ok(());
    }
    std::fs::remove_file(partial).map_err(|error| disk(partial, &error))?;
    Err(DownloadError::Damaged {
        url: url.to_string(),
        reason: format!("SHA-256 {found}, not {}", facts.etag),
    })
}

fn unreachable(url: &str, error: &dyn std::fmt::Display) -> DownloadError {
    DownloadError::Unreachable {
        url: url.to_string(),
        reason: error.to_string(),
    }
}

fn refused(url: &str, response: &Response<Body>) -> DownloadError {
    DownloadError::Refused {
        url: url.to_string(),
        status: response.status().as_u16(),
    }
}

pub(super) fn disk(path: &Path, error: &io::Error) -> DownloadError {
    DownloadError::Disk {
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}
