"""The process behind `EmbeddedServer`: loads a GGUF, serves it on a free loopback port, and ends when its parent does.

Run as `python -m goldsmith.llm.embedded_process OPTIONS`, OPTIONS being JSON. It prints one line, `{"address": ...}`, once
the model is loaded. It ends when its standard input closes or its parent changes, whichever comes first.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

LOOK_EVERY_S = 1.0


def serve(options: dict[str, Any]) -> str:
    """Start the server in this process's own threads and return its address, `http://127.0.0.1:PORT`."""
    try:
        import xllamacpp
    except ImportError as error:
        raise SystemExit(f"the embedded model needs xllamacpp ({error}); install `goldsmith[llm]`") from error

    params = xllamacpp.CommonParams()
    params.model.path = options["gguf"]
    params.model_alias = {options["model"]}
    params.hostnames, params.port = ["127.0.0.1"], 0
    # No page in a browser on this machine may read replies, and nothing but the model is served.
    params.cors_origins, params.ui, params.offline = "http://127.0.0.1", False, True
    params.n_parallel = options["slots"]
    params.n_ctx = options["context_tokens"] * options["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    # Prompts of idle requests are not hoarded (8 GiB by default); each slot still keeps its last one.
    params.cache_ram_mib = 0
    params.verbosity = 2
    server = xllamacpp.Server(params)
    globals()["_server"] = server  # dropped, it would stop serving
    return str(server.listening_address)


def wait_for_the_end(parent: int) -> None:
    """Return when standard input is closed or the parent process is no longer `parent`."""
    while os.getppid() == parent:
        ready, _, _ = select.select([0], [], [], LOOK_EVERY_S)
        if ready and not os.read(0, 4096):
            return


def main() -> None:
    """Serve until the parent goes, then end at once."""
    options = json.loads(sys.argv[1])
    # The native code logs to both streams: only our own line may reach the parent's pipe.
    answer = os.dup(1)
    os.dup2(2, 1)
    address = serve(options)
    os.write(answer, json.dumps({"address": address}).encode() + b"\n")
    wait_for_the_end(int(options["parent"]))
    # Not a normal exit: the server's threads may be in the middle of a reply that nobody waits for any more.
    os._exit(0)


if __name__ == "__main__":
    main()
