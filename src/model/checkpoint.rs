//! A checkpoint in Hugging Face format: where its files are and what they say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::model::arch::{Architecture, OneOrMany};
use crate::model::chat::template_of;
use crate::model::files::{Bytes, Files, locate};
use crate::model::hub::Repository;
use crate::model::lm::TokenId;

/// Why a checkpoint cannot be used. Each message names the file.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{place}: {reason}")]
    File { place: String, reason: String },
    #[error("embedded:{name}: there is no such embedded model; there are {available}")]
    UnknownEmbedded { name: String, available: String },
    #[error(
        "{model}: there is no such folder; give a folder with config.json, embedded:NAME, or hf:org/name[@revision]"
    )]
    NoFolder { model: String },
    #[error(
        "hf:{repository}: not in the local Hugging Face cache ({place}); --download fetches it, HF_HOME names another cache"
    )]
    NotCached {
        repository: Repository,
        place: String,
    },
    #[error("{place}: the tensors do not fit config.json: {}", problems.join("; "))]
    Tensors {
        place: String,
        problems: Vec<String>,
    },
}

impl CheckpointError {
    pub(super) fn file(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::File {
            place: place.to_string(),
            reason: reason.to_string(),
        }
    }
}

struct TensorEntry {
    shard: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    begin: usize,
    end: usize,
}

/// An opened checkpoint: configuration read, tensors mapped but not yet converted.
pub struct Checkpoint {
    /// As the user wrote it.
    pub name: String,
    pub arch: Architecture,
    /// End-of-text ids of `config.json` and `generation_config.json`.
    pub eos_ids: Vec<TokenId>,
    /// Jinja source, where the checkpoint has one. Never run as anything but a template.
    pub chat_template: Option<String>,
    /// `bos_token` and its like with their texts, as `tokenizer_config.json` names them.
    pub special_tokens: Vec<(String, String)>,
    files: Files,
    shards: Vec<(String, Bytes)>,
    tensors: BTreeMap<String, TensorEntry>,
}

#[derive(Deserialize, Default)]
struct GenerationConfig {
    eos_token_id: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// The mask id of the published WeDLM checkpoints, whose config names none: the first id behind
/// the added tokens of Qwen2.5's tokenizer.
const WEDLM_MASK_ID: TokenId = 151_665;

/// Bytes of a mapped file that lie in memory while it is hashed.
const HASHED_AT_ONCE: usize = 16 << 20;

impl Checkpoint {
    /// Opens `embedded:NAME`, a folder, or `hf:org/name[@revision]` from the local cache.
    ///
    /// # Errors
    /// When a file is missing, truncated or says something this program cannot run.
    pub fn open(name: &str) -> Result<Self, CheckpointError> {
        let files = locate(name)?;
        let config = files.text(name, "config.json")?;
        let mut arch = Architecture::from_json(&config)
            .map_err(|error| CheckpointError::file(files.place(name, "config.json"), error))?;
        let mut eos_ids = arch.eos_ids.clone();
        if let Some(text) = files.optional_text(name, "generation_config.json")? {
            let generation: GenerationConfig =
                parse(&files.place(name, "generation_config.json"), &text)?;
            let more = generation
                .eos_token_id
                .map(OneOrMany::into_vec)
                .unwrap_or_default();
            eos_ids.extend(more);
        }
        eos_ids.sort_unstable();
        eos_ids.dedup();
        if arch.mask_id.is_none() && arch.model_type == "wedlm" {
            arch.mask_id = Some(WEDLM_MASK_ID);
        }
        let chat_template = template_of(&|file| files.optional_text(name, file), &|file| {
            files.place(name, file)
        })?;
        let special_tokens = special_tokens(name, &files)?;
        let (shards, tensors) = map_tensors(name, &files)?;
        Ok(Self {
            name: name.to_string(),
            arch,
            eos_ids,
            chat_template,
            special_tokens,
            files,
            shards,
            tensors,
        })
    }

    /// Bytes of `tokenizer.json`.
    ///
    /// # Errors
    /// When the file is missing.
    pub fn tokenizer_json(&self) -> Result<Vec<u8>, CheckpointError> {
        self.files.bytes(&self.name, "tokenizer.json")
    }

    /// Text of a special token, such as `mask_token`, as `tokenizer_config.json` names it.
    pub fn special_token(&self, key: &str) -> Option<&str> {
        let mut tokens = self.special_tokens.iter();
        let (_, text) = tokens.find(|(name, _)| name == key)?;
        Some(text)
    }

    /// File name with the checkpoint in front, for messages.
    pub fn place(&self, file: &str) -> String {
        self.files.place(&self.name, file)
    }

    pub fn has_tensor(&self, tensor: &str) -> bool {
        self.tensors.contains_key(tensor)
    }

    /// Names, shapes and dtypes of all tensors, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize], Dtype)> {
        let entries = self.tensors.iter();
        entries.map(|(name, entry)| (name.as_str(), entry.shape.as_slice(), entry.dtype))
    }

