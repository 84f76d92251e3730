"""How each benchmark turns scores or verdicts into its numbers: one file a benchmark, the official rule and the paper's where it differs."""
