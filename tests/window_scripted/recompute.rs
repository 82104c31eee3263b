//! The same procedures without a cache: every forward starts from nothing and feeds everything.
//!
//! A transcription of the reference's loop that shares no bookkeeping with the decoder, so that a
//! wrong cache row, position id or order in either shows as another text.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wedlm_bench::config::decoder::WindowVariant;
use wedlm_bench::engine::session::Request;
use wedlm_bench::model::lm::{LanguageModel, TokenId};
use wedlm_bench::model::scripted::ScriptedModel;
use wedlm_bench::policy::entropy::{EntropyRule, RowStats};
use wedlm_bench::policy::sample;

pub struct Settings {
    pub variant: WindowVariant,
    pub window_size: usize,
    pub threshold: Option<f64>,
    pub pos_penalty: f64,
}

#[derive(Debug, PartialEq)]
pub struct Trace {
    pub ids: Vec<TokenId>,
    pub n_forwards: usize,
    pub filled: Vec<(u32, TokenId)>,
}

struct Recomputation<'a> {
    model: &'a mut ScriptedModel,
    request: &'a Request<'a>,
    settings: &'a Settings,
    mask_id: TokenId,
    forbidden: Option<TokenId>,
    draws: ChaCha8Rng,
}

pub fn recompute(
    model: &mut ScriptedModel,
    request: &Request<'_>,
    settings: &Settings,
    mask_id: TokenId,
) -> Trace {
    let is_notebook = settings.variant == WindowVariant::Notebook;
    let mut recomputation = Recomputation {
        model,
        request,
        settings,
        mask_id,
        forbidden: (!is_notebook).then_some(mask_id),
        draws: ChaCha8Rng::seed_from_u64(request.seed),
    };
    if is_notebook {
        recomputation.notebook()
    } else {
        recomputation.stream()
    }
}

impl Recomputation<'_> {
    fn stream(&mut self) -> Trace {
        let Settings {
            variant,
            window_size,
            ..
        } = *self.settings;
        let mut text = self.request.prompt.to_vec();
        let mut window: Vec<Option<TokenId>> = vec![None; window_size];
        let (mut n_forwards, mut filled) = (0, Vec::new());
        loop {
            let leading = window.iter().take_while(|slot| slot.is_some()).count();
            if variant == WindowVariant::Engine {
                window.extend(vec![None; leading]);
            }
            if variant == WindowVariant::Block && leading == window.len() {
                window.extend(vec![None; window_size]);
            }
            let (real, masks): (Vec<usize>, Vec<usize>) =
                (0..window.len()).partition(|&slot| window[slot].is_some());
            let mut tokens = text.clone();
            let mut positions: Vec<u32> = (0..text.len() as u32).collect();
            for &slot in real.iter().chain(&masks) {
                tokens.push(window[slot].unwrap_or(self.mask_id));
                positions.push((text.len() + slot) as u32);
            }
            let rows = self.rows(&tokens, &positions);
            n_forwards += 1;
            for slot in window.drain(..leading).flatten() {
                text.push(slot);
                if self.is_over(&text) {
                    return self.trace(text, n_forwards, filled);
                }
            }
            let first_mask_row = rows.len() - masks.len();
            let masks: Vec<usize> = masks.iter().map(|slot| slot - leading).collect();
            for (slot, token) in self.choose(&masks, &rows[first_mask_row..]) {
                window[slot] = Some(token);
                filled.push(((text.len() + slot) as u32, token));
            }
            if variant == WindowVariant::Paper {
                window.extend(vec![None; leading]);
            }
        }
    }

    fn notebook(&mut self) -> Trace {
        let mut text = self.request.prompt.to_vec();
        let mut window: Vec<Option<TokenId>> = vec![None; self.settings.window_size];
        let (mut n_forwards, mut filled) = (0, Vec::new());
        loop {
            let mut tokens = text.clone();
            tokens.extend(window.iter().map(|slot| slot.unwrap_or(self.mask_id)));
            let positions: Vec<u32> = (0..tokens.len() as u32).collect();
            let rows = self.rows(&tokens, &positions);
            n_forwards += 1;
            let masks: Vec<usize> = (0..window.len())
                .filter(|&slot| window[slot].is_none())
                .collect();
            let before: Vec<Vec<f32>> = masks
                .iter()
                .map(|slot| rows[text.len() + slot - 1].clone())
                .collect();
            for (slot, token) in self.choose(&masks, &before) {
                window[slot] = Some(token);
                filled.push(((text.len() + slot) as u32, token));
            }
            let leading = window.iter().take_while(|slot| slot.is_some()).count();
            let n_committed = leading.max(1);
            window.extend(vec![None; n_committed]);
            for slot in window.drain(..n_committed) {
                text.push(slot.unwrap_or(self.mask_id));
                if self.is_over(&text) {
                    return self.trace(text, n_forwards, filled);
                }
            }
        }
    }

    fn rows(&mut self, tokens: &[TokenId], positions: &[u32]) -> Vec<Vec<f32>> {
        self.model.truncate(0);
        let logits = self.model.forward(tokens, positions, tokens.len()).unwrap();
        logits.rows().map(<[f32]>::to_vec).collect()
    }

    fn is_over(&self, text: &[TokenId]) -> bool {
        let n_new = text.len() - self.request.prompt.len();
        n_new == self.request.max_new_tokens
            || self.request.stop_ids.contains(&text[text.len() - 1])
    }

    fn trace(&self, text: Vec<TokenId>, n_forwards: usize, filled: Vec<(u32, TokenId)>) -> Trace {
        Trace {
            ids: text[self.request.prompt.len()..].to_vec(),
            n_forwards,
            filled,
        }
    }

    /// Slots to fill and their tokens; one draw per row above temperature 0.
    fn choose(&mut self, slots: &[usize], rows: &[Vec<f32>]) -> Vec<(usize, TokenId)> {
        let sampling = self.request.sampling;
        let tokens: Vec<TokenId> = rows
            .iter()
            .map(|row| {
                if sampling.temperature == 0.0 {
                    return sample::greedy(row, self.forbidden);
                }
                let weights = sample::distribution(row, &sampling, self.forbidden);
                sample::draw(&weights, self.draws.random()) as TokenId
            })
            .collect();
        let scores: Vec<f64> = slots
            .iter()
            .zip(rows)
            .map(|(slot, row)| {
                let stats = RowStats::read(row, &[EntropyRule::default()]);
                stats.entropies[0] + self.settings.pos_penalty * (slot - slots[0]) as f64
            })
            .collect();
        let mut picked: Vec<usize> = (0..slots.len())
            .filter(|&k| self.settings.threshold.is_some_and(|tau| scores[k] < tau))
            .collect();
        if picked.is_empty() {
            let best = (0..slots.len()).min_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            picked.extend(best);
        }
        picked.iter().map(|&k| (slots[k], tokens[k])).collect()
    }
}