    /// Bytes of all tensor files.
    pub fn n_weight_bytes(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|(_, bytes)| bytes.as_ref().len()).sum()
    }

    /// Values of a tensor as f32, row-major as stored.
    ///
    /// # Errors
    /// When it is missing, has another shape than `shape`, or a dtype other than f32, f16, bf16.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let entry = self.tensors.get(name).ok_or_else(|| {
            CheckpointError::file(
                &self.name,
                format!("tensor '{name}' is missing from the checkpoint"),
            )
        })?;
        let (file, bytes) = &self.shards[entry.shard];
        if entry.shape != shape {
            return Err(CheckpointError::file(
                self.place(file),
                format!(
                    "tensor '{name}' has shape {:?}, config.json asks for {shape:?}",
                    entry.shape
                ),
            ));
        }
        let raw = &bytes.as_ref()[entry.begin..entry.end];
        let values = match entry.dtype {
            Dtype::F32 => raw
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F16 => raw
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            Dtype::BF16 => raw
                .chunks_exact(2)
                .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            other => {
                return Err(CheckpointError::file(
                    self.place(file),
                    format!("tensor '{name}' has dtype {other:?}; supported: F32, F16, BF16"),
                ));
            }
        };
        bytes.release(entry.begin..entry.end);
        Ok(values)
    }

    /// SHA-256 over all tensor files, in order; names the weights in a manifest.
    pub fn weights_hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (_, bytes) in &self.shards {
            for (index, piece) in bytes.as_ref().chunks(HASHED_AT_ONCE).enumerate() {
                hasher.update(piece);
                let begin = index * HASHED_AT_ONCE;
                bytes.release(begin..begin + piece.len());
            }
        }
        format!("{:x}", hasher.finalize())
    }
}

fn parse<T: serde::de::DeserializeOwned>(place: &str, text: &str) -> Result<T, CheckpointError> {
    serde_json::from_str(text).map_err(|error| CheckpointError::file(place, error))
}

/// Entries of `tokenizer_config.json` such as `"bos_token": "<s>"` or `"bos_token": {"content": "<s>"}`.
fn special_tokens(name: &str, files: &Files) -> Result<Vec<(String, String)>, CheckpointError> {
    const FILE: &str = "tokenizer_config.json";
    let Some(text) = files.optional_text(name, FILE)? else {
        return Ok(Vec::new());
    };
    let config: Map<String, Value> = parse(&files.place(name, FILE), &text)?;
    let tokens = config
        .into_iter()
        .filter(|(key, _)| key.ends_with("_token"));
    let texts = tokens.filter_map(|(key, value)| {
        let text = value.get("content").unwrap_or(&value).as_str()?;
        Some((key, text.to_string()))
    });
    Ok(texts.collect())
}

type Shards = Vec<(String, Bytes)>;

fn map_tensors(
    name: &str,
    files: &Files,
) -> Result<(Shards, BTreeMap<String, TensorEntry>), CheckpointError> {
    const SINGLE: &str = "model.safetensors";
    const INDEX: &str = "model.safetensors.index.json";
    let shard_names = if files.has(SINGLE) || !files.has(INDEX) {
        vec![SINGLE.to_string()]
    } else {
        let index: ShardIndex = parse(&files.place(name, INDEX), &files.text(name, INDEX)?)?;
        let mut names: Vec<String> = index.weight_map.into_values().collect();
        names.sort();
        names.dedup();
        if let Some(odd) = names
            .iter()
            .find(|shard| Path::new(shard).components().count() != 1)
        {
            return Err(CheckpointError::file(
                files.place(name, INDEX),
                format!("shard '{odd}' lies outside the checkpoint's folder"),
            ));
        }
        names
    };
    let mut shards = Vec::new();
    let mut tensors = BTreeMap::new();
    for (shard, file) in shard_names.into_iter().enumerate() {
        let bytes = files.map(name, &file)?;
        read_header(
            &files.place(name, &file),
            shard,
            bytes.as_ref(),
            &mut tensors,
        )?;
        shards.push((file, bytes));
    }
    Ok((shards, tensors))
}

fn read_header(
    place: &str,
    shard: usize,
    bytes: &[u8],
    tensors: &mut BTreeMap<String, TensorEntry>,
) -> Result<(), CheckpointError> {
    let refuse = |reason: String| CheckpointError::file(place, reason);
    let (header_len, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| {
        refuse(format!(
            "not a whole safetensors file ({error}); download it again"
        ))
    })?;
    // The data follow the 8 bytes of the header's length and the header itself.
    let data = 8 + header_len;
    for (name, info) in metadata.tensors() {
        let (begin, end) = info.data_offsets;
        if end > bytes.len().saturating_sub(data) {
            return Err(refuse(format!(
                "truncated: tensor '{name}' ends {end} bytes behind the header, the file has {} there; download it again",
                bytes.len().saturating_sub(data)
            )));
        }
        tensors.insert(
            name,
            TensorEntry {
                shard,
                dtype: info.dtype,
                shape: info.shape.clone(),
                begin: data + begin,
                end: data + end,
            },
        );
    }
    Ok(())
}
