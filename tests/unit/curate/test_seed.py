from goldsmith.curate.seed import human_part, round_robin


def _row(name: str, context: str, task: str, objectivity: str = "factual") -> dict[str, str]:
    return {"pair_id": name, "context_id": context, "task": task, "objectivity": objectivity, "controversiality": "low"}


ROWS = [_row(f"m{n}", f"c{n % 3}", "math") for n in range(9)] + [
    _row("o1", "c9", "chat", "opinion"),
    _row("w1", "c8", "writing", "open-ended"),
]


def test_every_cell_gets_its_turn_and_objective_ones_lead() -> None:
    chosen = round_robin(ROWS, 4, seed=0)
    assert [row["task"] for row in chosen] == ["math", "chat", "writing", "math"]


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
