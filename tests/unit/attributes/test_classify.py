"""The classifier: hand-made vectors for the sums, the real embedder for what it is worth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from goldsmith.attributes import classify
from goldsmith.attributes.classify import Classifier, instruction
from goldsmith.attributes.rules import controversiality_shift, objectivity_shift
from goldsmith.attributes.taxonomy import Taxonomy, load_taxonomy
from goldsmith.retrieve.embed import Embedded, Embedder
from goldsmith.types import Message

HAND_LABELLED = {
    "Work out 348 / 12 and give the remainder": "math/arithmetic",
    "A baker sells 7 loaves an hour at 4 euros each. How much does he take in 6 hours?": "math/word-problem",
    "Show by induction that 2^n > n for every natural number n. Prove that each step holds.": "math/proof",
    "Write a function in Go that merges two sorted slices": "coding/generation",
    "My Python code crashes with this exception, please fix the bug: def f(x): return y": "coding/debugging",
    "Give me an SQL query for the number of orders per month": "coding/sql",
    "Write unit tests for the parser class below": "coding/testing",
    "What are the pros and cons of nuclear power compared with wind power?": "reasoning/comparison",
    "What would happen if bees died out tomorrow?": "reasoning/counterfactual",
    "Who painted the ceiling of the Sistine Chapel?": "knowledge/fact",
    "Write a short story about a lighthouse keeper and a lost whale": "writing/story",
    "Compose a sonnet on the first snow": "writing/poem",
    "Draft an email to my landlord about the broken heating": "writing/email-letter",
    "Come up with a slogan for an eco-friendly soap": "writing/marketing",
    "Write a five-paragraph essay on the value of public libraries": "writing/essay",
    "Summarize this report in two sentences: The committee met on Monday and ...": "rewriting/summary",
    "Proofread the following paragraph and correct the grammar": "rewriting/correction",
    "Translate 'Where is the station?' into Italian": "language/translation",
    "Classify each of these tweets as positive or negative": "data/classification",
    "Extract every company name and date from the contract below": "data/extraction",
    "Turn the following list into a JSON array": "data/formatting",
    "I need a recipe for vegetable lasagna": "advice/cooking",
    "Plan a week in Portugal for a family with two kids": "advice/travel",
    "Can you recommend a few detective novels?": "advice/recommendation",
    "Tell me a joke about programmers": "writing/humor",
    "Hello! How is it going?": "chat/small-talk",
    "Act as a strict drill sergeant and talk to me in that role": "chat/roleplay",
    "Do you think the voting age should be lowered to 16?": "chat/opinion",
    "How do I build a bomb at home?": "safety/harmful-request",
    "I don't want to live any more, I want to kill myself": "safety/self-harm",
}


def ask(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


class HandEmbedder:
    """Texts to given vectors."""

    def __init__(self, vectors: dict[str, Sequence[float]]) -> None:
        self.vectors = vectors

    def embed(self, texts: Sequence[str], progress: object = None) -> Embedded:
        rows = np.array([self.vectors[text] for text in texts], dtype=np.float32).reshape(len(texts), -1)
        return Embedded(vectors=rows, truncated=0, cached=0)


def small_taxonomy() -> Taxonomy:
    leaves = [
        {"id": "g/one", "objectivity": "factual", "controversiality": "low", "phrasings": ["first phrasing"]},
        {"id": "g/two", "objectivity": "opinion", "controversiality": "high", "phrasings": [], "cues": ["\\bcue\\b"]},
        {"id": "g/three", "objectivity": "factual", "controversiality": "low", "phrasings": [], "bias": -1.0},
    ]
    fixed = {"en": "Name", "zh": "名", "definition": "Words."}
    named = [{**fixed, **leaf, "en": leaf["id"]} for leaf in leaves]
    return Taxonomy.model_validate({"schema_version": 1, "group": [{"id": "g", "en": "G", "zh": "组"}], "leaf": named})


def test_task_is_the_softmax_of_the_cosine_with_the_leafs_mean_plus_cue_and_bias() -> None:
    # The two texts of the first leaf are each less like the prompt (0.6) than the second leaf's (0.8); their mean is (0.6, 0), of length 1: (1, 0).
    texts = {
        "g/one: Words.": [0.6, 0.8],
        "first phrasing": [0.6, -0.8],
        "g/two: Words.": [0.8, 0.6],
        "g/three: Words.": [1.0, 0.0],
    }
    prompts = {"plain": [1.0, 0.0], "a cue here": [1.0, 0.0]}
    classifier = Classifier(small_taxonomy(), HandEmbedder({**texts, **prompts}))  # type: ignore[arg-type]
    plain, cued = classifier.classify([ask("plain"), ask("a cue here")])
    # Cosines 1.0, 0.8, 1.0 - 1.0 = 0, over the temperature 0.04: e^25, e^20, e^0.
    weights = np.exp([25.0, 20.0, 0.0])
    assert plain.task == "g/one"
    assert plain.confidence["task"] == pytest.approx(weights[0] / weights.sum(), abs=1e-4)
    # Factual: leaves one and three together.
    assert plain.objectivity == "factual"
    assert plain.confidence["objectivity"] == pytest.approx((weights[0] + weights[2]) / weights.sum(), abs=1e-4)
    # The cue adds 0.25: 1.0, 1.05, 0.
    assert cued.task == "g/two"
    assert (cued.objectivity, cued.controversiality) == ("opinion", "high")
    assert classifier.likely_tasks([ask("a cue here")], 2) == [["g/two", "g/one"]]


def test_a_rule_moves_half_of_the_mass() -> None:
    texts = {"g/one: Words.": [1.0], "first phrasing": [1.0], "g/two: Words.": [-9.0], "g/three: Words.": [-9.0]}
    prompt = "In your opinion, is abortion wrong?"
    classifier = Classifier(small_taxonomy(), HandEmbedder({**texts, prompt: [1.0]}))  # type: ignore[arg-type]
    (found,) = classifier.classify([ask(prompt)])
    # All of the mass was factual and low; half of it now speaks for opinion, half for high: equal halves keep the first in the list.
    assert found.task == "g/one"
    assert found.confidence["objectivity"] == pytest.approx(0.5, abs=1e-3)
    assert found.confidence["controversiality"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "objectivity", "controversiality"),
    [
        ("What do you think about pineapple on pizza?", "opinion", None),
        ("Write a poem about rain", "open-ended", None),
        ("Who discovered penicillin?", "factual", None),
        ("Should the death penalty be abolished? Do you think so?", "opinion", "high"),
        ("Explain how tax brackets work", None, "medium"),
        ("The weather is fine", None, None),
    ],
)
def test_word_rules(text: str, objectivity: str | None, controversiality: str | None) -> None:
    assert objectivity_shift(text) == objectivity
    assert controversiality_shift(text) == controversiality


def test_rules_do_not_hang_on_enormous_prompts() -> None:
    text = "write " * 500_000
    assert objectivity_shift(text) is None
    assert controversiality_shift(text) is None


def test_an_instruction_is_the_head_and_the_tail() -> None:
    assert instruction("short") == "short"
    text = "Summarize: " + "x" * 5000 + " in one line"
    found = instruction(text)
    assert found.startswith("Summarize: ")
    assert found.endswith(" in one line")
    assert len(found) == classify.HEAD_CHARACTERS + classify.TAIL_CHARACTERS + 3


def test_on_prompts_labelled_by_hand(tmp_path: Path) -> None:
    # Not the phrasings of the taxonomy. One leaf in 77 would be right by chance; the bound is far from both that and perfection.
    classifier = Classifier(load_taxonomy(), Embedder(cache=tmp_path / "v.sqlite"))
    found = classifier.classify([ask(prompt) for prompt in HAND_LABELLED])
    right = [item.task == wanted for item, wanted in zip(found, HAND_LABELLED.values(), strict=True)]
    groups = [item.task.split("/")[0] == wanted.split("/")[0] for item, wanted in zip(found, HAND_LABELLED.values(), strict=True)]
    assert sum(right) >= 0.7 * len(right)
    assert sum(groups) >= 0.8 * len(groups)
    for item in found:
        assert all(0.0 < value <= 1.0 for value in item.confidence.values())


def test_a_task_is_not_mistaken_for_its_subject(tmp_path: Path) -> None:
    # One request for each leaf, written apart from the hand-labelled pairs. With the nearest single phrasing in place of the
    # mean, 43 of 78 were right: a phrasing on the same subject beat the right task.
    lines = Path(__file__).with_name("one_line_requests.tsv").read_text(encoding="utf-8").splitlines()
    wanted, prompts = zip(*(line.split("\t") for line in lines), strict=True)
    found = Classifier(load_taxonomy(), Embedder(cache=tmp_path / "v.sqlite")).classify([ask(prompt) for prompt in prompts])
    assert sum(item.task == task for item, task in zip(found, wanted, strict=True)) >= 0.6 * len(lines)


def test_nothing_to_classify() -> None:
    classifier = Classifier(small_taxonomy(), HandEmbedder({}))  # type: ignore[arg-type]
    assert classifier.classify([]) == []
    assert classifier.likely_tasks([], 3) == []
