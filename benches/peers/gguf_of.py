"""Writes the weights of a Qwen2- or Qwen3-shaped Hugging Face folder as GGUF, without a tokenizer."""

import json
from pathlib import Path

import gguf
import numpy

NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
OTHERS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def tensors(file: Path) -> dict[str, numpy.ndarray]:
    """In f32. Without PyTorch, which transformers needs anyway, bf16 cannot be read."""
    try:
        from safetensors.torch import load_file
    except ImportError:
        from safetensors.numpy import load_file

        return {name: tensor.astype(numpy.float32) for name, tensor in load_file(file).items()}
    return {name: tensor.float().numpy() for name, tensor in load_file(file).items()}


def gguf_name(name: str) -> str:
    if name in OTHERS:
        return OTHERS[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}"


def write(folder: Path, place: Path, dtype: str) -> None:
    """`dtype` is f32 or f16; vectors stay f32, as llama.cpp wants them."""
    config = json.loads((folder / "config.json").read_text())
    head_len = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    writer = gguf.GGUFWriter(place, config["model_type"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_len)
    writer.add_value_length(head_len)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    for file in sorted(folder.glob("*.safetensors")):
        for name, tensor in tensors(file).items():
            is_vector = tensor.ndim == 1
            kind = numpy.float32 if is_vector or dtype == "f32" else numpy.float16
            writer.add_tensor(gguf_name(name), tensor.astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
