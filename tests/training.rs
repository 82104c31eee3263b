//! Gradients are right, a resumed training equals an unbroken one, and what is exported reads back.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wedlm_bench::config::train::{InitSpec, ModelType, ObjectiveSpec, OptimizerSpec, TrainSpec};
use wedlm_bench::model::arch::{Architecture, RopeScaling};
use wedlm_bench::model::burn_lm::{BurnLm, LoadOptions};
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::device::Dtype;
use wedlm_bench::model::lm::LanguageModel;
use wedlm_bench::model::transformer::Transformer;
use wedlm_bench::train::corpus::Document;
use wedlm_bench::train::gradient::batch_loss;
use wedlm_bench::train::init::{QkNorm, random_transformer};
use wedlm_bench::train::objective::{self, SpecialIds};
use wedlm_bench::train::trainer::{TrainError, train};

fn architecture() -> Architecture {
    Architecture {
        model_type: "qwen3".into(),
        vocab_len: 24,
        hidden_len: 16,
        ffn_len: 24,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        head_len: 4,
        context_len: 64,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Default,
        sliding_windows: vec![None; 2],
        tied_head: true,
        eos_ids: vec![0],
        mask_id: Some(1),
    }
}

fn documents() -> Vec<Document> {
    vec![
        Document {
            ids: vec![5, 9, 3, 17, 22, 8, 4, 11],
            prompt_len: 3,
        },
        Document {
            ids: vec![6, 2, 19, 20, 7],
            prompt_len: 2,
        },
    ]
}

const SPECIAL: SpecialIds = SpecialIds { end: 0, mask: 1 };

/// Adds a value to one element of every parameter tensor in turn: the `target`-th.
struct Nudge {
    target: usize,
    seen: usize,
    element: usize,
    by: f32,
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_target = self.seen == self.target;
        self.seen += 1;
        if !is_target {
            return param;
        }
        let (element, by) = (self.element, self.by);
        param.map(|tensor| {
            let device = tensor.device();
            let dims = tensor.dims();
            let mut values = tensor.into_data().try_into_vec::<f32>().unwrap();
            let place = element % values.len();
            values[place] += by;
            Tensor::from_data(TensorData::new(values, dims), &device)
        })
    }
}

struct Gradients<'a> {
    gradients: &'a burn::optim::GradientsParams,
    values: Vec<Vec<f32>>,
}

impl ModuleVisitor for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self
            .gradients
            .get::<D>(param.id)
            .expect("every weight has a gradient");
        self.values
            .push(gradient.into_data().try_into_vec::<f32>().unwrap());
    }
}

#[test]
fn gradients_equal_finite_differences_for_both_objectives() {
    let arch = architecture();
    let objectives = [
        ObjectiveSpec::Autoregressive { prompt_weight: 0.3 },
        ObjectiveSpec::Wedlm {
            block_lens: vec![4, 3],
            min_mask_ratio: 0.0,
            n_end_tokens: 2,
            autoregressive_weight: 1.0,
        },
    ];
    for objective in objectives {
        let device = Device::flex().autodiff();
        let batch = objective::batch(
            &objective,
            &documents(),
            SPECIAL,
            &mut ChaCha8Rng::seed_from_u64(5),
        );
        let model = random_transformer(&arch, QkNorm::With, 3, &device);
        // Weights of deviation 0.02 give gradients too small to difference in f32; 10 × them.
        let model = enlarge(model);
        let loss = batch_loss(&model, &arch, &batch, &device);
        let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &model);
        let mut visitor = Gradients {
            gradients: &gradients,
            values: Vec::new(),
        };
        model.visit(&mut visitor);
        let plain = Device::flex();
        let at = |target: usize, element: usize, by: f32| -> f64 {
            let mut nudge = Nudge {
                target,
                seen: 0,
                element,
                by,
            };
            let nudged = model.valid().map(&mut nudge);
            f64::from(batch_loss(&nudged, &arch, &batch, &plain).into_scalar::<f32>())
        };
        let mut n_checked = 0;
        for (target, gradient) in visitor.values.iter().enumerate() {
            // The element with the largest gradient, and another one.
            let largest = (0..gradient.len())
                .max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()))
                .unwrap();
            for element in [largest, gradient.len() / 3] {
                let step = 2e-3;
                let numeric = (at(target, element, step) - at(target, element, -step))
                    / (2.0 * f64::from(step));
                let exact = f64::from(gradient[element]);
                let error = (numeric - exact).abs();
                assert!(
                    error < 2e-3 + 0.03 * exact.abs(),
                    "{objective:?} tensor {target} element {element}: {exact}, by differences {numeric}"
                );
                n_checked += 1;
            }
        }
        assert_eq!(n_checked, 2 * visitor.values.len());
        assert!(
            visitor.values.len() >= 2 + 2 * 8,
            "embedding, final norm, eight tensors a layer"
        );
    }
}

