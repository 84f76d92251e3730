"""LLM judgements guided by human labels: protocol, samples, aggregation, recorded verdicts and the test against chance."""

from goldsmith.judge.chance import JudgeTest, accuracy_weights, test_judges, together_test, usable_judges
from goldsmith.judge.demonstrations import Demonstrations
from goldsmith.judge.judges import Judge, LlmJudge, RecordedJudge, judges, recorded_models
from goldsmith.judge.run import JudgeRun, judge_pairs

__all__ = [
    "Demonstrations",
    "Judge",
    "JudgeRun",
    "JudgeTest",
    "LlmJudge",
    "RecordedJudge",
    "accuracy_weights",
    "judge_pairs",
    "judges",
    "recorded_models",
    "test_judges",
    "together_test",
    "usable_judges",
]
