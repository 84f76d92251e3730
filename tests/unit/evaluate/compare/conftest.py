"""One evaluation of three models and a rule, on small files of official shape; and one whose every text is hostile."""

import json
from pathlib import Path

import pytest

from evaluated import FirstShown, NoisyTruth, evaluate, write_suite

BIDI = "\u202egnp.exe\u2066"
HOSTILE = f'</p></details><script>alert(1)</script><svg onload="alert(2)"><img src=x onerror=alert(3)> {BIDI} [x](javascript:alert(4)) `x` |y| \'"&'


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    engines = [
        NoisyTruth("org/good", truth=0.6, seed=1, base="org/base", data=["pool-1"]),
        NoisyTruth("org/twin", truth=0.62, seed=1, base="Org/Base", data=["pool-1"], fails="r3"),
        NoisyTruth("weak", truth=0.1, length=0.5, seed=2),
        FirstShown("judge"),
    ]
    return evaluate(write_suite(folder / "suite"), folder / "out", engines, rules=("longer", "random"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    suite = write_suite(folder / "suite", prompt=HOSTILE, reply=HOSTILE)
    engines = [
        NoisyTruth("=cmd()" + HOSTILE, truth=0.2, base=HOSTILE, data=[HOSTILE]),
        NoisyTruth("other", truth=0.1, seed=4, base=HOSTILE, data=[HOSTILE]),
    ]
    own = folder / "own.jsonl"
    own.write_text(
        "".join(
            json.dumps({"prompt": f"{HOSTILE} {n}", "chosen": f"yes {HOSTILE}", "rejected": HOSTILE}) + "\n" for n in range(4)
        ),
        encoding="utf-8",
    )
    return evaluate(suite, folder / "out", engines, named=[f"<script>alert(5)</script>|{BIDI}={own}"])
