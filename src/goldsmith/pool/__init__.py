"""The pool: reading pairs of any common format, deduplication, decontamination, coverage and audit."""
