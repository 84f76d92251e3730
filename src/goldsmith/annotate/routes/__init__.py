"""One file for each group of pages and calls; each offers `router`."""
