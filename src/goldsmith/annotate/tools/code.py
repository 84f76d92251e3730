"""Running code: a block of a reply, as it is or changed, with the prompt's tests, in the sandbox; what comes of it is shown as text."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from goldsmith.annotate.pages import as_json
from goldsmith.annotate.tools.tool import Answer, Desk, Tool, ToolFailure
from goldsmith.annotate.tools.use import LeaseId, desk_of, use
from goldsmith.config.sandbox import SandboxConfig
from goldsmith.config.tools import CodeToolConfig, ToolsConfig
from goldsmith.errors import UserError
from goldsmith.evaluate.report.text import clean
from goldsmith.judge.programs import PromptTests, code_blocks, prompt_tests
from goldsmith.retrieve.text import plain_text
from goldsmith.sandbox import CodeResult, SandboxReport, run_code
from goldsmith.sandbox.check import known_report
from goldsmith.sandbox.launch import SandboxFailure
from goldsmith.sandbox.turns import SandboxBusy

LONGEST_CODE, LONGEST_TESTS = 60_000, 60_000
TOLD_CHARS = 600
"""Of each stream, in the record of the use; the vote need not carry all that a program printed."""
MB = 1 << 20
router = APIRouter(tags=["tools"])


class CodeBody(BaseModel):
    """What to run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Literal["python", "javascript"]
    code: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CODE)]
    tests: Annotated[str, StringConstraints(max_length=LONGEST_TESTS)] = ""


class BlocksBody(BaseModel):
    """Nothing: the pair says it all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@router.post("/api/leases/{lease_id}/tools/code")
async def code(request: Request, lease_id: LeaseId, body: CodeBody) -> Response:
    """Run a program."""
    return await use(request, TOOL, lease_id, _question(body), lambda desk: _ran(desk, body))


@router.post("/api/leases/{lease_id}/tools/code/blocks")
async def blocks(request: Request, lease_id: LeaseId, _body: BlocksBody) -> Response:
    """The code blocks of both replies and the prompt's tests, to choose from; no use of the tool yet."""
    desk = await run_in_threadpool(desk_of, request, TOOL, lease_id)
    return as_json({"answer": _blocks(desk), "failure": None})


def sandbox_report(rules: CodeToolConfig) -> SandboxReport:
    """Return whether there is a sandbox for the room."""
    return known_report(rules.sandbox or SandboxConfig())


def _settings(rules: ToolsConfig) -> dict[str, Any] | None:
    if not rules.code.on:
        return None
    report = sandbox_report(rules.code)
    if not report.works:
        return None
    limits = rules.code.sandbox or SandboxConfig()
    languages = [name for name, told in report.languages.items() if told.endswith(")")]
    return {"languages": languages, "seconds": limits.wall_s, "megabytes": limits.memory_mb}


def _blocks(desk: Desk) -> dict[str, Any]:
    record = desk.material.record
    found = [
        # Characters that reorder text stand there by their number, as in the formatted reply.
        {"place": place, "language": block.language, "code": clean(block.code)}
        for place, side in enumerate(desk.lease.shown_order, 1)
        for block in code_blocks(plain_text(record[side]))
    ]
    tests = _tests(record)
    return {"blocks": found, "tests": {"language": tests.language, "code": clean(tests.code)} if tests else None}


def _tests(record: dict[str, Any]) -> PromptTests | None:
    given = record.get("tests")
    if isinstance(given, dict):
        return PromptTests(str(given["language"]), str(given["code"]))
    return prompt_tests(record["context"])


def _question(body: CodeBody) -> str:
    return f"{body.language}\n{body.code}" + (f"\n# tests\n{body.tests}" if body.tests.strip() else "")


def _ran(desk: Desk, body: CodeBody) -> Answer:
    tests = body.tests if body.tests.strip() else None
    try:
        result = run_code(body.language, body.code, tests, config=desk.rules.code.sandbox)
    except SandboxBusy as busy:
        raise ToolFailure("busy", str(busy)) from None
    except (SandboxFailure, UserError) as failure:
        raise ToolFailure("sandbox", str(failure)) from None
    return Answer(shown=_shown(result), told=f"{_origin(desk, body.code)}: {_told(result)}")


def _shown(result: CodeResult) -> dict[str, Any]:
    return {
        "ended": result.ended,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "seconds": result.seconds,
        "megabytes": None if result.peak_bytes is None else round(result.peak_bytes / MB, 1),
        "tests": result.tests,
        "stdout": result.stdout.model_dump(),
        "stderr": result.stderr.model_dump(),
    }


def _told(result: CodeResult) -> str:
    ended = f"exit {result.exit_code}" if result.ended == "exit" else result.signal or result.ended
    parts = [f"{ended}, {result.seconds:.2f} s" + (f", tests {result.tests}" if result.tests else "")]
    parts += [
        f"{name}: {text[:TOLD_CHARS]}" for name, text in (("stdout", result.stdout.text), ("stderr", result.stderr.text)) if text
    ]
    return "\n".join(parts)


def _origin(desk: Desk, code: str) -> str:
    """Whose code ran: a reply's as it is, or somebody's own."""
    bare = code.strip()
    sides = [
        side
        for side in ("first", "second")
        if any(clean(block.code).strip() == bare for block in code_blocks(plain_text(desk.material.record[side])))
    ]
    return f"code of {' and '.join(sides)}" if sides else "code changed or own"


TOOL = Tool(name="code", key="P", router=router, settings=_settings)
