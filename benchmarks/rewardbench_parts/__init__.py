"""The parts of `rewardbench_agreement.py`."""
