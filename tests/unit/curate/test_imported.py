"""Pairs that an import brought along become gold like recorded ones: the next run takes them, and waits for nobody because of them."""

from pathlib import Path

from exchange_items import item, vote
from goldsmith.config import GoldsmithConfig
from goldsmith.curate import gold, inputs
from goldsmith.curate.context import Context
from goldsmith.curate.plan import _vote_files
from goldsmith.gold import import_votes
from goldsmith.gold.exchange import jsonl
from goldsmith.gold.exchange.item import Item
from goldsmith.progress import Progress
from goldsmith.store import PAIR_COLUMNS, Workspace


def test_imported_pairs_are_gold_when_their_votes_decide_and_wait_for_nobody_otherwise(tmp_path: Path) -> None:
    context = Context(Workspace(tmp_path, GoldsmithConfig()), tmp_path / "runs" / "1", Progress())
    agreed, alone = item("agreed"), item("alone")
    votes = tuple(vote(agreed.pair_id, number, choice="second") for number in range(3))
    items = [
        Item(pair_id=agreed.pair_id, pair=agreed.pair, votes=votes),
        Item(pair_id=alone.pair_id, pair=alone.pair, votes=(vote(alone.pair_id, 9),)),
    ]
    before = _vote_files(context)
    jsonl.write(items, tmp_path / "votes.jsonl", 0)
    assert import_votes(context.workspace, tmp_path / "votes.jsonl")["pairs_brought"] == 2
    assert _vote_files(context) != before  # so that the step which reads them runs again
    inputs.read_recorded_votes(context, "f")
    rows = context.workspace.table("recorded_pairs").rows(PAIR_COLUMNS)
    assert {row["pair_id"] for row in rows} == {agreed.pair_id, alone.pair_id}
    result = gold._voted(context, "recorded", rows, 0)
    assert result.admitted
    assert (result.outcomes[agreed.pair_id].state, result.outcomes[agreed.pair_id].label) == ("gold", "second")
    assert result.outcomes[alone.pair_id].state == "waiting"
    (kept,) = gold._gold_rows(result, rows, 0)
    assert (kept["pair_id"], kept["label"]) == (agreed.pair_id, "second")
