from goldsmith.gold.order import needed_tag, queue_order


def _pair(task: str, objectivity: str = "opinion", controversiality: str = "low") -> dict[str, str]:
    return {"task": task, "objectivity": objectivity, "controversiality": controversiality}


def test_certain_answers_come_first_and_the_given_order_stays_within() -> None:
    pairs = [_pair("a"), _pair("a", "factual"), None, _pair("a", "factual", "high"), _pair("a", "factual")]
    assert queue_order(pairs, {}) == [1, 4, 0, 2, 3]


def test_a_quota_bounds_every_beginning_and_nothing_is_left_out() -> None:
    pairs = [_pair("math/proof")] * 6 + [_pair("chat")] * 6
    order = queue_order(pairs, {"math": 0.25})
    is_math = [place < 6 for place in order]
    assert sorted(order) == list(range(12))
    # One in four, rounded up: places 0, 4, 8 while there is chat to dilute it (6 chats last for 8 places), the rest at the end.
    assert is_math == [True, False, False, False, True, False, False, False, True, True, True, True]


def test_the_longest_name_counts() -> None:
    assert needed_tag("math/proof", {"math": "numbers", "math/proof": "Logic"}) == "logic"
    assert needed_tag("mathematics", {"math": "numbers"}) == ""
