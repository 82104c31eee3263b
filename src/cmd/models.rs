//! The models of a pair or a window decoder, loaded.

use std::collections::BTreeMap;

use crate::analysis::flops::{ModelShape, Shapes};
use crate::cmd::Failure;
use crate::config::decoder::DecoderSpec;
use crate::config::models::Role;
use crate::engine::session::{BatchedModels, EngineError, Models};
use crate::engine::shared::SharedForwards;
use crate::model::batched_lm::BatchedLm;
use crate::model::burn_lm::BurnLm;
use crate::model::lm::{BatchedLanguageModel, LanguageModel, TokenId};
use crate::model::loaded::{LoadedModel, Placement};
use crate::model::threads::{have_cores, with_all_awake};
use crate::model::tokenizer::{Tokenizer, TokenizerMismatch};

/// Names of the models that are needed; `verifier` may be absent for a lone window decoder.
#[derive(Debug, Clone, Default)]
pub struct ModelNames {
    pub verifier: Option<String>,
    pub drafter: Option<String>,
    pub window: Option<String>,
}

impl ModelNames {
    /// What is named, the verifier first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [&self.verifier, &self.drafter, &self.window]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// Rows that bring the weights of a model into the caches.
const N_WARM_UP_ROWS: usize = 8;

/// Models that share one tokenizer.
#[derive(Debug)]
pub struct LoadedModels {
    pub verifier: Option<LoadedModel>,
    pub drafter: Option<LoadedModel>,
    pub window: Option<LoadedModel>,
    /// The pair with caches for several prompts, by how many.
    batched: BTreeMap<usize, BatchedPair>,
    /// The window model once more, for decoders that share its forwards.
    shared: Option<SharedForwards<BurnLm>>,
}

#[derive(Debug)]
struct BatchedPair {
    verifier: Option<BatchedLm>,
    drafter: Option<BatchedLm>,
}

fn shape(model: &Option<LoadedModel>) -> Option<ModelShape> {
    let model = model.as_ref()?;
    Some(ModelShape {
        n_parameters: model.lm.n_parameters() as u64,
        attention_width: model.attention_width as u64,
    })
}

impl LoadedModels {
    /// Loads what is named and compares the tokenizers.
    ///
    /// # Errors
    /// When a model cannot be loaded or two tokenizers differ.
    pub fn open(
        names: &ModelNames,
        placement: impl Fn(Role) -> Placement,
    ) -> Result<Self, Failure> {
        let open = |name: &Option<String>, role| {
            name.as_deref()
                .map(|name| LoadedModel::open(name, placement(role)))
                .transpose()
        };
        let models = Self {
            verifier: open(&names.verifier, Role::Verifier)?,
            drafter: open(&names.drafter, Role::Drafter)?,
            window: open(&names.window, Role::Window)?,
            batched: BTreeMap::new(),
            shared: None,
        };
        models.must_share_a_tokenizer()?;
        Ok(models)
    }

    fn must_share_a_tokenizer(&self) -> Result<(), TokenizerMismatch> {
        let loaded: Vec<_> = self.all().map(|(_, model)| model).collect();
        loaded.windows(2).try_for_each(|pair| {
            pair[0]
                .tokenizer
                .must_equal(&pair[1].tokenizer, &pair[0].name, &pair[1].name)
        })
    }

    /// Roles and models that are loaded.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &LoadedModel)> {
        [
            ("verifier", &self.verifier),
            ("drafter", &self.drafter),
            ("window", &self.window),
        ]
        .into_iter()
        .filter_map(|(role, model)| Some((role, model.as_ref()?)))
    }

