//! `hf:` names: found in the local cache, fetched from a hub where `--download` allows it.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use common::fixture;
use serde_json::json;
use sha2::{Digest, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One request: method and path, the range asked for, and the token.
#[derive(Debug, Clone, PartialEq)]
struct Request {
    line: String,
    range: Option<String>,
    token: Option<String>,
}

/// A hub with one repository, `org/tiny`, which holds a fixture and some files that nobody needs.
struct Hub {
    endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What goes wrong with the first answer that has a body of weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// The connection ends after a third.
    Cut,
    /// The right number of bytes, one of them wrong.
    Flipped,
}

impl Hub {
    fn open(fixture_name: &str, token: Option<&'static str>, trouble: Trouble) -> Self {
        let folder = fixture(fixture_name);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut trouble = trouble;
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                if answer(stream, &folder, token, &mut trouble, &seen).is_none() {
                    // The client has gone; the next connection is another one.
                }
            }
        });
        Self { endpoint, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    folder: &Path,
    token: Option<&str>,
    trouble: &mut Trouble,
    seen: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let line = lines.next()?.ok()?;
    let mut request = Request {
        line: line.trim_end_matches(" HTTP/1.1").to_string(),
        range: None,
        token: None,
    };
    for header in lines {
        let header = header.ok()?;
        let Some((name, value)) = header.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_string()),
            "authorization" => request.token = Some(value.to_string()),
            _ => {}
        }
    }
    seen.lock().unwrap().push(request.clone());
    let mut head = |status: &str, headers: &str, n: usize| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {n}\r\n{headers}\r\n"
        )
        .ok()
    };
    if token.is_some_and(|token| request.token.as_deref() != Some(&format!("Bearer {token}"))) {
        return head("401 Unauthorized", "", 0);
    }
    let (method, path) = request.line.split_once(' ')?;
    if path == "/api/models/org/tiny/revision/main" {
        let own = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let own = own.map(|name| name.to_string_lossy().into_owned());
        let others = [
            "modeling_tiny.py",
            "pytorch_model.bin",
            "README.md",
            "onnx/model.safetensors",
        ];
        let names = own.chain(others.map(str::to_owned));
        let siblings: Vec<_> = names.map(|name| json!({"rfilename": name})).collect();
        let body = json!({"sha": COMMIT, "siblings": siblings}).to_string();
        head("200 OK", "", body.len())?;
        return stream.write_all(body.as_bytes()).ok();
    }
    let (place, is_moved) = match path.strip_prefix("/cdn/") {
        Some(file) => (file, true),
        None => (
            path.strip_prefix(&format!("/org/tiny/resolve/{COMMIT}/"))
                .unwrap_or(""),
            false,
        ),
    };
    let Ok(mut bytes) = fs::read(folder.join(place)) else {
        return head("404 Not Found", "", 0);
    };
    let hash = format!("{:x}", Sha256::digest(&bytes));
    let is_large = place.ends_with(".safetensors");
    let etag = if is_large {
        hash
    } else {
        hash[..40].to_string()
    };
    if method == "HEAD" && is_large {
        // Large files lie elsewhere, as on the real hub.
        let facts = format!(
            "x-linked-etag: \"{etag}\"\r\nx-linked-size: {}\r\nlocation: http://elsewhere.invalid/x\r\n",
            bytes.len()
        );
        return head("302 Found", &facts, 0);
    }
    if method == "HEAD" {
        return head("200 OK", &format!("etag: \"{etag}\"\r\n"), bytes.len());
    }
    if is_large && !is_moved {
        return head("302 Found", &format!("location: /cdn/{place}\r\n"), 0);
    }
    let from = request.range.as_deref().map_or(0, |range| {
        range
            .trim_start_matches("bytes=")
            .trim_end_matches('-')
            .parse()
            .unwrap()
    });
    let status = if from > 0 {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    head(status, "", bytes.len() - from)?;
    let mut end = bytes.len();
    if is_large {
        match std::mem::replace(trouble, Trouble::None) {
            Trouble::None => {}
            Trouble::Cut => end = bytes.len() / 3,
            Trouble::Flipped => bytes[from] ^= 1,
        }
    }
    stream.write_all(&bytes[from..end]).ok()
}

fn inspect(cache: &Path, endpoint: &str, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(["inspect", "hf:org/tiny", "--json"])
        .args(flags)
        .env("HF_HUB_CACHE", cache)
        .env("HF_ENDPOINT", endpoint)
        .env_remove("HF_TOKEN")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_string()
}

fn snapshot(cache: &Path) -> PathBuf {
    cache.join("models--org--tiny/snapshots").join(COMMIT)
}

#[test]
fn without_the_flag_nothing_is_asked_of_the_network_and_the_error_names_the_cache_and_the_flag() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::open("llama", None, Trouble::None);
    let output = inspect(cache.path(), &hub.endpoint, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        format!(
            "error: hf:org/tiny: not in the local Hugging Face cache ({}); --download fetches it, HF_HOME names another cache",
            cache.path().display()
        )
    );
    assert_eq!(hub.requests(), []);
}

