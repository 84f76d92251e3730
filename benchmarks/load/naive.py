"""Two ways in which reward models are served elsewhere, for comparison; both block while they compute.

python naive.py model-card MODEL DTYPE    one conversation a forward pass, as the model cards show it
python naive.py serve-rm MODEL DTYPE      the texts of one request as one batch, padded on the left
"""

from __future__ import annotations

import socket
import sys
from typing import Any


def main() -> None:
    import torch
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    kind, folder, dtype = sys.argv[1:4]
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    def one_by_one(texts: list[str]) -> list[float]:
        scores = []
        for text in texts:
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
            with torch.no_grad():
                scores.append(float(model(**ids).logits[0][0]))
        return scores

    def padded(texts: list[str]) -> list[float]:
        ids = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.no_grad():
            return [float(value) for value in model(**ids).logits[:, 0]]

    async def handler(request: Request) -> Any:
        body = await request.json()
        return JSONResponse({"rewards": (one_by_one if kind == "model-card" else padded)(body["query"])})

    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        app = Starlette(routes=[Route("/get_reward", handler, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
