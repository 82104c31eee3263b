//! Runs of parts of one sweep, joined: do they belong together, and what do they lack?

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::plan::Trial;
use crate::plan::shard::Shard;
use crate::record::journal::{Entry, Key};
use crate::record::manifest::{Manifest, VERSION};

/// A run that is to be joined with others.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its folder, for messages.
    pub name: String,
    pub manifest: Manifest,
    pub entries: Vec<Entry>,
}

/// Why runs cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    #[error("{run}: was made by version {version}, and this is {VERSION}: merge it with that one")]
    OtherProgram { run: String, version: String },
    #[error("{run}: is merged itself: give the runs that it was merged from")]
    Merged { run: String },
    #[error("{run} and {first} are not of one sweep: {differences}")]
    Different {
        run: String,
        first: String,
        differences: String,
    },
    #[error("{one} and {other} are both {part}: give one of them")]
    SamePart {
        one: String,
        other: String,
        part: String,
    },
    #[error("{one} and {other} both hold {trial} on prompt {prompt}: give one of them")]
    Twice {
        one: String,
        other: String,
        trial: String,
        prompt: usize,
    },
    #[error("{run}: holds a trial {trial_id} that is not in its sweep.yaml")]
    Stranger { run: String, trial_id: String },
}

/// Parts in the order of their shards, that belong together.
///
/// # Errors
/// [`JoinError`], the last two excepted.
pub fn sorted(mut parts: Vec<Part>) -> Result<Vec<Part>, JoinError> {
    parts.sort_by_key(|part| part.manifest.shard);
    for part in &parts {
        if part.manifest.version != VERSION {
            return Err(JoinError::OtherProgram {
                run: part.name.clone(),
                version: part.manifest.version.clone(),
            });
        }
        if !part.manifest.merged_from.is_empty() {
            return Err(JoinError::Merged {
                run: part.name.clone(),
            });
        }
    }
    for pair in parts.windows(2) {
        let (first, next) = (&pair[0], &pair[1]);
        let differences = first.manifest.differences(&next.manifest);
        if !differences.is_empty() {
            return Err(JoinError::Different {
                run: next.name.clone(),
                first: first.name.clone(),
                differences: differences.join(", "),
            });
        }
        if first.manifest.shard == next.manifest.shard {
            return Err(JoinError::SamePart {
                one: first.name.clone(),
                other: next.name.clone(),
                part: match first.manifest.shard {
                    Some(shard) => format!("shard {shard}"),
                    None => "the whole sweep".to_owned(),
                },
            });
        }
    }
    Ok(parts)
}

/// The generations of all parts. Each part has baselines of its own; of every other trial a generation is in
/// one part at most. `trials` are those of the whole sweep, `n_baselines` of them baselines.
///
/// # Errors
/// [`JoinError::Twice`], [`JoinError::Stranger`].
pub fn join(
    parts: Vec<Part>,
    trials: &[Trial],
    n_baselines: usize,
) -> Result<Vec<Entry>, JoinError> {
    let places: HashMap<&str, usize> = trials
        .iter()
        .enumerate()
        .map(|(place, trial)| (trial.id.as_str(), place))
        .collect();
    let mut first_in: HashMap<Key, usize> = HashMap::new();
    let names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
    let mut joined = Vec::new();
    for (number, part) in parts.into_iter().enumerate() {
        for entry in part.entries {
            let row = &entry.generation;
            let Some(&place) = places.get(row.trial_id.as_str()) else {
                return Err(JoinError::Stranger {
                    run: part.name,
                    trial_id: row.trial_id.clone(),
                });
            };
            if place >= n_baselines
                && let Some(earlier) = first_in.insert(entry.key(), number)
            {
                return Err(JoinError::Twice {
                    one: names[earlier].clone(),
                    other: part.name,
                    trial: trials[place].label.clone(),
                    prompt: row.prompt,
                });
            }
            joined.push(entry);
        }
    }
    Ok(joined)
}

/// What a sweep should hold.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    pub trials: &'a [Trial],
    pub n_baselines: usize,
    pub n_prompts: usize,
    pub n_repeats: usize,
    /// Prompts after which a trial was dropped, by its id.
    pub dropped: &'a HashMap<&'a str, usize>,
}

impl Whole<'_> {
    /// What `entries` lack, a line per trial, as in `ebsd θ=1.0: prompts 3, 7–9`. Baselines are asked of every
    /// shard in `shards`.
    pub fn missing(&self, shards: &BTreeSet<Option<Shard>>, entries: &[Entry]) -> Vec<String> {
        let held: HashSet<(Option<Shard>, Key)> = entries
            .iter()
            .map(|entry| (entry.generation.shard, entry.key()))
            .collect();
        let mut shard_of: BTreeMap<&str, Option<Shard>> = BTreeMap::new();
        for row in entries.iter().map(|entry| &entry.generation) {
            shard_of.insert(&row.trial_id, row.shard);
        }
        let lacks = |trial: &Trial, shard: Option<Shard>| -> Option<String> {
            let wanted = self.dropped.get(trial.id.as_str()).copied();
            let n_wanted = wanted.unwrap_or(self.n_prompts);
            let is_held = |prompt: usize| {
                (0..self.n_repeats)
                    .all(|repeat| held.contains(&(shard, (trial.id.clone(), prompt, repeat))))
            };
            let lacking: Vec<usize> = (0..n_wanted).filter(|prompt| !is_held(*prompt)).collect();
            match lacking.len() {
                0 => None,
                n if n == n_wanted => Some("not run".to_owned()),
                _ => Some(format!("prompts {}", ranges(&lacking))),
            }
        };
        let (baselines, others) = self.trials.split_at(self.n_baselines);
        let of_baselines = baselines.iter().flat_map(|trial| {
            shards.iter().filter_map(move |shard| {
                let what = lacks(trial, *shard)?;
                Some(match shard {
                    Some(shard) => format!("{} in shard {shard}: {what}", trial.label),
                    None => format!("{}: {what}", trial.label),
                })
            })
        });
        let of_others = others.iter().filter_map(|trial| {
            let shard = shard_of.get(trial.id.as_str()).copied().flatten();
            Some(format!("{}: {}", trial.label, lacks(trial, shard)?))
        });
        of_baselines.chain(of_others).collect()
    }
}

/// `3, 7–9` for 3, 7, 8 and 9.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}–{last}"),
            [] => String::new(),
        })
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
