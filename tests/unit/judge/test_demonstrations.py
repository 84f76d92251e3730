import numpy as np

from goldsmith.judge.demonstrations import Demonstrations
from goldsmith.types import Attributes, Pair


def pair(prompt: str, reply: str = "a") -> Pair:
    return Pair.from_replies([{"role": "user", "content": prompt}], reply, "zzz", label_origin="human")


GOLD = [pair("one"), pair("two"), pair("three"), pair("four")]
# Angles from the east, in degrees: 0, 10, 20, 90.
ANGLES = {item.pair_id: angle for item, angle in zip(GOLD, (0, 10, 20, 90), strict=True)}


def vectors_of(ids: object, angles: dict[str, float] = ANGLES) -> np.ndarray:
    radians = np.radians([angles.get(name, 0.0) for name in ids])  # type: ignore[attr-defined]
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def source(**fields: object) -> Demonstrations:
    made = {
        "pairs": GOLD,
        "vectors": vectors_of([item.pair_id for item in GOLD]),
        "attributes": {},
        "vectors_of": vectors_of,
        "count": 3,
    }
    return Demonstrations(**{**made, **fields})  # type: ignore[arg-type]


def prompts(found: list[object]) -> list[str]:
    return [item.pair.context[0].content for item in found]  # type: ignore[attr-defined]


def test_the_nearest_come_first() -> None:
    other = pair("something else")
    assert prompts(source().find([other], seed=0)[other.pair_id]) == ["one", "two", "three"]


def test_never_itself_its_context_or_a_copy_of_its_prompt() -> None:
    same_context, copied = pair("one", "another reply"), pair("  ONE ")
    found = source().find([GOLD[0], same_context, copied], seed=0)
    for item in (GOLD[0], same_context, copied):
        assert prompts(found[item.pair_id]) == ["two", "three", "four"]


def test_attributes_go_with_the_example_and_orders_are_mixed() -> None:
    attributes = {
        GOLD[0].pair_id: Attributes(pair_id=GOLD[0].pair_id, task="math/proof", objectivity="factual", controversiality="low")
    }
    other = pair("something else")
    (first, *_) = source(attributes=attributes).find([other], seed=0)[other.pair_id]
    assert first.attributes is attributes[GOLD[0].pair_id]
    shown = {source().find([other], seed=seed)[other.pair_id][0].shown_first for seed in range(20)}
    assert shown == {"first", "second"}


def test_without_gold_or_wish_there_are_no_examples() -> None:
    other = pair("something else")
    assert source(pairs=[], vectors=np.zeros((0, 2), dtype=np.float32)).find([other], seed=0) == {other.pair_id: []}
    assert source(count=0).find([other], seed=0) == {other.pair_id: []}
    assert source().find([], seed=0) == {}
