//! Which files of a repository a checkpoint needs.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The hub's answer about a revision.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    /// Commit that the revision stands for.
    pub sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    /// Configuration, tokenizer and chat template first, weights last: what is wrong with the former
    /// shows before gigabytes are fetched. Nothing that could be run, and no weights but those that
    /// are read.
    pub fn wanted(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self
            .siblings
            .iter()
            .map(|sibling| sibling.rfilename.as_str())
            .collect();
        let is_whole = names.contains("model.safetensors");
        let (weights, others): (Vec<&str>, Vec<&str>) = names
            .into_iter()
            .filter(|name| is_wanted(name))
            .partition(|name| name.ends_with(".safetensors"));
        // Where both are there, the single file is the one that is read.
        let weights = weights
            .into_iter()
            .filter(|name| !is_whole || *name == "model.safetensors");
        others.into_iter().chain(weights).collect()
    }
}

/// A name without folders: anything else is no part of a checkpoint, and could lead out of the cache.
fn is_wanted(name: &str) -> bool {
    let is_flat = !name.contains(['/', '\\']) && !name.starts_with('.');
    let is_known = [
        "config.json",
        "generation_config.json",
        "model.safetensors.index.json",
    ]
    .contains(&name)
        || (name.starts_with("tokenizer") && name.ends_with(".json"))
        || ["chat_template.json", "chat_template.jinja"].contains(&name)
        || (name.starts_with("model") && name.ends_with(".safetensors"));
    is_flat && is_known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(names: &[&str]) -> Vec<String> {
        let siblings = names.iter().map(|name| Sibling {
            rfilename: (*name).to_string(),
        });
        let listing = Listing {
            sha: "0".into(),
            siblings: siblings.collect(),
        };
        listing.wanted().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn code_pickles_and_second_copies_of_the_weights_are_left_where_they_are() {
        let names = [
            "model-00002-of-00002.safetensors",
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
            "modeling_wedlm.py",
            "pytorch_model.bin",
            "consolidated.safetensors",
            "original/model.safetensors",
            "..\\model.safetensors",
            "tokenizer.json",
            "tokenizer.model",
            "tokenizer_config.json",
            "chat_template.jinja",
            "config.json",
            "README.md",
        ];
        assert_eq!(
            wanted(&names),
            [
                "chat_template.jinja",
                "config.json",
                "model.safetensors.index.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            ]
        );
    }

    #[test]
    fn a_single_file_of_weights_makes_its_shards_superfluous() {
        let names = [
            "model.safetensors",
            "model-00001-of-00001.safetensors",
            "config.json",
        ];
        assert_eq!(wanted(&names), ["config.json", "model.safetensors"]);
    }
}
