"""Runs a reply's code against unit tests, never in this process.

The child is a bare interpreter (`-I -S`) in an empty temporary folder with an empty environment, limits on processor time,
memory, file size and open files, and a time-out. Started as root on Linux it also loses the network and becomes an
unprivileged user. That is care for small functions of a small model, not a sandbox for hostile code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from typing import Any

TIMEOUT_S = 5.0
CONFINE = """
import collections, functools, itertools, math, random, re, string, typing
import ctypes, os, resource
for limit, value in [("CPU", 2), ("AS", 512 << 20), ("FSIZE", 1 << 20), ("NOFILE", 32), ("CORE", 0)]:
    resource.setrlimit(getattr(resource, "RLIMIT_" + limit), (value, value))
if os.geteuid() == 0:
    if hasattr(ctypes.CDLL(None), "unshare"):
        ctypes.CDLL(None).unshare(0x40000000)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""
"""Runs in the child before the reply's code. The modules that replies import come first: afterwards an unprivileged user may
be unable to read them. 0x40000000 is CLONE_NEWNET, a network of its own with nothing in it; 65534 is nobody."""


def code_of(reply: str) -> str:
    """Return the first fenced block of a reply, or, where none is opened, the reply up to a closing fence."""
    block = re.search(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", reply, re.DOTALL)
    return block.group(1) if block else reply.partition("```")[0]


def passes(reply: str, name: str, tests: list[Any]) -> bool:
    """Return whether the function `name` of the reply's code gives every expected result.

    Args:
        reply: the model's text.
        name: the function the prompt asked for.
        tests: pairs of (arguments, result), of values that `repr` writes and Python reads.
    """
    # Output of the reply's own code cannot be taken for success: the word is a fresh one that it does not know.
    token = os.urandom(8).hex()
    cases = [(tuple(arguments), result) for arguments, result in tests]
    script = (
        f"{CONFINE}\nspace = {{'__name__': 'reply'}}\nexec({code_of(reply)!r}, space)\n"
        f"for arguments, result in {cases!r}:\n"
        f"    found = space[{name!r}](*arguments)\n"
        "    assert found == result and isinstance(found, bool) == isinstance(result, bool)\n"
        f"print({token!r})\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        command = [sys.executable, "-I", "-S", "-"]
        try:
            done = subprocess.run(
                command, input=script, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=folder, env={}, check=False
            )
        except (subprocess.TimeoutExpired, UnicodeError):
            return False
    return done.returncode == 0 and done.stdout.rstrip().endswith(token)
