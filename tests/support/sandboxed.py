"""Code that runs in the sandbox on behalf of root or of an ordinary user, whoever runs the tests."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from goldsmith.sandbox import check_sandbox

ORDINARY = 65_533
"""Not the user that root's programs run as."""
USERS = ("root", "ordinary")


def as_user(user: str, work: Callable[[], Any]) -> Any:
    """Return what `work` returns (JSON) in a process of this user."""
    if user == "root" and os.geteuid() != 0:
        reason = "only root can run things as root"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        _child(user, work, into)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        told = json.loads(stream.read() or '{"error": "the process died"}')
    os.waitpid(child, 0)
    assert "error" not in told, told["error"]
    return told["value"]


def uid_of(user: str) -> int:
    """Whom a program runs as, seen from outside, that this user starts."""
    return 65_534 if user == "root" else ORDINARY if os.geteuid() == 0 else os.geteuid()


def require_sandbox() -> None:
    """Skip where there is no sandbox, and fail where CI says there must be one."""
    report = check_sandbox()
    if not report.works:
        reason = f"there is no sandbox here: {report.why_not}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def _child(user: str, work: Callable[[], Any], into: int) -> None:
    try:
        if user == "ordinary" and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(ORDINARY)
            os.setuid(ORDINARY)
        told = {"value": work()}
    except BaseException:
        told = {"error": traceback.format_exc()}
    with os.fdopen(into, "wb") as stream:
        stream.write(json.dumps(told).encode())
    os._exit(0)
