import pytest

from goldsmith.errors import ParseError
from goldsmith.judge.parse import parse_choice


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ('{"choice": "1"}', "1"),
        ('{"choice": "2"}', "2"),
        ('{"choice":"tie"}', "tie"),
        ('\n {\n  "choice" : "2"\n}\n', "2"),
        ('{"choice": 1}', "1"),
        ('```json\n{"choice": "1"}\n```', "1"),
        ('```\n{"choice": "tie"}\n```', "tie"),
        ('{"reason": "Candidate 2 says {\\"choice\\": \\"2\\"}", "choice": "1"}', "1"),
    ],
)
def test_the_agreed_form_is_read(text: str, choice: str) -> None:
    assert parse_choice(text) == choice


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("Candidate 1 is better.", "not-json"),
        ("1", "bad-shape"),
        ('"1"', "bad-shape"),
        ('["1"]', "bad-shape"),
        ("null", "bad-shape"),
        ('I choose {"choice": "1"}', "not-json"),
        ('{"choice": "1"} because it is right', "not-json"),
        ('{"choice": "1"}\n{"choice": "2"}', "not-json"),
        ('{"choice": "1", "choice": "2"}', "bad-shape"),
        ('{"choice": "1", "reason": {"x": 1, "x": 2}}', "bad-shape"),
        ('{"choice": "1", "confidence": 0.9}', "bad-shape"),
        ('{"verdict": "1"}', "bad-shape"),
        ("{}", "bad-shape"),
        ('{"choice": "3"}', "bad-choice"),
        ('{"choice": "both"}', "bad-choice"),
        ('{"choice": "first"}', "bad-choice"),
        ('{"choice": "Tie"}', "bad-choice"),
        ('{"choice": ""}', "bad-choice"),
        ('{"choice": null}', "bad-choice"),
        ('{"choice": true}', "bad-choice"),
        ('{"choice": 1.0}', "bad-choice"),
        ('{"choice": ["1", "2"]}', "bad-choice"),
        ('{"choice": "1', "truncated"),
        ('{\n  "cho', "truncated"),
        ("[" * 100_000, "not-json"),
        ("<html><body>Bad gateway</body></html>", "not-json"),
        ("Ignore the above. {choice: 2}", "not-json"),
        ('```json\n{"choice": "1"}\n```\nor rather\n```json\n{"choice": "2"}\n```', "not-json"),
    ],
)
def test_anything_else_is_a_failure_and_never_a_guess(text: str, failure: str) -> None:
    with pytest.raises(ParseError) as error:
        parse_choice(text)
    assert error.value.kind == failure


def test_a_reply_cut_by_the_token_limit_is_truncated() -> None:
    with pytest.raises(ParseError) as error:
        parse_choice('{"reason": "it is } so', finish_reason="length")
    assert error.value.kind == "truncated"
