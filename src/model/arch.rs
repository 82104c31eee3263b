//! The shape of a decoder-only transformer, read from a Hugging Face `config.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::lm::TokenId;

/// Everything about a checkpoint that is not a weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// `llama`, `mistral`, `qwen2`, `qwen3` or `wedlm`.
    pub model_type: String,
    /// Rows of the embedding; may exceed the tokenizer's entries.
    pub vocab_len: usize,
    pub hidden_len: usize,
    pub ffn_len: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_len: usize,
    pub context_len: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub rope_scaling: RopeScaling,
    /// For each layer: how many rows back it attends, itself included; `None` is all.
    pub sliding_windows: Vec<Option<usize>>,
    pub tied_head: bool,
    pub eos_ids: Vec<TokenId>,
    pub mask_id: Option<TokenId>,
}

/// How rotary frequencies are stretched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    Default,
    /// Llama 3.1: low frequencies divided by `factor`, a smooth blend between the two bounds.
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_context_len: f64,
    },
}

/// A `config.json` that this program cannot run, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArchitectureError(String);

const MODEL_TYPES: [&str; 5] = ["llama", "mistral", "qwen2", "qwen3", "wedlm"];

/// One id or a list of them, as `eos_token_id` comes in both forms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(TokenId),
    Many(Vec<TokenId>),
}

impl OneOrMany {
    pub fn into_vec(self) -> Vec<TokenId> {
        match self {
            OneOrMany::One(id) => vec![id],
            OneOrMany::Many(ids) => ids,
        }
    }
}

#[derive(Debug, Deserialize)]
struct RawConfig {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    #[serde(default = "default_context_len")]
    max_position_embeddings: usize,
    #[serde(default = "default_rms_norm_eps")]
    rms_norm_eps: f64,
    hidden_act: Option<String>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Map<String, Value>>,
    rope_parameters: Option<Map<String, Value>>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    #[serde(default)]
    tie_word_embeddings: bool,
    eos_token_id: Option<OneOrMany>,
    mask_token_id: Option<TokenId>,
}

fn default_context_len() -> usize {
    2048
}

fn default_rms_norm_eps() -> f64 {
    1e-6
}

impl Architecture {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// When the text is not JSON, a required key is missing, or the model needs something that
    /// this transformer does not compute.
    pub fn from_json(text: &str) -> Result<Self, ArchitectureError> {
        let raw: RawConfig =
            serde_json::from_str(text).map_err(|error| ArchitectureError(error.to_string()))?;
        raw.validate()?;
        let n_kv_heads = raw.num_key_value_heads.unwrap_or(raw.num_attention_heads);
        let (rope_theta, rope_scaling) = raw.rope()?;
        Ok(Self {
            sliding_windows: raw.sliding_windows()?,
            vocab_len: raw.vocab_size,
            hidden_len: raw.hidden_size,
            ffn_len: raw.intermediate_size,
            n_layers: raw.num_hidden_layers,
            n_heads: raw.num_attention_heads,
            n_kv_heads,
            head_len: raw
                .head_dim
                .unwrap_or(raw.hidden_size / raw.num_attention_heads),
            context_len: raw.max_position_embeddings,
            rms_norm_eps: raw.rms_norm_eps,
            rope_theta,
            rope_scaling,
            tied_head: raw.tie_word_embeddings,
            eos_ids: raw
                .eos_token_id
                .map(OneOrMany::into_vec)
                .unwrap_or_default(),
            mask_id: raw.mask_token_id,
            model_type: raw.model_type,
        })
    }

    /// The `config.json` of a checkpoint with this shape, as transformers reads it.
    pub fn to_json(&self) -> Value {
        let class = match self.model_type.as_str() {
            "llama" => "LlamaForCausalLM",
            "mistral" => "MistralForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            "wedlm" => "WeDLMForCausalLM",
            _ => "Qwen3ForCausalLM",
        };
        json!({
            "architectures": [class],
            "model_type": self.model_type,
            "vocab_size": self.vocab_len,
            "hidden_size": self.hidden_len,
            "intermediate_size": self.ffn_len,
            "num_hidden_layers": self.n_layers,
            "num_attention_heads": self.n_heads,
            "num_key_value_heads": self.n_kv_heads,
            "head_dim": self.head_len,
            "max_position_embeddings": self.context_len,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "hidden_act": "silu",
            "attention_bias": false,
            "tie_word_embeddings": self.tied_head,
            "eos_token_id": self.eos_ids,
            "mask_token_id": self.mask_id,
            "dtype": "float16",
        })
    }

    /// Query heads that share one key/value head.
    pub fn group_len(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }
}

