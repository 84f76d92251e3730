"""What a reward model is worth: accuracies with intervals, and the report of a run."""
