"""The languages that can be run: which program runs them, and how tests are put behind the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldsmith.config.sandbox import SandboxConfig
from goldsmith.errors import UserError
from goldsmith.sandbox.limits import MB, Limits

MOST_CHARS = 200_000
"""Of code and tests together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language.

    Attributes:
        name: as results and settings name it.
        aliases: as authors of Markdown name it after a fence.
        setting: key of `[sandbox]` that names its program.
        programs: paths that may run it, the best first.
        command: the command line that runs a file, by program, file and limits.
        file_name: of the program, by its text.
        signed_off: text after the tests that tells a descriptor a word when the end was reached; by word and descriptor.
    """

    name: str
    aliases: frozenset[str]
    setting: str
    programs: Callable[[SandboxConfig], list[str]]
    command: Callable[[str, str, Limits], list[str]]
    file_name: Callable[[str], str]
    signed_off: Callable[[str, int], str]


def language_named(name: str) -> Language:
    """Return a language by its name or one of its aliases.

    Raises:
        UserError: it is not one that can be run.
    """
    found = find_language(name)
    if found is None:
        raise UserError(f"the language '{name}' cannot be run; there are {', '.join(LANGUAGES)}")
    return found


def find_language(name: str) -> Language | None:
    """Return the language that a fence names, or None when it cannot be run."""
    wanted = name.strip().lower()
    return next((language for language in LANGUAGES.values() if wanted in language.aliases), None)


def with_tests(language: Language, source: str, tests: str, word: str, descriptor: int) -> str:
    """Return one program of code and tests, which writes `word` to the descriptor when the end of the tests was reached."""
    return f"{source}\n\n{tests}\n{language.signed_off(word, descriptor)}\n"


def _pythons(config: SandboxConfig) -> list[str]:
    if config.python:
        return [config.python]
    own = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}"
    return list(filter(os.path.exists, [str(own), "/usr/local/bin/python3", "/usr/bin/python3"]))


def _nodes(config: SandboxConfig) -> list[str]:
    if config.node:
        return [config.node]
    found = [shutil.which("node"), shutil.which("nodejs"), "/usr/local/bin/node", "/usr/bin/node"]
    return list(dict.fromkeys(path for path in found if path and os.path.exists(path)))


def _python_command(program: str, file: str, _limits: Limits) -> list[str]:
    """Isolated from the environment, and unbuffered: what a stopped program has printed is not lost."""
    return [program, "-I", "-B", "-u", "-X", "utf8", file]


def _node_command(program: str, file: str, limits: Limits) -> list[str]:
    """The heap has three quarters of the memory, so that it is Node.js that says what was too much."""
    return [program, f"--max-old-space-size={max(32, limits.memory_bytes * 3 // 4 // MB)}", file]


def _node_file(text: str) -> str:
    """`import` and `export` are understood in modules only."""
    return "main.mjs" if re.search(r"^\s*(?:import\s+[\w{*'\"]|export\s+[\w{*])", text, re.MULTILINE) else "main.cjs"


def _python_signed_off(word: str, descriptor: int) -> str:
    return f'__import__("os").write({descriptor}, b"{word}")'


def _node_signed_off(word: str, descriptor: int) -> str:
    """At the exit, so that tests that wait for something are waited for; `import()` is there in modules and in scripts."""
    told = f"if (code === 0) fs.writeSync({descriptor}, {json.dumps(word)});"
    return f'import("node:fs").then((fs) => process.on("exit", (code) => {{ {told} }}));'


LANGUAGES = {
    language.name: language
    for language in (
        Language(
            name="python",
            aliases=frozenset({"python", "py", "python3", "py3"}),
            setting="python",
            programs=_pythons,
            command=_python_command,
            file_name=lambda _text: "main.py",
            signed_off=_python_signed_off,
        ),
        Language(
            name="javascript",
            aliases=frozenset({"javascript", "js", "node", "nodejs", "mjs", "cjs"}),
            setting="node",
            programs=_nodes,
            command=_node_command,
            file_name=_node_file,
            signed_off=_node_signed_off,
        ),
    )
}