#[test]
fn a_download_fetches_the_checkpoint_without_its_code_and_is_then_found_offline() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::open("qwen3", None, Trouble::None);
    let output = inspect(cache.path(), &hub.endpoint, &["--download"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut names: Vec<String> = fs::read_dir(snapshot(cache.path()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let shards = (1..=7).map(|n| format!("model-0000{n}-of-00007.safetensors"));
    let mut expected: Vec<String> = [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(shards)
    .chain(
        [
            "model.safetensors.index.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
        .map(str::to_owned),
    )
    .collect();
    expected.sort();
    assert_eq!(names, expected);
    for name in &names {
        let fetched = fs::read(snapshot(cache.path()).join(name)).unwrap();
        assert!(
            fetched == fs::read(fixture("qwen3").join(name)).unwrap(),
            "{name}"
        );
    }
    let n_asked = hub.requests().len();
    for flags in [&["--download"][..], &[]] {
        let again = inspect(cache.path(), &hub.endpoint, flags);
        assert_eq!(again.stdout, output.stdout, "{}", stderr(&again));
    }
    assert_eq!(hub.requests().len(), n_asked);
    assert_eq!(
        fs::read_to_string(cache.path().join("models--org--tiny/refs/main")).unwrap(),
        COMMIT
    );
}

#[test]
fn a_file_that_breaks_off_goes_on_where_it_broke_off() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::open("llama", None, Trouble::Cut);
    let output = inspect(cache.path(), &hub.endpoint, &["--download"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let n_bytes = fs::metadata(fixture("llama").join("model.safetensors"))
        .unwrap()
        .len();
    let ranges: Vec<Option<String>> = hub
        .requests()
        .into_iter()
        .filter(|request| request.line.starts_with("GET /cdn/"))
        .map(|request| request.range)
        .collect();
    assert_eq!(ranges, [None, Some(format!("bytes={}-", n_bytes / 3))]);
    let fetched = fs::read(snapshot(cache.path()).join("model.safetensors")).unwrap();
    assert!(fetched == fs::read(fixture("llama").join("model.safetensors")).unwrap());
}

#[test]
fn a_file_left_truncated_by_an_earlier_run_is_completed() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = fs::read(fixture("llama").join("model.safetensors")).unwrap();
    let blobs = cache.path().join("models--org--tiny/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let partial = blobs.join(format!("{:x}.incomplete", Sha256::digest(&bytes)));
    fs::write(&partial, &bytes[..1000]).unwrap();
    let hub = Hub::open("llama", None, Trouble::None);
    let output = inspect(cache.path(), &hub.endpoint, &["--download"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let ranges = hub
        .requests()
        .into_iter()
        .filter_map(|request| request.range);
    // Asked once of the hub, and once of the place that it redirects to.
    assert!(ranges.clone().count() >= 1 && ranges.clone().all(|range| range == "bytes=1000-"));
    assert!(!partial.exists());
}

#[test]
fn weights_that_are_not_those_announced_are_deleted() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::open("llama", None, Trouble::Flipped);
    let output = inspect(cache.path(), &hub.endpoint, &["--download"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("was deleted; give the command again"),
        "{}",
        stderr(&output)
    );
    assert!(!snapshot(cache.path()).join("model.safetensors").exists());
    let again = inspect(cache.path(), &hub.endpoint, &["--download"]);
    assert!(again.status.success(), "{}", stderr(&again));
}

#[test]
fn a_private_repository_needs_the_token_which_goes_to_no_other_server() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::open("llama", Some("secret"), Trouble::None);
    let output = inspect(cache.path(), &hub.endpoint, &["--download"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the server answers 401: set HF_TOKEN"),
        "{}",
        stderr(&output)
    );
    assert!(hub.requests().iter().all(|request| request.token.is_none()));
    let output = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(["inspect", "hf:org/tiny", "--download"])
        .env("HF_HUB_CACHE", cache.path())
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_TOKEN", "secret")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    // Where weights lie elsewhere, this server plays the other one too, and is refused there.
    assert_eq!(output.status.code(), Some(1));
    let elsewhere: Vec<Request> = hub
        .requests()
        .into_iter()
        .filter(|request| request.line.contains("/cdn/"))
        .collect();
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|request| request.token.is_none()));
    assert!(snapshot(cache.path()).join("config.json").is_file());
}

#[test]
fn a_repository_that_does_not_exist_and_a_server_that_is_not_there_are_named() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::open("llama", None, Trouble::None);
    let run = |name: &str, endpoint: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
            .args(["score", "--model", name, "--text", "Hi", "--download"])
            .env("HF_HUB_CACHE", cache.path())
            .env("HF_ENDPOINT", endpoint)
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(0));
        stderr(&output)
    };
    let missing = run("hf:org/other", &hub.endpoint);
    assert!(
        missing.contains("/api/models/org/other/revision/main: the server answers 404"),
        "{missing}"
    );
    let nowhere = run("hf:org/tiny", "http://127.0.0.1:1");
    assert!(
        nowhere.contains("127.0.0.1:1") && nowhere.contains("check the network"),
        "{nowhere}"
    );
    let odd = run("hf:../x", &hub.endpoint);
    assert!(
        odd.contains("names no repository, expected 'org/name'"),
        "{odd}"
    );
}