struct Scale(f32);

impl ModuleMapper for Scale {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let factor = if D == 1 { 1.0 } else { self.0 };
        param.map(|tensor| {
            let scaled = tensor.clone().inner().mul_scalar(factor);
            Tensor::from_inner(scaled).require_grad()
        })
    }
}

fn enlarge(model: Transformer) -> Transformer {
    model.map(&mut Scale(10.0))
}

fn spec(out: &Path, extra: &str) -> TrainSpec {
    let text = format!(
        "name: tiny
out: {}
tokenizer: {{kind: train, vocab_len: 300, n_documents: 50}}
init: {{kind: random, hidden_len: 16, ffn_len: 24, n_layers: 1, n_heads: 2, n_kv_heads: 1, head_len: 8, context_len: 512}}
data: {{source: 'synthetic:gsm8k', seed: 1}}
objective: {{kind: autoregressive, prompt_weight: 0.1}}
schedule: {{n_steps: 6, batch_len: 4, learning_rate: 1.0e-2, final_learning_rate: 1.0e-3, n_warmup_steps: 2, checkpoint_every: 2}}
workers: 2
seed: 3
{extra}",
        out.display()
    );
    let path = out.with_extension("yaml");
    fs::write(&path, text).unwrap();
    TrainSpec::load(&path).unwrap()
}

/// Each step sees all kinds of documents, in micro-batches whose number is none of the workers'.
fn with_muon(mut spec: TrainSpec) -> TrainSpec {
    spec.data.n_pooled_batches = 1;
    spec.schedule.optimizer = OptimizerSpec::Muon;
    spec.schedule.micro_batch_len = Some(1);
    spec
}

#[test]
fn a_resumed_training_ends_with_the_weights_of_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| spec(&folder.path().join(name), "");
    is_resumed(&at("whole"), &at("broken"));
    is_resumed(&with_muon(at("whole-muon")), &with_muon(at("broken-muon")));
}

fn is_resumed(whole: &TrainSpec, broken: &TrainSpec) {
    let go_on = AtomicBool::new(false);
    train(whole, &go_on, &mut |_| ()).unwrap();

    // Stopped within steps 1 and 5, which are no checkpoints, and at the report of step 4.
    let mut steps = Vec::new();
    for step in [1, 4, 5] {
        let stop = AtomicBool::new(step != 4);
        let interruption = train(broken, &stop, &mut |progress| {
            steps.push(progress.step);
            stop.fetch_or(progress.step == step, Ordering::Relaxed);
        });
        match interruption {
            Err(TrainError::Interrupted { step: at }) => assert_eq!(at, step),
            other => panic!("not interrupted at step {step}: {other:?}"),
        }
    }
    train(broken, &go_on, &mut |progress| steps.push(progress.step)).unwrap();
    assert_eq!(steps, [1, 2, 4, 5, 6]);

    let weights = |spec: &TrainSpec| fs::read(spec.out.join("model.safetensors")).unwrap();
    assert_eq!(weights(whole), weights(broken));
}

#[test]
fn an_exported_checkpoint_decodes_as_the_weights_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (name, model_type) in [("qwen3", ModelType::Qwen3), ("llama", ModelType::Llama)] {
        let mut spec = spec(&folder.path().join(name), "");
        let InitSpec::Random { model_type: of, .. } = &mut spec.init else {
            panic!("the weights are random at first");
        };
        *of = model_type;
        train(&spec, &AtomicBool::new(false), &mut |_| ()).unwrap();
        let checkpoint = Checkpoint::open(spec.out.to_str().unwrap()).unwrap();
        assert_eq!(checkpoint.arch.model_type, name);
        assert_eq!(checkpoint.arch.mask_id, Some(1));
        assert_eq!(checkpoint.eos_ids, [0]);
        let options = LoadOptions {
            device: Device::flex(),
            dtype: Dtype::F32,
            context_len: 64,
            n_drawable: usize::MAX,
        };
        let mut model = BurnLm::load(&checkpoint, &options).unwrap();
        let logits = model.forward(&[5, 6, 7], &[0, 1, 2], 3).unwrap();
        assert_eq!(logits.n_rows(), 3);
        assert!(logits.rows().flatten().all(|value| value.is_finite()));
    }
}

#[test]
fn a_training_folder_of_another_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(&folder.path().join("model"), "");
    train(&spec, &AtomicBool::new(false), &mut |_| ()).unwrap();
    spec.seed = 4;
    let error = train(&spec, &AtomicBool::new(false), &mut |_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("another configuration"), "{error}");
}
