from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.train.job import check_settings
from goldsmith.train.processes import Processes
from goldsmith.train.shares import Piece, pieces, share
from goldsmith.train.zero1 import owners


def _units(*tokens: int):
    return [SimpleNamespace(group=SimpleNamespace(tokens=count)) for count in tokens]


def test_a_step_is_shared_by_tokens():
    # Largest first: 9 -> 0, 8 -> 1, 5 -> 1 (8 < 9), 4 -> 0 (9 < 13), 3 -> 0 or 1 (13 = 13, the lower number), 1 -> 1 (13 < 16).
    assert share(_units(1, 9, 3, 8, 4, 5), 2) == [[1, 2, 4], [0, 3, 5]]


def test_one_process_has_all_in_order():
    assert share(_units(1, 9, 3), 1) == [[0, 1, 2]]
    assert pieces(_units(4, 4, 4), 8) == [Piece([0, 1]), Piece([2])]


def test_fewer_units_than_processes_leave_some_without():
    assert share(_units(5, 7), 3) == [[1], [0], []]
    assert pieces(_units(5, 7), 8, 2, 3) == []
    assert pieces(_units(5, 7), 8, 2, 3, even=True) == [Piece([0], counts=False)]


def test_uneven_pieces_are_filled_up_with_the_smallest_unit_at_weight_zero():
    units = _units(30, 6, 6, 7, 5)  # 30 -> 0; 7, 6, 6, 5 -> 1, in pieces of 12 at most: 6 + 6, 7 + 5
    assert pieces(units, 12, 0, 2, even=True) == [Piece([0]), Piece([4], counts=False)]
    assert pieces(units, 12, 1, 2, even=True) == [Piece([1, 2]), Piece([3, 4])]
    assert pieces(units, 12, 0, 2) == [Piece([0])]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(1, 5), st.integers(1, 60))
def test_every_unit_counts_once_and_all_have_equally_many_pieces(tokens, size, budget):
    units = _units(*tokens)
    all_pieces = [pieces(units, budget, rank, size, even=True) for rank in range(size)]
    counted = sorted(at for mine in all_pieces for piece in mine if piece.counts for at in piece.positions)
    assert counted == list(range(len(units)))
    assert len({len(mine) for mine in all_pieces}) == 1
    # No process has more than another by more than the largest unit, or a unit could have gone elsewhere.
    loads = [sum(tokens[at] for at in positions) for positions in share(units, size)]
    assert max(loads) - min(loads) <= max(tokens)


def test_each_parameter_has_one_owner_and_all_own_about_as_much():
    # 100 -> 0; 60 -> 1; 50 -> 1 (60 < 100); 30 -> 0 (100 < 110); 5 -> 1 (110 < 130).
    assert owners([50, 100, 5, 60, 30], 2) == [1, 0, 1, 1, 0]


def test_alone_nothing_is_sent():
    alone = Processes()
    assert alone.gather(3) == [3]
    assert alone.first_does(lambda: "done") == "done"
    alone.agree(None)
    with pytest.raises(UserError, match="wrong"):
        alone.agree(UserError("wrong"))


@pytest.mark.parametrize(
    ("world", "settings", "message"),
    [
        ("1", {"method": "full", "sharding": "zero1"}, "needs several processes; start them with torchrun"),
        ("2", {"method": "full"}, "2 processes would each train the whole model; set train.sharding"),
        ("2", {"method": "head", "sharding": "zero1"}, "nothing to share among 2 processes; start it without torchrun"),
    ],
)
def test_processes_and_sharding_must_fit(monkeypatch, world, settings, message):
    monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(UserError, match=message):
        check_settings(TrainConfig(**settings), 0, 0)


def test_processes_that_nobody_introduced_are_an_error_with_the_remedy(monkeypatch):
    from goldsmith.train.processes import joined

    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="RANK, MASTER_ADDR, MASTER_PORT is not set; start the processes with torchrun"), joined():
        pass