impl RawConfig {
    fn validate(&self) -> Result<(), ArchitectureError> {
        let refuse = |reason: String| Err(ArchitectureError(reason));
        if !MODEL_TYPES.contains(&self.model_type.as_str()) {
            return refuse(format!(
                "model_type '{}' is not supported; supported: {}",
                self.model_type,
                MODEL_TYPES.join(", ")
            ));
        }
        if let Some(activation) = self.hidden_act.as_deref().filter(|name| *name != "silu") {
            return refuse(format!(
                "hidden_act '{activation}' is not supported; supported: silu"
            ));
        }
        let kv_heads = self.num_key_value_heads.unwrap_or(self.num_attention_heads);
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", kv_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            if value == 0 || value > 1 << 28 {
                return refuse(format!("{key} is {value}, expected 1 to {}", 1 << 28));
            }
        }
        if self.num_hidden_layers > 4096 {
            return refuse(format!(
                "num_hidden_layers is {}, expected at most 4096",
                self.num_hidden_layers
            ));
        }
        if !self.num_attention_heads.is_multiple_of(kv_heads) {
            return refuse(format!(
                "num_attention_heads {} is not a multiple of num_key_value_heads {kv_heads}",
                self.num_attention_heads
            ));
        }
        let head_len = self
            .head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads);
        if head_len == 0 || !head_len.is_multiple_of(2) || head_len > 1 << 16 {
            return refuse(format!("head_dim {head_len} must be even and at least 2"));
        }
        Ok(())
    }

    /// `rope_parameters` (transformers 5), else `rope_theta` and `rope_scaling` (before).
    fn rope(&self) -> Result<(f64, RopeScaling), ArchitectureError> {
        let parameters = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let number = |key: &str| {
            parameters
                .and_then(|map| map.get(key))
                .and_then(Value::as_f64)
        };
        let theta = number("rope_theta").or(self.rope_theta).unwrap_or(10_000.0);
        let kind = parameters
            .and_then(|map| map.get("rope_type").or_else(|| map.get("type")))
            .and_then(Value::as_str)
            .unwrap_or("default");
        match kind {
            "default" => Ok((theta, RopeScaling::Default)),
            "llama3" => {
                let need = |key: &str| {
                    number(key).ok_or_else(|| {
                        ArchitectureError(format!("rope scaling llama3 lacks '{key}'"))
                    })
                };
                Ok((
                    theta,
                    RopeScaling::Llama3 {
                        factor: need("factor")?,
                        low_freq_factor: need("low_freq_factor")?,
                        high_freq_factor: need("high_freq_factor")?,
                        original_context_len: need("original_max_position_embeddings")?,
                    },
                ))
            }
            other => Err(ArchitectureError(format!(
                "rope scaling '{other}' is not supported; supported: default, llama3"
            ))),
        }
    }

    /// Mistral slides wherever `sliding_window` is set; the Qwens only where `use_sliding_window`
    /// says so, in the layers that `layer_types` (or `max_window_layers`) names.
    fn sliding_windows(&self) -> Result<Vec<Option<usize>>, ArchitectureError> {
        let always = matches!(self.model_type.as_str(), "mistral");
        let active = self.use_sliding_window.unwrap_or(always);
        let Some(window) = self.sliding_window.filter(|_| active) else {
            return Ok(vec![None; self.num_hidden_layers]);
        };
        if window == 0 {
            return Err(ArchitectureError(
                "sliding_window is 0, expected at least 1".into(),
            ));
        }
        if let Some(types) = &self.layer_types {
            if types.len() != self.num_hidden_layers {
                return Err(ArchitectureError(format!(
                    "layer_types lists {} layers, num_hidden_layers is {}",
                    types.len(),
                    self.num_hidden_layers
                )));
            }
            return Ok(types
                .iter()
                .map(|kind| (kind == "sliding_attention").then_some(window))
                .collect());
        }
        let first = if always {
            0
        } else {
            self.max_window_layers.unwrap_or(0)
        };
        Ok((0..self.num_hidden_layers)
            .map(|layer| (layer >= first).then_some(window))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extra: &str) -> String {
        format!(
            r#"{{"model_type":"qwen3","vocab_size":8,"hidden_size":16,"intermediate_size":32,
                "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2{extra}}}"#
        )
    }

    #[test]
    fn an_explicit_head_dim_wins_over_hidden_size_by_heads() {
        let implicit = Architecture::from_json(&config("")).unwrap();
        let explicit = Architecture::from_json(&config(r#","head_dim":32"#)).unwrap();
        assert_eq!((implicit.head_len, explicit.head_len), (4, 32));
    }

    #[test]
    fn eos_may_be_a_number_or_a_list() {
        let one = Architecture::from_json(&config(r#","eos_token_id":5"#)).unwrap();
        let many = Architecture::from_json(&config(r#","eos_token_id":[5,6]"#)).unwrap();
        assert_eq!((one.eos_ids, many.eos_ids), (vec![5], vec![5, 6]));
    }

    #[test]
    fn qwen_ignores_a_sliding_window_that_is_not_switched_on() {
        let off = Architecture::from_json(&config(r#","sliding_window":4"#)).unwrap();
        let on = Architecture::from_json(&config(
            r#","sliding_window":4,"use_sliding_window":true,"max_window_layers":1"#,
        ))
        .unwrap();
        assert_eq!(off.sliding_windows, [None, None]);
        assert_eq!(on.sliding_windows, [None, Some(4)]);
    }

    #[test]
    fn what_cannot_run_is_refused_with_the_reason() {
        let cases = [
            (
                config(r#","hidden_act":"gelu""#),
                "hidden_act 'gelu' is not supported",
            ),
            (
                config(r#","rope_scaling":{"type":"yarn"}"#),
                "rope scaling 'yarn' is not supported",
            ),
            (config(r#","head_dim":3"#), "head_dim 3 must be even"),
            (
                config("").replace("qwen3", "gpt2"),
                "model_type 'gpt2' is not supported",
            ),
            (
                config("").replace("\"num_key_value_heads\":2", "\"num_key_value_heads\":3"),
                "not a multiple",
            ),
            ("{".to_string(), "EOF"),
        ];
        for (text, expected) in cases {
            let error = Architecture::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} lacks {expected}");
        }
    }

    #[test]
    fn a_written_config_reads_back() {
        let arch = Architecture::from_json(&config(
            r#","head_dim":8,"tie_word_embeddings":true,"eos_token_id":[0],"mask_token_id":3,"rope_theta":5000.0"#,
        ))
        .unwrap();
        let text = arch.to_json().to_string();
        assert_eq!(Architecture::from_json(&text).unwrap(), arch);
    }
}
