from goldsmith.evaluate.report.data import Stage2
from goldsmith.evaluate.report.words import _stage2


def test_what_is_wrong_with_gold_judges_or_models_stands_before_what_was_decided() -> None:
    told = _stage2(Stage2(by_action={"keep": 1}, statements=["the gold RM follows length: 97.0 % of 100 pairs"]))
    assert [paragraph.tone for paragraph in told] == ["alert", "plain"]
    assert told[0].text == "The gold RM follows length: 97.0 % of 100 pairs."
