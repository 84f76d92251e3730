"""Runs where `label-studio-sdk` is installed: is a file of tasks what its interface asks for, by Label Studio's own validation?"""

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface


def main(tasks: str, interface: str) -> None:
    """Validate every task, annotation and prediction; print what was found."""
    label = LabelInterface(Path(interface).read_text(encoding="utf-8"))
    label.validate()
    rows = json.loads(Path(tasks).read_text(encoding="utf-8"))
    bad = []
    for number, task in enumerate(rows):
        if not label.validate_task({"data": task["data"]}, validate_regions_only=False):
            bad.append(f"task {number}")
        bad += [f"annotation {number}.{i}" for i, one in enumerate(task["annotations"]) if not label.validate_annotation(one)]
        bad += [
            f"prediction {number}.{i}: {label.validate_prediction(one, return_errors=True)}"
            for i, one in enumerate(task["predictions"])
            if not label.validate_prediction(one)
        ]
    print(
        json.dumps(
            {"tasks": len(rows), "bad": bad, "controls": sorted(label.control_tags if hasattr(label, "control_tags") else [])}
        )
    )


main(*sys.argv[1:])
