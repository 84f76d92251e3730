"""`python -m goldsmith.cli` is the same as `goldsmith`."""

from goldsmith.cli.main import main

main()
