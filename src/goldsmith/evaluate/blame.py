"""Whose fault a failure is: a model's own ends that model alone, where there are others; what is wrong with data or disk ends the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from goldsmith.errors import GoldsmithError, StoreError


class ModelFailed(Exception):
    """A model cannot be evaluated, for a reason of its own; the data and the disk are sound."""

    def __init__(self, reason: GoldsmithError) -> None:
        super().__init__(reason)
        self.reason = reason


@contextmanager
def blamed() -> Iterator[None]:
    """Give what fails inside as the model's own failure; a cache or ledger that cannot be written is nobody's.

    Raises:
        ModelFailed: the model could not be opened, or did not answer.
        StoreError: as it came.
    """
    try:
        yield
    except StoreError:
        raise
    except GoldsmithError as error:
        raise ModelFailed(error) from error


def none_left(errors: Mapping[str, GoldsmithError]) -> GoldsmithError:
    """Return what a run ends with that no model came through: the only error as it is, or every one with its model."""
    first, *others = errors.values()
    if not others:
        return first
    return type(first)("no model could be evaluated\n" + "\n".join(f"  {name}: {error}" for name, error in errors.items()))
