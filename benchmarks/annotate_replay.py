"""Replays the three recorded votes of PandaLM's 999 pairs through the annotation room's HTTP API, and compares with the published agreement.

Compared: the pairwise kappas (golden/golden.json), alpha with the krippendorff package, and the queue of disputes with the rule (all three choices differ).
`--check` and `--full` are the same: all pairs, by three people at once; it takes about a minute.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import krippendorff
import numpy as np
import sqlalchemy as sa

from goldsmith.annotate.people.sessions import find_session
from goldsmith.gold.schema import PAIR_STATES, VOTES
from live_room import LiveRoom, live_room

CHOICES = {0: "tie", 1: "first", 2: "second"}
PEOPLE = ("one", "two", "three")


class Caller:
    """What the page's script says to the server, on one connection."""

    def __init__(self, site: LiveRoom, name: str, role: str = "annotator") -> None:
        token = site.session(name, role)["value"]
        session = find_session(site.here.room, token)
        assert session is not None
        self._headers = {"X-CSRF-Token": session.csrf, "Cookie": f"goldsmith_session={token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=120)

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        sent = json.dumps(body) if body is not None else None
        self._connection.request("GET" if body is None else "POST", path, sent, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        assert response.status == 200, text
        answer: dict[str, Any] = json.loads(text)
        return answer


def rows_of(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "humans_pandalm.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def queue_item(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """Every row is a pair of its own here, also where replies are equal or empty: the published figures are over all of them."""
    replies = (row["chosen"], row["rejected"]) if row["meta"]["chosen_was"] == "response_1" else (row["rejected"], row["chosen"])
    return {"pair_id": f"row-{number}", "context": row["prompt"], "first": replies[0], "second": replies[1]}


def replay(site: LiveRoom, rows: list[dict[str, Any]]) -> None:
    """Three people work at once until nothing is left; what they say is what they said then."""
    callers = [Caller(site, name) for name in PEOPLE]
    with ThreadPoolExecutor(len(PEOPLE)) as crew:
        list(crew.map(lambda place: work(callers[place], place, rows), range(len(PEOPLE))))


def work(caller: Caller, place: int, rows: list[dict[str, Any]]) -> None:
    while (task := caller.call("/api/next", {"queue": "work"})["task"]) is not None:
        said = CHOICES[rows[int(task["pair_id"].removeprefix("row-"))]["meta"]["votes"][place]]
        vote = {"vote_id": secrets.token_hex(16), "lease_id": task["lease_id"], "choice": said, "strength": 1, "seconds": 20.0}
        assert caller.call("/api/votes", vote)["state"] == "counted"


def kappa(one: list[str], other: list[str]) -> float:
    """Cohen's kappa, unweighted."""
    agree = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    shares = Counter(one), Counter(other)
    chance = sum(shares[0][choice] * shares[1][choice] for choice in CHOICES.values()) / len(one) ** 2
    return (agree - chance) / (1 - chance)


def compare(site: LiveRoom, rows: list[dict[str, Any]], published: dict[str, float]) -> None:
    with site.here.room.database.read() as connection:
        stored = {
            (vote.annotator, vote.pair_id): vote.choice
            for vote in connection.execute(sa.select(VOTES.c.annotator, VOTES.c.pair_id, VOTES.c.choice))
        }
        disputed = set(connection.execute(sa.select(PAIR_STATES.c.pair_id).where(PAIR_STATES.c.state == "disputed")).scalars())
    assert len(stored) == 3 * len(rows)
    said = [[stored[site.here.people[name].person_id, f"row-{number}"] for number in range(len(rows))] for name in PEOPLE]
    for (at, one), (other_at, other) in combinations(enumerate(said, 1), 2):
        expected = published[f"{at}-{other_at}"]
        found = kappa(one, other)
        print(f"kappa {at}-{other_at}: {found:.4f} (published {expected})")
        assert abs(found - expected) < 5e-4
    by_package = krippendorff.alpha(reliability_data=np.array(said), level_of_measurement="nominal")
    batch = Caller(site, "lead", "lead").call("/api/lead/summary")["batches"][0]
    print(
        f"alpha {batch['alpha_first']['alpha']:.6f} ({batch['alpha_first']['low']:.3f} to {batch['alpha_first']['high']:.3f}); by the package {by_package:.6f}"
    )
    assert abs(batch["alpha_first"]["alpha"] - by_package) < 1e-9
    expected_disputes = {f"row-{number}" for number, row in enumerate(rows) if len(set(row["meta"]["votes"])) == 3}
    print(f"disputes: {len(disputed)}; by the rule {len(expected_disputes)}; the same: {disputed == expected_disputes}")
    assert disputed == expected_disputes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.parse_args()
    folder = Path(os.environ.get("GOLDSMITH_DATA", "-"))
    if not folder.is_dir():
        sys.exit("GOLDSMITH_DATA does not name the folder of evaluation data")
    rows = rows_of(folder)
    entries = json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8"))["entries"]
    published = next(entry for entry in entries if entry["id"] == "pandalm-annotator-kappa")["expected"][
        "cohen_kappa_unweighted_3class"
    ]
    with tempfile.TemporaryDirectory(prefix="goldsmith-replay-") as place, live_room(Path(place)) as site:
        site.fill([queue_item(number, row) for number, row in enumerate(rows)])
        started = time.monotonic()
        replay(site, rows)
        print(f"{3 * len(rows)} votes through HTTP in {time.monotonic() - started:.0f} s")
        compare(site, rows, published)


if __name__ == "__main__":
    main()
