"""How a peer is asked: a JSON object a line on standard input, one a line on standard output."""

import json
import sys
import time


def serve(generate, prefill) -> None:
    """`generate(setting, ids, n)` gives token ids, `prefill(ids)` the seconds of a prompt's forward."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "prefill":
            answer = {"seconds": prefill(request["ids"]), "ids": []}
        else:
            start = time.perf_counter()
            ids = generate(request, request["ids"], request["n"])
            answer = {"seconds": time.perf_counter() - start, "ids": ids}
        print(json.dumps(answer), flush=True)
