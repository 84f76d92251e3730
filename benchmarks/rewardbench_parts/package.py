"""What runs inside the environment of the `rewardbench` package: its own command and its own rules; nothing of Goldsmith is imported.

    python package.py JOB.json

JOB.json names the pairs, the model and where the answers go. Two things of the package are changed, neither of which decides a score: it
sends every batch to "cuda", which becomes the CPU where there is none, and it prepares texts in eight processes, which become one.
"""

import json
import sys
from pathlib import Path


def on_any_machine():
    """Let batches go to the CPU where no CUDA is, and texts be prepared in this process."""
    import datasets
    import torch
    from transformers import BatchEncoding

    to, to_each = BatchEncoding.to, datasets.Dataset.map
    if not torch.cuda.is_available():
        BatchEncoding.to = lambda self, device, **more: to(self, "cpu" if str(device) == "cuda" else device, **more)
    datasets.Dataset.map = lambda self, *given, num_proc=None, **more: to_each(self, *given, **more)


def scores(job):
    """Run the package's command on the pairs; its file of scores lands below the folder of answers."""
    from rewardbench.rewardbench import Args, rewardbench

    rewardbench(
        Args(
            dataset=job["pairs"], load_json=True, model=job["model"], not_quantized=True, torch_dtype="float32",
            batch_size=job["batch"], max_length=job["max_length"], force_truncation=True, output_dir=job["answers"],
        )
    )  # fmt: skip


def rules(job):
    """Apply the package's rules to made-up accuracies and scores."""
    from datasets import Dataset
    from rewardbench.constants import EXAMPLE_COUNTS, SUBSET_MAPPING
    from rewardbench.utils import calculate_scores_per_section, process_single_model, reroll_and_score_dataset

    sections = [calculate_scores_per_section(EXAMPLE_COUNTS, SUBSET_MAPPING, case) for case in job["sections"]]
    ties = [float(process_single_model(Dataset.from_list(case))[1]) for case in job["ties"]]
    lists = [{"text": "", "scores": float(score), "list": place} for place, case in enumerate(job["best_of_4"]) for score in case]
    rerolled = reroll_and_score_dataset(Dataset.from_list(lists), [len(case) for case in job["best_of_4"]])
    return {"sections": sections, "ties": ties, "best_of_4": [float(value) for value in rerolled["results"]]}


def main():
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    on_any_machine()
    Path(job["rules_told"]).write_text(json.dumps(rules(job["rules"])), encoding="utf-8")
    scores(job)


if __name__ == "__main__":
    main()
