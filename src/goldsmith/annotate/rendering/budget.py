"""A bound on the work that one text may cause, counted in steps: the same text gets the same answer on every machine."""

from __future__ import annotations


class TooCostlyError(Exception):
    """The text needs more work than it may; it is shown raw."""


class Budget:
    """Counts the work on one text.

    Args:
        max_steps: rules tried, tokens highlighted, characters of formulas read; a step takes a few microseconds.
    """

    def __init__(self, max_steps: int = 200_000) -> None:
        self._left = max_steps

    def spend(self, steps: int = 1) -> None:
        """Account for work.

        Raises:
            TooCostlyError: nothing is left.
        """
        self._left -= steps
        if self._left < 0:
            raise TooCostlyError
