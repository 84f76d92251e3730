from goldsmith.curate.proven import Proven
from goldsmith.curate.seed import ANY, cell, human_part, round_robin


def _row(name: str, context: str, task: str, objectivity: str = "factual") -> dict[str, str]:
    return {"pair_id": name, "context_id": context, "task": task, "objectivity": objectivity, "controversiality": "low"}


ROWS = [_row(f"m{n}", f"c{n % 3}", "math") for n in range(9)] + [
    _row("o1", "c9", "chat", "opinion"),
    _row("w1", "c8", "writing", "open-ended"),
]


def test_every_cell_gets_its_turn_and_objective_ones_lead() -> None:
    chosen = round_robin(ROWS, 4, seed=0)
    assert [row["task"] for row in chosen] == ["math", "chat", "writing", "math"]


def test_an_unproven_attribute_makes_no_quota() -> None:
    # Task alone would give nine cells; without it all rows are of one kind, and order is by context and hash only.
    rows = [{**_row(f"m{n}", f"c{n}", f"task/{n}"), "left_out": {"task", "controversiality"}} for n in range(9)]
    assert {cell(row) for row in rows} == {(ANY, "factual", ANY)}
    assert len(round_robin(rows, 4, seed=0)) == 4
    known = round_robin([*rows, _row("o1", "c99", "chat", "opinion")], 2, seed=0)
    assert {row["objectivity"] for row in known} == {"factual", "opinion"}


def test_what_counts_is_decided_by_source_and_attribute() -> None:
    proven = Proven(
        [
            {"source": "classifier", "attribute": "task", "used": True},
            {"source": "classifier", "attribute": "controversiality", "used": False},
            {"source": "llm:m", "attribute": "guideline", "used": True},
        ]
    )
    made_by = {"task": "classifier", "controversiality": "classifier", "guideline": "llm:m", "desired": "llm:m"}
    assert proven.leave_out(made_by) == {"controversiality", "desired"}
    # The same attribute from somebody who was never measured.
    assert proven.leave_out({"task": "llm:other"}) == {"task"}
    assert proven.leave_out({}) == set()


def test_new_contexts_come_before_second_pairs_of_a_context() -> None:
    chosen = [row for row in round_robin(ROWS, 5, seed=0) if row["task"] == "math"]
    assert {row["context_id"] for row in chosen} == {"c0", "c1", "c2"}


def test_selection_does_not_depend_on_row_order() -> None:
    assert round_robin(ROWS, 7, seed=3) == round_robin(ROWS[::-1], 7, seed=3)


def test_asking_for_more_than_there_is_gives_everything_once() -> None:
    chosen = round_robin(ROWS, 100, seed=0)
    assert sorted(row["pair_id"] for row in chosen) == sorted(row["pair_id"] for row in ROWS)


def test_people_get_one_pair_a_context() -> None:
    chosen = round_robin(ROWS, 100, seed=0)
    humans = human_part(chosen, 100)
    assert len(humans) == 5
    assert len({row["context_id"] for row in chosen if row["pair_id"] in humans}) == 5
    assert len(human_part(chosen, 2)) == 2
    assert human_part(chosen, 0) == set()
