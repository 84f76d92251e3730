"""A drop on RewardBench is called one only when it is beyond the paired interval."""

from collections.abc import Sequence
from pathlib import Path

import bench_files
from goldsmith.benchdata.rewardbench import EXPECTED
from goldsmith.evaluate.cross_check import cross_check, rewardbench_items
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.reward.grouping import Reply


def test_a_drop_beyond_the_paired_interval_is_flagged(tmp_path: Path) -> None:
    rows = [bench_files.rewardbench(number, name) for number, name in enumerate(list(EXPECTED) * 8)]
    path = bench_files.write_lines(tmp_path / "rb.jsonl", rows)

    def rate(wrong: int) -> object:
        def scores(replies: Sequence[Reply]) -> list[float]:
            return [
                float(str(reply.content).startswith("good") != (int(str(reply.content).split()[1]) < wrong)) for reply in replies
            ]

        return scores

    sound, broken, touched = (rewardbench_items(path, rate(number)) for number in (0, 60, 1))  # type: ignore[arg-type]
    settings = Settings(seed=0, resamples=500)
    assert cross_check(sound, broken, settings).is_drop
    assert not cross_check(broken, sound, settings).is_drop
    # One item of 184 is no drop: some resamples do not hold it.
    small = cross_check(sound, touched, settings)
    assert not small.is_drop
    assert small.num_items == 184
    assert small.difference.value is not None
    assert small.difference.value < 0
