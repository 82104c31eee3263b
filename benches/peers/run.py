"""Times wedlm-bench and its peers on the same weights and prompts, in one run, interleaved.

    python -m venv target/peers && target/peers/bin/pip install -r benches/peers/requirements.txt
    cargo build --release
    target/peers/bin/python benches/peers/run.py

Each round asks every engine in turn, the first one rotated, for the same prompts; an engine decodes the
first prompt once more before its times count. Reported are medians over rounds of the seconds for all
prompts, with the least and the most, and ratios of medians. Texts are compared with ours.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy
from tokenizers import Tokenizer

import gguf_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OURS = "wedlm-bench"
PEERS = ["transformers", "llama.cpp"]
SEED = 17
SPECULATIVE = [4, 6, 8, 10]
CONFIDENCE = {"kind": "confidence", "k": 10, "threshold": 0.4}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/wedlm-bench")
    parser.add_argument("--verifier", type=Path, default=ROOT / "models/verifier")
    parser.add_argument("--drafter", type=Path, default=ROOT / "models/drafter-10")
    parser.add_argument("--window", type=Path, help="a folder; left out: no window decoding")
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, default=PEERS, help="those to compare with"
    )
    parser.add_argument("--candle", type=Path, help="the program of benches/peers/candle")
    parser.add_argument(
        "--dtypes", nargs="+", choices=["f32", "f16", "bf16"], default=["f32"], help="of our weights"
    )
    parser.add_argument(
        "--no-drafting", action="store_true", help="prefill and autoregressive decoding alone"
    )
    parser.add_argument("--source", default="synthetic:gsm8k", help="synthetic:FAMILY")
    parser.add_argument("--n-prompts", type=int, default=10)
    parser.add_argument("--max-new-tokens", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=Path("peers.json"))
    return parser.parse_args()


def settings_of(engine: str, options) -> list[dict]:
    alone = [{"kind": "prefill"}, {"kind": "autoregressive"}]
    if options.no_drafting:
        return alone
    speculative = [{"kind": "fixed", "k": k} for k in SPECULATIVE]
    by_engine = {
        "transformers": [*speculative, CONFIDENCE],
        "llama.cpp f32": speculative,
        "llama.cpp f16": speculative,
        "candle": [],
    }
    return [*alone, *by_engine[engine]]


def name_of(setting: dict) -> str:
    return f"fixed k = {setting['k']}" if setting["kind"] == "fixed" else setting["kind"]


class Peer:
    """A process that answers requests; it waits, without using a processor, while others are asked."""

    def __init__(self, name: str, command: list, threads: int, options):
        self.name, self.threads = name, threads
        self.settings = settings_of(name, options)
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "RAYON_NUM_THREADS": str(threads),
        }
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.read()

    def read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name}: ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, setting: dict, ids: list[int], n: int) -> dict:
        print(json.dumps({**setting, "ids": ids, "n": n}), file=self.process.stdin, flush=True)
        return self.read()

    def round(self, prompts: list[list[int]], n: int) -> list[dict]:
        rows = []
        for setting in self.settings:
            self.ask(setting, prompts[0], n)
            answers = [self.ask(setting, ids, n) for ids in prompts]
            rows.append(
                {
                    "engine": self.name,
                    "threads": self.threads,
                    "setting": name_of(setting),
                    "seconds": sum(answer["seconds"] for answer in answers),
                    "n_tokens": sum(len(answer["ids"]) for answer in answers),
                    "ids": [answer["ids"] for answer in answers],
                }
            )
        return rows

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """One sweep a round; its journal holds the times."""

    def __init__(self, options, threads: int, folder: Path, dtype: str):
        self.options, self.threads = options, threads
        self.name = OURS if dtype == "f32" else f"{OURS} {dtype}"
        models = [f'verifier: "{options.verifier}"']
        # Every sweep times its baseline; a sweep needs an entry.
        decoders = ["  - {name: autoregressive, kind: autoregressive}"]
        self.settings = ["autoregressive"]
        if not options.no_drafting:
            models.append(f'drafter: "{options.drafter}"')
            decoders += [
                "  - {name: fixed, kind: speculative, stop: {kind: fixed}, "
                f"grid: {{max_draft_len: {SPECULATIVE}}}}}",
                "  - {name: confidence, kind: speculative, order: after, stop: {kind: confidence, "
                f"theta: {CONFIDENCE['threshold']}}}, max_draft_len: {CONFIDENCE['k']}}}",
            ]
            self.settings += [*(f"fixed k = {k}" for k in SPECULATIVE), "confidence"]
        if options.window:
            models.append(f'window: "{options.window}"')
            decoders.append(
                "  - {name: window, kind: window, window_size: 16, "
                "select: {kind: entropy, entropy_threshold: 0.4}}"
            )
            self.settings.append("window")
        self.config = folder / f"{threads}.{dtype}.yaml"
        self.config.write_text(
            f"dtype: {dtype}\n"
            f"name: peers\nmodels: {{{', '.join(models)}}}\n"
            f'workload: {{source: "{options.source}", limit: {options.n_prompts}, seed: {SEED}, '
            f"max_new_tokens: {options.max_new_tokens}}}\n"
            "decoders:\n" + "\n".join(decoders) + "\n"
            f"threads: {threads}\n"
            "timing: {repeats: 1, warmup: 1, duplicate_baseline: false, look_back: false}\n"
        )

    def round(self, *_) -> list[dict]:
        with tempfile.TemporaryDirectory() as out:
            command = [self.options.program, "sweep", self.config, "--out", out]
            done = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True
            )
            if done.returncode != 0:
                sys.exit(f"wedlm-bench: {done.stderr}")
            journal = Path(done.stdout.splitlines()[-1]) / "journal.jsonl"
            trials = {}
            for line in journal.read_text().splitlines():
                row = json.loads(line)["generation"]
                trials.setdefault(row["trial_id"], []).append(row)
        rows = []
        # Trials start with the baseline, and the journal has them in the order of the sweep.
        for name, generations in zip(self.settings, trials.values(), strict=True):
            row = {"engine": self.name, "threads": self.threads}
            generations.sort(key=lambda one: one["prompt"])
            rows.append(
                row
                | {
                    "setting": name,
                    "seconds": sum(one["wall_ns"] for one in generations) / 1e9,
                    "n_tokens": sum(one["committed"] for one in generations),
                    "texts": [one["text"] for one in generations],
                    "n_drafted": sum(one["drafted"] for one in generations),
                    "n_accepted": sum(one["accepted"] for one in generations),
                    "n_rounds": sum(one["rounds"] for one in generations),
                }
            )
            if name == "autoregressive":
                seconds = sum(one["prefill_ns"] for one in generations) / 1e9
                rows.append(row | {"setting": "prefill", "seconds": seconds, "n_tokens": 0})
        return rows

    def close(self) -> None:
        pass


def bandwidth() -> float:
    """Bytes per second that one thread reads from memory, best of ten passes over 512 MiB."""
    data = numpy.ones(1 << 27, dtype=numpy.float32)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        data.view(numpy.uint64).max()
        best = min(best, time.perf_counter() - start)
    return data.nbytes / best


def main() -> None:
    options = arguments()
    work = Path(tempfile.mkdtemp(prefix="peers-"))
    problems = subprocess.run(
        [options.program, "data", options.source, "-n", str(options.n_prompts), "--seed", str(SEED)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    questions = [json.loads(line)["question"] for line in problems.splitlines()]
    tokenizer = Tokenizer.from_file(str(options.verifier / "tokenizer.json"))
    prompts = [tokenizer.encode(f"Question: {question}\nAnswer:").ids for question in questions]
    config = json.loads((options.verifier / "config.json").read_text())
    eos = config["eos_token_id"]
    eos = eos[0] if isinstance(eos, list) else eos
    dtypes = ("f32", "f16") if "llama.cpp" in options.peers else ()
    for dtype in dtypes:
        for model in ("verifier", "drafter"):
            gguf_of.write(getattr(options, model), work / f"{model}.{dtype}.gguf", dtype)

    python = sys.executable
    engines = []
    for threads in options.threads:
        engines += [Ours(options, threads, work, dtype) for dtype in options.dtypes]
        if "transformers" in options.peers:
            folders = [options.verifier, options.drafter]
            command = [python, HERE / "torch_peer.py", *folders, threads]
            engines.append(Peer("transformers", command, threads, options))
        for dtype in dtypes:
            files = [work / f"{model}.{dtype}.gguf" for model in ("verifier", "drafter")]
            command = [python, HERE / "llama_peer.py", *files, threads, eos]
            engines.append(Peer(f"llama.cpp {dtype}", command, threads, options))
        if options.candle:
            command = [options.candle, options.verifier, eos]
            engines.append(Peer("candle", command, threads, options))
    facts = {
        "command": sys.argv,
        "machine": platform.processor() or platform.machine(),
        "load": os.getloadavg(),
        "bandwidth": bandwidth(),
        "versions": {
            name: version(name)
            for name in ("torch", "transformers", "llama-cpp-python")
            if find_spec(name.removesuffix("-python").replace("-", "_"))
        },
        "n_parameters": sum(
            numpy.prod(shape) for shape in shapes(options.verifier)
        ).item(),
    }
    rows = []
    for turn in range(options.rounds):
        first = turn % len(engines)
        for engine in engines[first:] + engines[:first]:
            rows += [row | {"round": turn} for row in engine.round(prompts, options.max_new_tokens)]
            print(f"round {turn + 1}: {engine.name}, {engine.threads} threads", file=sys.stderr)
        # After every round: a run that is cut short keeps what it has.
        options.out.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
    for engine in engines:
        engine.close()
    shutil.rmtree(work)
    print(table(facts, rows, tokenizer))


def shapes(folder: Path):
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        yield from (tensor["shape"] for tensor in header.values())


def table(facts: dict, rows: list[dict], tokenizer) -> str:
    """Tokens per second, or milliseconds of a prefill; ours over theirs."""
    groups = {}
    for row in rows:
        groups.setdefault((row["setting"], row["threads"], row["engine"]), []).append(row)
    floor = 4 * facts["n_parameters"] / facts["bandwidth"]
    lines = [
        f"{facts['n_parameters'] / 1e6:.1f} M parameters; a plain read of them in f32 takes "
        f"{1e3 * floor:.2f} ms ({facts['bandwidth'] / 1e9:.1f} GB/s).",
        "",
        "| | threads | engine | seconds (least, most) | tokens/s | ours over it | same texts |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for (setting, threads, engine), runs in groups.items():
        seconds = [run["seconds"] for run in runs]
        median = statistics.median(seconds)
        # Beside ours in the same number format, if that was asked for.
        alike = groups.get((setting, threads, f"{OURS} {engine.split()[-1]}"))
        ours = alike or groups.get((setting, threads, OURS))
        ratio, same = "", ""
        if ours and not engine.startswith(OURS):
            ratio = f"{median / statistics.median(run['seconds'] for run in ours):.2f}"
            if "ids" in runs[0] and "texts" in ours[0]:
                texts = [tokenizer.decode(ids) for ids in runs[0]["ids"]]
                n_same = sum(a == b for a, b in zip(texts, ours[0]["texts"], strict=True))
                same = f"{n_same} of {len(texts)}"
        speed = f"{runs[0]['n_tokens'] / median:,.0f}" if runs[0]["n_tokens"] else ""
        lines.append(
            f"| {setting} | {threads} | {engine} | {median:.3f} ({min(seconds):.3f}, "
            f"{max(seconds):.3f}) | {speed} | {ratio} | {same} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
