//! Do the tokens that a window decoder wrote stand up to an autoregressive model?
//!
//! One teacher-forced pass over the final text, outside of the timing: is each committed token the
//! model's first choice behind the tokens before it?

use crate::cmd::models::LoadedModels;
use crate::engine::session::{EngineError, Request};
use crate::engine::step::Generation;
use crate::model::lm::{LanguageModel, ModelError};
use crate::policy::sample::greedy;

/// One entry per committed token; None where nobody was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Is it the window model's own next-token choice?
    pub own: Option<Vec<bool>>,
    /// Is it the verifier's? Asked when the sweep names a verifier beside the window.
    pub verifier: Option<Vec<bool>>,
}

impl Agreement {
    /// Asks the window model and the verifier, as far as they are loaded.
    ///
    /// # Errors
    /// Those of the models.
    pub fn of(
        models: &mut LoadedModels,
        request: &Request<'_>,
        generation: &Generation,
    ) -> Result<Self, EngineError> {
        let ask = |lm: &mut dyn LanguageModel| agreed(lm, request, generation);
        let window = models.window.as_mut().map(|model| ask(&mut model.lm));
        let verifier = models.verifier.as_mut().map(|model| ask(&mut model.lm));
        Ok(Self {
            own: window.transpose()?,
            verifier: verifier.transpose()?,
        })
    }

    /// Committed tokens that are the window model's own choice.
    pub fn n_own(&self) -> Option<u64> {
        self.own.as_deref().map(n_true)
    }

    /// Committed tokens that are the verifier's choice.
    pub fn n_verifier(&self) -> Option<u64> {
        self.verifier.as_deref().map(n_true)
    }
}

fn n_true(flags: &[bool]) -> u64 {
    flags.iter().filter(|&&flag| flag).count() as u64
}

fn agreed(
    lm: &mut dyn LanguageModel,
    request: &Request<'_>,
    generation: &Generation,
) -> Result<Vec<bool>, ModelError> {
    let Some((_, fed)) = generation.ids.split_last() else {
        return Ok(Vec::new());
    };
    let text = [request.prompt, fed].concat();
    let positions: Vec<u32> = (0..text.len() as u32).collect();
    lm.truncate(0);
    let logits = lm.forward(&text, &positions, generation.ids.len())?;
    let choices = logits.rows().map(|row| greedy(row, request.mask_id));
    Ok(choices
        .zip(&generation.ids)
        .map(|(choice, &id)| choice == id)
        .collect())
}
