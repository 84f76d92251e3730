"""As whom programs run: as the ordinary user that started Goldsmith, or, where that is root, as one that owns nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """A user id outside the sandbox; inside, every program is 65534.

    Attributes:
        uid: the user.
        is_dropped: whether Goldsmith, started as root, gives up its own id for the run: limits on processes do not bind root,
            and what root may read nothing else guards as well.
    """

    uid: int
    is_dropped: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Return what `subprocess.Popen` needs to start a process as this user."""
        return {"user": self.uid, "group": self.uid, "extra_groups": []} if self.is_dropped else {}


def account_for(uid: int) -> Account:
    """Return whom programs run as.

    Args:
        uid: the user for programs where Goldsmith runs as root.
    """
    is_root = os.geteuid() == 0
    return Account(uid if is_root else os.geteuid(), is_dropped=is_root)
