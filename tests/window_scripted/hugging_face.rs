//! `generate_wedlm` of the reference's `modeling_wedlm.py`, for one prompt at temperature 1.
//!
//! No cache and no window: the sequence stands in logical order, and every step puts its masks last
//! and computes all of it anew. Confidences are computed here too, so that nothing is shared with
//! the decoder but the model.

use wedlm_bench::model::lm::{LanguageModel, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;

pub struct Settings {
    pub block_size: usize,
    pub mask_id: TokenId,
    /// Fill what is at least as sure, else the surest; 0 always fills the surest alone.
    pub confidence_threshold: f64,
}

#[derive(Debug)]
pub struct Step {
    /// Position of each mask and the largest probability there.
    pub confidences: Vec<(u32, f64)>,
    pub filled: Vec<(u32, TokenId)>,
}

pub struct Text {
    /// Whole blocks: up to a block less one beyond the budget, and past every stop token.
    pub ids: Vec<TokenId>,
    pub blocks: Vec<Vec<Step>>,
}

pub fn generate_wedlm(
    model: &mut ScriptedModel,
    prompt: &[TokenId],
    max_new_tokens: usize,
    settings: &Settings,
) -> Text {
    let mut current = prompt.to_vec();
    let mut blocks = Vec::new();
    for _ in 0..max_new_tokens.div_ceil(settings.block_size) {
        current.extend(vec![settings.mask_id; settings.block_size]);
        blocks.push(fill_block(model, &mut current, settings));
    }
    Text {
        ids: current[prompt.len()..].to_vec(),
        blocks,
    }
}

fn fill_block(
    model: &mut ScriptedModel,
    current: &mut [TokenId],
    settings: &Settings,
) -> Vec<Step> {
    let mut is_mask: Vec<bool> = current.iter().map(|&id| id == settings.mask_id).collect();
    let mut steps = Vec::new();
    for _ in 0..settings.block_size {
        if !is_mask.contains(&true) {
            break;
        }
        let (real, masks): (Vec<usize>, Vec<usize>) =
            (0..current.len()).partition(|&place| !is_mask[place]);
        let order = [real, masks.clone()].concat();
        let tokens: Vec<TokenId> = order.iter().map(|&place| current[place]).collect();
        let positions: Vec<u32> = order.iter().map(|&place| place as u32).collect();
        model.truncate(0);
        let logits = model.forward(&tokens, &positions, masks.len()).unwrap();
        let choices: Vec<(TokenId, f64)> = logits.rows().map(first_choice).collect();

        let mut chosen: Vec<usize> = (0..masks.len())
            .filter(|&k| {
                settings.confidence_threshold > 0.0 && choices[k].1 >= settings.confidence_threshold
            })
            .collect();
        if chosen.is_empty() {
            let surest = (1..masks.len()).fold(0, |best, k| {
                if choices[k].1 > choices[best].1 {
                    k
                } else {
                    best
                }
            });
            chosen.push(surest);
        }
        for &k in &chosen {
            current[masks[k]] = choices[k].0;
            is_mask[masks[k]] = false;
        }
        steps.push(Step {
            confidences: masks
                .iter()
                .zip(&choices)
                .map(|(&place, &(_, p_max))| (place as u32, p_max))
                .collect(),
            filled: chosen
                .iter()
                .map(|&k| (masks[k] as u32, choices[k].0))
                .collect(),
        });
    }
    steps
}

/// The first token of largest probability, and that probability.
fn first_choice(row: &[f32]) -> (TokenId, f64) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let token = row.iter().position(|&logit| logit == largest).unwrap();
    let sum: f64 = row
        .iter()
        .map(|&logit| (f64::from(logit) - f64::from(largest)).exp())
        .sum();
    (token as TokenId, 1.0 / sum)
}
