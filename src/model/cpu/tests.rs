use burn::module::Param;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::*;
use crate::model::arch::RopeScaling;
use crate::model::call::row_context;
use crate::model::device::Dtype;
use crate::model::panels::has_vectors;
use crate::model::transformer::{KvCache, Transformer};
use crate::train::init::{QkNorm, random_transformer};

const CAPACITY: usize = 50;

/// Widths that are no multiples of a vector, grouped heads, a layer that slides.
fn arch() -> Architecture {
    Architecture {
        model_type: "qwen3".into(),
        vocab_len: 70,
        hidden_len: 40,
        ffn_len: 50,
        n_layers: 2,
        n_heads: 6,
        n_kv_heads: 2,
        head_len: 10,
        context_len: CAPACITY,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Default,
        sliding_windows: vec![None, Some(6)],
        tied_head: true,
        eos_ids: vec![0],
        mask_id: None,
    }
}

/// Dense, with a head and biases.
fn model(norms: QkNorm) -> Transformer {
    let (arch, device) = (arch(), Device::flex());
    let mut model = random_transformer(&arch, norms, 5, &device);
    model.head = Some(Param::from_tensor(model.head()));
    for layer in &mut model.layers {
        let width = (arch.n_heads + 2 * arch.n_kv_heads) * arch.head_len;
        let bias: Vec<f32> = (0..width).map(|index| (index as f32).sin()).collect();
        let bias = Tensor::<1>::from_data(TensorData::new(bias, [width]), &device);
        layer.attention.qkv_bias = Some(Param::from_tensor(bias));
    }
    model
}

/// Tokens, and positions that stand still and run backwards, as those of a window decoder.
fn rows() -> (Vec<u32>, Vec<u32>) {
    let tokens = (0..40).map(|index| index * 37 % 70).collect();
    let positions = (0..40).map(|index| index - index % 7 / 2).collect();
    (tokens, positions)
}

#[test]
fn it_computes_what_tensors_compute() {
    if !has_vectors() {
        return;
    }
    let (arch, device) = (arch(), Device::flex());
    let rope = Rope::new(&arch);
    let (tokens, positions) = rows();
    for norms in [QkNorm::With, QkNorm::Without] {
        let dense = model(norms);
        let packed = CpuTransformer::of(&dense, &arch, Dtype::F32);
        let mut theirs = KvCache::new(&arch, CAPACITY, DType::F32, &device);
        let (mut ours, mut scratch) = (packed.cache(CAPACITY), Scratch::default());
        for piece in [0..9, 9..10, 10..13, 13..40] {
            let ids = tokens[piece.clone()].iter().map(|&id| id as i32);
            let ids = TensorData::new(ids.collect::<Vec<_>>(), [piece.len()]);
            let context = row_context(&rope, 1, &positions[piece.clone()], (&device, DType::F32));
            let ids = Tensor::<1, Int>::from_data(ids, &device);
            let hidden = dense.forward_cached(&arch, ids, &context, &mut theirs, piece.len());
            let expected = dense.logits(hidden).into_data();
            let new = NewRows {
                cache: &mut ours,
                tokens: &tokens[piece.clone()],
                positions: &positions[piece.clone()],
                n_logits: piece.len(),
            };
            let logits = packed.forward(&mut [new], &rope, &mut scratch);
            let expected = expected.as_slice::<f32>().unwrap();
            assert_eq!(logits.len(), expected.len());
            for (index, (a, b)) in logits.iter().zip(expected).enumerate() {
                assert!((a - b).abs() < 2e-6, "{piece:?}, {index}: {a} {b}");
            }
        }
        assert_eq!(ours.len(), 40);
    }
}

#[test]
fn a_sequence_has_the_same_bits_alone_among_others_and_in_pieces() {
    if !has_vectors() {
        return;
    }
    let arch = arch();
    let rope = Rope::new(&arch);
    let packed = CpuTransformer::of(&model(QkNorm::With), &arch, Dtype::F32);
    let mut scratch = Scratch::default();
    let (tokens, positions) = rows();
    let mut run = |caches: &mut [CpuCache], rows: &[(usize, usize)]| {
        let mut new: Vec<NewRows<'_>> = caches
            .iter_mut()
            .zip(rows)
            .map(|(cache, &(start, end))| NewRows {
                cache,
                tokens: &tokens[start..end],
                positions: &positions[start..end],
                n_logits: 1,
            })
            .collect();
        let logits = packed.forward(&mut new, &rope, &mut scratch);
        logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    let caches = |n: usize| -> Vec<CpuCache> { (0..n).map(|_| packed.cache(CAPACITY)).collect() };
    let alone = [
        run(&mut caches(1), &[(0, 20)]),
        run(&mut caches(1), &[(5, 9)]),
    ];
    let together = run(&mut caches(2), &[(0, 20), (5, 9)]);
    assert_eq!(together, alone.concat());
    let mut one = caches(1);
    run(&mut one, &[(0, 13)]);
    run(&mut one, &[(30, 35)]);
    one[0].truncate(13);
    assert_eq!(
        run(&mut one, &[(13, 20)]),
        alone[0],
        "rolled back and in pieces"
    );
}
