"""Writes a checkpoint of Qwen2.5-0.5B's shape with random weights in f16, and a drafter for it.

    target/peers/bin/python benches/peers/shaped.py target/shaped target/shaped-drafter
    target/peers/bin/python benches/peers/run.py --verifier target/shaped --drafter target/shaped-drafter

The drafter is the first two layers of the other one, whose further layers add little, so that the two
often agree: 166 M of 494 M weights, most of them the embeddings. The tokenizer is that of
`models/verifier`. Rows of the vocabulary beyond its entries are zero, so that no engine draws them: their
logits are 0, and the largest of a thousand others is above.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
from safetensors.numpy import save_file

ROOT = Path(__file__).parent.parent.parent
HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD_LEN, VOCAB = 896, 4864, 24, 14, 2, 64, 151_936


# Layers of the drafter, and how loud the others are.
DRAFTER_LAYERS, LOUDNESS = 2, 0.1


def write(folder: Path, n_layers: int, tensors: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = ROOT / "models/verifier"
    for file in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(source / file, folder)
    eos = json.loads((source / "config.json").read_text())["eos_token_id"]
    config = {
        "model_type": "qwen2",
        "hidden_size": HIDDEN,
        "intermediate_size": FFN,
        "num_hidden_layers": n_layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": VOCAB,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
        "eos_token_id": eos,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def main() -> None:
    random = numpy.random.default_rng(17)
    entries = json.loads((ROOT / "models/verifier/tokenizer.json").read_text())
    n_entries = len(entries["model"]["vocab"]) + len(entries.get("added_tokens", []))

    def noise(*shape: int) -> numpy.ndarray:
        return (0.02 * random.standard_normal(shape, dtype=numpy.float32)).astype(numpy.float16)

    embedding = numpy.zeros((VOCAB, HIDDEN), numpy.float16)
    embedding[:n_entries] = noise(n_entries, HIDDEN)
    tensors = {
        "model.embed_tokens.weight": embedding,
        "model.norm.weight": numpy.ones(HIDDEN, numpy.float16),
    }
    for layer in range(LAYERS):
        if layer == DRAFTER_LAYERS and len(sys.argv) > 2:
            write(Path(sys.argv[2]), DRAFTER_LAYERS, tensors)
        shapes = {
            "self_attn.q_proj": (HEADS * HEAD_LEN, HIDDEN),
            "self_attn.k_proj": (KV_HEADS * HEAD_LEN, HIDDEN),
            "self_attn.v_proj": (KV_HEADS * HEAD_LEN, HIDDEN),
            "self_attn.o_proj": (HIDDEN, HEADS * HEAD_LEN),
            "mlp.gate_proj": (FFN, HIDDEN),
            "mlp.up_proj": (FFN, HIDDEN),
            "mlp.down_proj": (HIDDEN, FFN),
        }
        for name, shape in shapes.items():
            weights = noise(*shape)
            if layer >= DRAFTER_LAYERS and name in ("self_attn.o_proj", "mlp.down_proj"):
                weights = (LOUDNESS * weights).astype(numpy.float16)
            tensors[f"model.layers.{layer}.{name}.weight"] = weights
            if name[-6] in "qkv":
                tensors[f"model.layers.{layer}.{name}.bias"] = noise(shape[0])
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{name}.weight"] = numpy.ones(HIDDEN, numpy.float16)
    write(Path(sys.argv[1]), LAYERS, tensors)


if __name__ == "__main__":
    main()
