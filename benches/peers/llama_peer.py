"""llama.cpp through its Python package: greedy generation, plain and with drafts of a fixed length."""

import sys
import time

import llama_cpp
import numpy

from protocol import serve

CONTEXT_LEN = 1024
verifier, drafter, threads, eos = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


class Model:
    """A model with its cache: feeds tokens, gives the greedy choice behind each."""

    def __init__(self, path: str):
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = CONTEXT_LEN
        context.n_batch = CONTEXT_LEN
        context.n_threads = threads
        context.n_threads_batch = threads
        context.no_perf = True
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocab_len = llama_cpp.llama_vocab_n_tokens(vocab)
        self.batch = llama_cpp.llama_batch_init(CONTEXT_LEN, 0, 1)
        self.len = 0

    def truncate(self, length: int) -> None:
        if length < self.len:
            memory = llama_cpp.llama_get_memory(self.context)
            llama_cpp.llama_memory_seq_rm(memory, 0, length, -1)
            self.len = length

    def feed(self, tokens: list[int], n_choices: int) -> list[int]:
        """The greedy choices behind the last `n_choices` tokens."""
        batch = self.batch
        batch.n_tokens = len(tokens)
        for row, token in enumerate(tokens):
            batch.token[row] = token
            batch.pos[row] = self.len + row
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = 0
            batch.logits[row] = row >= len(tokens) - n_choices
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        self.len += len(tokens)
        choices = []
        for row in range(len(tokens) - n_choices, len(tokens)):
            logits = llama_cpp.llama_get_logits_ith(self.context, row)
            choices.append(int(numpy.ctypeslib.as_array(logits, (self.vocab_len,)).argmax()))
        return choices


llama_cpp.llama_backend_init()
# Held as long as the program runs: the library keeps no reference.
quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(quiet, None)
model = Model(verifier)
assistant = Model(drafter)


def plain(ids: list[int], n: int) -> list[int]:
    model.truncate(0)
    out = model.feed(ids, 1)
    while len(out) < n and out[-1] != eos:
        out += model.feed(out[-1:], 1)
    return out


def drafted(ids: list[int], n: int, k: int) -> list[int]:
    """The usual loop: draft k, verify in one forward, keep what agrees and one token more."""
    model.truncate(0)
    assistant.truncate(0)
    out = model.feed(ids, 1)
    while len(out) < n and out[-1] != eos:
        text = ids + out
        draft = []
        feed = text[assistant.len :]
        while len(draft) < min(k, n - len(out) - 1):
            draft += assistant.feed(feed, 1)
            feed = draft[-1:]
            if draft[-1] == eos:
                break
        choices = model.feed(out[-1:] + draft, len(draft) + 1)
        accepted = 0
        while accepted < len(draft) and draft[accepted] == choices[accepted]:
            accepted += 1
        out += choices[: accepted + 1]
        if eos in out:
            out = out[: out.index(eos) + 1]
        text_len = len(text) + accepted
        model.truncate(text_len)
        assistant.truncate(min(assistant.len, text_len))
    return out[:n]


def generate(setting: dict, ids: list[int], n: int) -> list[int]:
    if setting["kind"] == "fixed":
        return drafted(ids, n, setting["k"])
    return plain(ids, n)


def prefill(ids: list[int]) -> float:
    model.truncate(0)
    start = time.perf_counter()
    model.feed(ids, 1)
    return time.perf_counter() - start


serve(generate, prefill)
