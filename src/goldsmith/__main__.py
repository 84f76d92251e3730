"""`python -m goldsmith` is the same as `goldsmith`; so `torchrun ... -m goldsmith train ...` starts it in several processes."""

from goldsmith.cli.main import main

main()