    /// Models that are loaded, in the same order.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut LoadedModel> {
        [&mut self.verifier, &mut self.drafter, &mut self.window]
            .into_iter()
            .flatten()
    }

    /// The tokenizer that all share.
    ///
    /// # Panics
    /// When no model is loaded.
    pub fn tokenizer(&self) -> &Tokenizer {
        let (_, model) = self.all().next().expect("a model is loaded");
        &model.tokenizer
    }

    /// End-of-text ids of all models.
    pub fn stop_ids(&self) -> Vec<TokenId> {
        let mut ids: Vec<TokenId> = self
            .all()
            .flat_map(|(_, model)| model.eos_ids.clone())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The window model's mask, else that of any other: it is no token of a text.
    pub fn mask_id(&self) -> Option<TokenId> {
        let window = self.window.as_ref().and_then(|model| model.mask_id);
        window.or_else(|| self.all().find_map(|(_, model)| model.mask_id))
    }

    /// What a row costs in the models that this decoder uses; none when one of them is not loaded.
    pub fn shapes(&self, decoder: &DecoderSpec) -> Option<Shapes> {
        let (verifier, drafter) = match decoder {
            DecoderSpec::Autoregressive { .. } => (shape(&self.verifier)?, None),
            DecoderSpec::Speculative { .. } => return self.pair_shapes(),
            DecoderSpec::Window { .. } => (shape(&self.window)?, None),
            DecoderSpec::WindowDraft { .. } => (shape(&self.verifier)?, Some(shape(&self.window)?)),
        };
        Some(Shapes { verifier, drafter })
    }

    /// What a row costs in verifier and drafter; none when one of them is not loaded.
    pub fn pair_shapes(&self) -> Option<Shapes> {
        Some(Shapes {
            verifier: shape(&self.verifier)?,
            drafter: Some(shape(&self.drafter)?),
        })
    }

    /// Drafter and verifier.
    ///
    /// # Errors
    /// When one of them is not loaded.
    pub fn pair(&mut self) -> Result<(&mut LoadedModel, &mut LoadedModel), EngineError> {
        let missing = |role| EngineError::MissingModel { role };
        let drafter = self.drafter.as_mut().ok_or(missing("drafter"))?;
        let verifier = self.verifier.as_mut().ok_or(missing("verifier"))?;
        Ok((drafter, verifier))
    }

    /// Gives the pair caches for `batch_size` prompts at a time, beside those that it has. The weights
    /// are shared.
    pub fn open_batch(&mut self, batch_size: usize) {
        let batched = |model: &Option<LoadedModel>| {
            let model = model.as_ref()?;
            Some(model.lm.batched(batch_size))
        };
        let pair = BatchedPair {
            verifier: batched(&self.verifier),
            drafter: batched(&self.drafter),
        };
        self.batched.insert(batch_size, pair);
    }

    /// The pair for `batch_size` prompts at a time; no models unless
    /// [`open_batch`](Self::open_batch) made them.
    pub fn borrow_batch(&mut self, batch_size: usize) -> BatchedModels<'_> {
        fn lm(model: &mut Option<BatchedLm>) -> Option<&mut dyn BatchedLanguageModel> {
            model
                .as_mut()
                .map(|model| model as &mut dyn BatchedLanguageModel)
        }
        match self.batched.get_mut(&batch_size) {
            Some(pair) => BatchedModels {
                verifier: lm(&mut pair.verifier),
                drafter: lm(&mut pair.drafter),
            },
            None => BatchedModels::default(),
        }
    }

    /// Lets window decoders share forwards. They get a cache of their own beside that of the window
    /// model, which others use between two decoders.
    pub fn open_sharing(&mut self) {
        let window = self.window.as_ref();
        self.shared = window.map(|model| SharedForwards::new(model.lm.twin()));
    }

    /// The window model for decoders that share forwards; none unless
    /// [`open_sharing`](Self::open_sharing) made it.
    pub fn sharing(&mut self) -> Option<&mut SharedForwards<BurnLm>> {
        self.shared.as_mut()
    }

    /// Forgets the forwards of the last prompt.
    pub fn forget_shared(&mut self) {
        if let Some(forwards) = &mut self.shared {
            forwards.forget();
        }
    }

    /// Runs `work`, for which the threads of the CPU stay awake if forwards are shared among them. What
    /// is timed is timed here, so that one decoder finds them as another does.
    pub fn awake<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let is_shared = self.all().any(|(_, model)| model.lm.uses_threads());
        with_all_awake(is_shared && have_cores(), || work(self))
    }

    /// Lets the models that a decoder uses read a few tokens, outside of any timing. Whatever ran before
    /// has pushed their weights out of the caches; a generation in a stretch of its own kind finds them there.
    pub fn warm_up(&mut self, decoder: &DecoderSpec, prompt: &[TokenId]) {
        let head = &prompt[..prompt.len().min(N_WARM_UP_ROWS)];
        let positions: Vec<u32> = (0..head.len() as u32).collect();
        let Models {
            verifier,
            drafter,
            window,
        } = self.borrow();
        let roles = decoder.roles();
        let by_role = [
            (Role::Verifier, verifier),
            (Role::Drafter, drafter),
            (Role::Window, window),
        ];
        let used = by_role.into_iter().filter(|(role, _)| roles.contains(role));
        for lm in used.filter_map(|(_, lm)| lm) {
            lm.truncate(0);
            if !head.is_empty() {
                // A model that fails fails again in the generation, which tells the user.
                let _ = lm.forward(head, &positions, 1);
            }
            lm.truncate(0);
        }
    }

    /// The models as decoders take them.
    pub fn borrow(&mut self) -> Models<'_> {
        fn lm(model: &mut Option<LoadedModel>) -> Option<&mut dyn LanguageModel> {
            model
                .as_mut()
                .map(|model| &mut model.lm as &mut dyn LanguageModel)
        }
        Models {
            verifier: lm(&mut self.verifier),
            drafter: lm(&mut self.drafter),
            window: lm(&mut self.window),
        }
    }
}
