//! From gradients to updates.

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamWConfig, AdjustLrFn, ModuleOptimizer, MuonConfig};

use crate::config::train::{OptimizerSpec, ScheduleSpec};

/// Paths of the weights that Muon updates.
const LAYER_MATRICES: &str = r"(^|\.)(qkv|output|gate_up|down)(\.[A-Za-z0-9]+)*$";

/// The optimizer of a schedule, before its first step.
pub fn optimizer(schedule: &ScheduleSpec) -> ModuleOptimizer {
    let adamw = AdamWConfig::new()
        .with_beta_2(schedule.beta_2)
        .with_epsilon(1e-8)
        .with_weight_decay(schedule.weight_decay)
        .init();
    match schedule.optimizer {
        OptimizerSpec::Adamw => adamw,
        OptimizerSpec::Muon => {
            let muon = MuonConfig::new()
                .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
                .with_weight_decay(Some(WeightDecayConfig::new(schedule.weight_decay)))
                .build();
            let matrices = ParamGroup::from_regex(LAYER_MATRICES).expect("the pattern is valid");
            adamw.with_group(matrices, muon, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, ModuleVisitor, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Distribution, Tensor};

    use super::*;
    use crate::model::arch::Architecture;
    use crate::train::init::{QkNorm, random_transformer};

    const LEARNING_RATE: f64 = 0.01;

    fn schedule(optimizer: &str) -> ScheduleSpec {
        serde_yaml::from_str(&format!(
            "{{n_steps: 2, batch_len: 1, optimizer: {optimizer}, learning_rate: {LEARNING_RATE}, \
             final_learning_rate: 0, n_warmup_steps: 1, weight_decay: 0, checkpoint_every: 1}}"
        ))
        .unwrap()
    }

    /// Noise as the gradient of every weight.
    struct Noise(GradientsParams);

    impl ModuleVisitor for Noise {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().inner();
            let noise = value.random_like(Distribution::Normal(0.0, 1.0));
            self.0.register(param.id, noise);
        }
    }

    #[derive(Default)]
    struct Weights(Vec<Vec<f32>>);

    impl ModuleVisitor for Weights {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().into_data().try_to_vec().unwrap());
        }
    }

    /// Root mean square of the first update of every weight, in learning rates.
    fn updates(optimizer_name: &str) -> Vec<f64> {
        let text = r#"{"model_type": "qwen3", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
            "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
            "tie_word_embeddings": true, "eos_token_id": 0}"#;
        let arch = Architecture::from_json(text).unwrap();
        let device = Device::flex().autodiff();
        let model = random_transformer(&arch, QkNorm::With, 1, &device);
        let mut noise = Noise(GradientsParams::new());
        model.visit(&mut noise);
        let mut before = Weights::default();
        model.visit(&mut before);
        let model = optimizer(&schedule(optimizer_name)).step(LEARNING_RATE, model, noise.0);
        let mut after = Weights::default();
        model.visit(&mut after);
        let of_weight = |(before, after): (&Vec<f32>, &Vec<f32>)| {
            let squares = before
                .iter()
                .zip(after)
                .map(|(b, a)| f64::from(a - b).powi(2));
            (squares.sum::<f64>() / before.len() as f64).sqrt() / LEARNING_RATE
        };
        before.0.iter().zip(&after.0).map(of_weight).collect()
    }

    #[test]
    fn muon_updates_the_matrices_of_the_layers_and_adamw_the_rest() {
        // The first update of AdamW is the sign of the gradient. Muon's is orthogonal, so that n singular
        // values of about 1 are spread over n by m numbers, and scaled by 0.2 √max(n, m).
        let is_sign = |update: &f64| (update - 1.0).abs() < 1e-3;
        let is_orthogonal = |update: &f64| (0.1..0.3).contains(update);
        assert!(updates("adamw").iter().all(is_sign));
        let muon = updates("muon");
        assert_eq!(muon.iter().filter(|one| is_orthogonal(one)).count(), 2 * 4);
        // Embedding, final norm, and four norms a layer.
        assert_eq!(muon.iter().filter(|one| is_sign(one)).count(), 2 + 2 * 4);
    }
}
