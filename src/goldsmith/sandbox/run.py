"""Running a program: the one way in, for the annotation room, for automatic checks and for the command line."""

from __future__ import annotations

from goldsmith.config.sandbox import SandboxConfig
from goldsmith.errors import UserError
from goldsmith.sandbox.check import SandboxOff, require
from goldsmith.sandbox.execute import execute
from goldsmith.sandbox.languages import MOST_CHARS, language_named
from goldsmith.sandbox.limits import Limits
from goldsmith.sandbox.result import CodeResult
from goldsmith.sandbox.turns import turns


def run_code(
    language: str,
    source: str,
    tests: str | None = None,
    limits: Limits | None = None,
    config: SandboxConfig | None = None,
) -> CodeResult:
    """Return what a program did, in the sandbox; whatever it does is a result and no error.

    Args:
        language: `python`, `javascript`, or a name that authors give these (`py`, `js`).
        source: the program.
        tests: a program that is run behind it, in the same process: `assert`s, for instance.
        limits: what it may use; none: those of `config`.
        config: the `[sandbox]` section; none: its defaults.

    Raises:
        SandboxOff: there is no sandbox here, or it lacks this language.
        SandboxBusy: too many programs run already.
        SandboxFailure: the sandbox could not be made this time.
        UserError: no such language, or the program is too long.
    """
    settings = config or SandboxConfig()
    found = language_named(language)
    num_chars = len(source) + len(tests or "")
    if num_chars > MOST_CHARS:
        raise UserError(f"the program has {num_chars:,} characters, more than {MOST_CHARS:,}; run a shorter one")
    runtime = require(settings)
    if found.name not in runtime.paths:
        raise SandboxOff(runtime.report.languages[found.name])
    with turns(settings.at_once).turn(settings.wait_s):
        return execute(found, runtime.paths[found.name], source, tests, limits or Limits.of(settings), runtime.account)
