"""PyTorch transformers: greedy generation, plain and assisted. Answers requests on standard input."""

import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from transformers import AutoModelForCausalLM

from protocol import serve

verifier, drafter, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
torch.set_num_interop_threads(1)
torch.set_grad_enabled(False)
model = AutoModelForCausalLM.from_pretrained(verifier, dtype=torch.float32)
assistant = AutoModelForCausalLM.from_pretrained(drafter, dtype=torch.float32)


def generate(setting: dict, ids: list[int], n: int) -> list[int]:
    extra = {}
    if setting["kind"] == "fixed":
        extra["assistant_model"] = assistant
        config = assistant.generation_config
        config.num_assistant_tokens = setting["k"]
        config.num_assistant_tokens_schedule = "constant"
        config.assistant_confidence_threshold = 0.0
    elif setting["kind"] == "confidence":
        extra["assistant_model"] = assistant
        config = assistant.generation_config
        config.num_assistant_tokens = setting["k"]
        config.num_assistant_tokens_schedule = "constant"
        config.assistant_confidence_threshold = setting["threshold"]
    prompt = torch.tensor([ids])
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=n,
        do_sample=False,
        pad_token_id=0,
        **extra,
    )
    return out[0, len(ids) :].tolist()


def prefill(ids: list[int]) -> float:
    prompt = torch.tensor([ids])
    start = time.perf_counter()
    model(prompt, logits_to_keep=1)
    return time.perf_counter() - start


serve(generate, prefill)
