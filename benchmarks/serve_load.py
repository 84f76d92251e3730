"""`goldsmith serve` under load, and against the ways in which reward models are served elsewhere; SmolLM2-135M with a random head.

    python benchmarks/serve_load.py --check    load, field and best-of, within five minutes
    python benchmarks/serve_load.py --full     every part, ten minutes of load; goes on where it was killed (--work)
    python benchmarks/serve_load.py --full --part field    one part of it; what it found is kept for the whole

One request is one reply to a prompt that seven others share, as RL frameworks send them; texts are pieces of real ones, 30 to 250 tokens.
Parts. load: 64 clients; then 70 % and 300 % of the rate they reached, at random times; then a worker is killed. field: the same requests to
the other servers, 64 clients. best-of: 16 replies to a prompt of about 800 tokens in one request. cost: processor time of the process that
speaks HTTP, for a model that costs nothing. encoder: MiniLM with a random head of one label, pairs in requests of one, against infinity-emb;
it needs older libraries, so GOLDSMITH_INFINITY_PYTHON names the Python of an environment that holds it (design/serving.md says which).
Every answer is compared with its score in float32. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from goldsmith.reward.tiny import write_tiny_model
from load import clients, contenders
from load.encoders import SERVED, encoder_model, infinity, infinity_command, pair_samples
from load.rounds import Round, middle, ratio, rounds
from load.texts import Sample, samples
from speed.data import renderer_of
from speed.race import reward_model
from speed.table import Figure, load, save, show

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 64
CONTENDERS = ("goldsmith", "model-card", "serve-rm")
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.25}
"""How far an answer may be from its score in float32, times max(1, |score|); bfloat16 has the trunk's own error."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a part is to measure.

    Attributes:
        model: folder of the reward model.
        work: folder for what takes time to make.
        kept: file for the rounds that are done; none: nothing is kept.
    """

    model: Path
    dtype: str
    work: Path
    full: bool
    kept: Path | None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="short phases (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "serve_load")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--model", type=Path, help="another reward model's folder, to try the benchmark out")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part; may be given again")
    arguments = parser.parse_args()
    parts = arguments.part or (list(PARTS) if arguments.full else CHECKED)
    model = arguments.model or reward_model(arguments.work, renderer_of("embedded", 2048).pad_id)
    print(f"{arguments.model or 'SmolLM2-135M'}, {arguments.dtype}, {os.cpu_count()} processors", flush=True)
    return show([figure for part in parts for figure in measured(part, model, arguments)])


def measured(part: str, model: Path, arguments: argparse.Namespace) -> list[Figure]:
    """Return a part's figures; a full part that was measured before is read."""
    named = f"{part}-{arguments.model.name}" if arguments.model else part
    path = arguments.work / f"{named}-{arguments.dtype}-{'full' if arguments.full else 'check'}.json"
    found = load(path) if arguments.full else None
    if found is None:
        kept = path.with_suffix(".rounds.json") if arguments.full else None
        found = asyncio.run(PARTS[part](Job(model, arguments.dtype, arguments.work, arguments.full, kept)))
        if part != "encoder" or infinity_command():  # Without infinity there is still something to measure.
            save(path, found)
    return found


async def under_load(job: Job) -> list[Figure]:
    """The phases of one server's life under load."""
    groups = samples(job.model, 64)
    # The first minute fills the cache of prefixes, which is bounded; from then on memory must stay where it is.
    first, steady, short = (60.0, 420.0, 60.0) if job.full else (60.0, 20.0, 10.0)
    with contenders.goldsmith(job.model, job.dtype) as (url, pid):
        warm = await clients.closed(url, groups, clients=CLIENTS, seconds=first)
        before = memory(pid)
        peak = await clients.closed(url, groups, clients=CLIENTS, seconds=steady)
        grown = memory(pid) / before - 1
        _told("64 clients", peak)
        calm = await clients.open_loop(url, groups, rate=0.7 * peak.rate, seconds=short * 2)
        _told("70 % of the peak", calm)
        flood = await clients.open_loop(url, groups, rate=3 * peak.rate, seconds=short)
        _told("300 % of the peak", flood)
        recovered = await seconds_until_answered(url, groups[0][0])
        back, wrong = await killed(url, pid, groups)
    apart = max(seen.apart for seen in (warm, peak, calm, flood))
    errors = [error for seen in (warm, peak, calm, flood) for error in seen.errors]
    # Below its peak a server has no reason to refuse anybody, and refusals would flatter the latencies of the rest.
    errors += ["refused" for seen in (warm, peak, calm) for _ in seen.refused]
    return [
        Figure("64 clients: peak rate", peak.rate, None, "requests/s", note=f"{peak.tokens / peak.lasted:.0f} tokens/s"),
        Figure("errors, and refusals below 300 %", len(errors), 0, "", at_most=True, note=", ".join(sorted(set(errors))[:3])),
        Figure("memory grown after the first phase", 100 * grown, 3.0, "%", at_most=True, note=f"from {before / 2**20:.0f} MiB"),
        Figure(
            "p99 / p50 at 70 % of the peak",
            calm.quantile(0.99) / calm.quantile(0.5),
            8.0,
            "times",
            at_most=True,
            note=f"p50 {calm.quantile(0.5):.2f} s",
        ),
        Figure(
            "300 %: refused within, p99",
            1000 * _p99(flood.refused),
            100.0,
            "ms",
            at_most=True,
            note=f"slowest {1000 * max(flood.refused, default=0.0):.0f} ms; {len(flood.refused)} refused, {len(flood.seconds)} answered",
        ),
        Figure("300 %: accepted work against the peak", flood.rate / peak.rate, 0.8, "times"),
        Figure("300 %: answered again after", recovered, 5.0, "s", at_most=True),
        Figure("kill -9: answered again after", back, 5.0, "s", at_most=True),
        Figure("scores apart", max(apart, wrong), TOLERANCE[job.dtype], "", at_most=True, note="times max(1, |score|)"),
    ]


async def against_others(job: Job) -> list[Figure]:
    """The same requests to every server, in turns."""
    groups, requests = samples(job.model, 32), 256 if job.full else 96

    async def one_round() -> Round:
        found: Round = {}
        for name in CONTENDERS:
            with contenders.started(name, job.model, job.dtype) as (url, _):
                await clients.closed(url, groups[-4:], clients=8, seconds=600.0, requests=16)
                seen = _sound(name, await clients.closed(url, groups, clients=CLIENTS, seconds=600.0, requests=requests))
            found |= {name: seen.rate, f"{name} apart": seen.apart}
        return found

    found = await rounds(job.kept, 5 if job.full else 1, one_round)
    figures = [Figure("64 clients: Goldsmith", middle(found, "goldsmith"), None, "requests/s")]
    for name in CONTENDERS[1:]:
        told = f"{middle(found, name):.2f} requests/s"
        figures.append(Figure(f"64 clients: against {name}", ratio(found, "goldsmith", name), 3.0, "times", note=told))
    return [*figures, _apart("64 clients: scores apart", found, TOLERANCE[job.dtype])]


async def best_of_16(job: Job) -> list[Figure]:
    """Sixteen replies to one long prompt in one request, to every server in turns."""
    groups = samples(job.model, 6 if job.full else 2, prompt_words=(600,), replies=16)

    async def one_round() -> Round:
        found: Round = {}
        for name in CONTENDERS:
            with contenders.started(name, job.model, job.dtype) as (url, _):
                seen = _sound(name, await best_of(url, groups))
            found |= {name: median(seen.seconds), f"{name} apart": seen.apart}
        return found

    found = await rounds(job.kept, 5 if job.full else 1, one_round)
    ours = middle(found, "goldsmith")
    return [
        Figure(
            f"best of 16: against {name}",
            ratio(found, name, "goldsmith"),
            5.0,
            "times",
            note=f"{middle(found, name):.2f} s, ours {ours:.2f} s",
        )
        for name in CONTENDERS[1:]
    ] + [_apart("best of 16: scores apart", found, TOLERANCE[job.dtype])]


async def cost(job: Job) -> list[Figure]:
    """Processor time of a request beside the model: that of a tiny one, asked by a few clients."""
    model = write_tiny_model(job.work / "tiny", seed=1, num_labels=1, max_positions=2048)
    groups, requests = samples(model, 32), 2000
    with contenders.goldsmith(model, "float32") as (url, pid):
        await clients.closed(url, groups, clients=16, seconds=600.0, requests=200)
        process = psutil.Process(pid)
        before = process.cpu_times()
        seen = await clients.closed(url, groups, clients=16, seconds=600.0, requests=requests)
        after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    _told("tiny model", seen)
    return [
        Figure("processor time of the HTTP process", 1000 * spent / requests, None, "ms", note="for a request"),
        Figure("errors", len(seen.errors) + len(seen.refused), 0, "", at_most=True),
    ]


async def encoders(job: Job) -> list[Figure]:
    """The same pairs to ours and to infinity, in turns."""
    command, model = infinity_command(), encoder_model(job.work)
    groups, requests = pair_samples(model, 32), 2048 if job.full else 512
    names = ("goldsmith", "infinity") if command else ("goldsmith",)

    async def one_round() -> Round:
        found: Round = {}
        for name in names:
            ours = name == "goldsmith"
            form = clients.rerank("/vllm/rerank", "encoder") if ours else clients.rerank("/rerank", SERVED)
            start = contenders.goldsmith(model, "float32") if ours else infinity(str(command), model, job.work)
            with start as (url, _):
                await clients.closed(url, groups[-4:], clients=8, seconds=600.0, requests=64, form=form)
                seen = await clients.closed(url, groups, clients=CLIENTS, seconds=600.0, requests=requests, form=form)
            found |= {name: _sound(name, seen).rate, f"{name} apart": seen.apart}
        return found

    found = await rounds(job.kept if command else None, 5 if job.full else 3, one_round)
    figures = [Figure("encoder, 64 clients: Goldsmith", middle(found, "goldsmith"), None, "requests/s")]
    if command is None:
        print("no infinity_emb, so nothing is compared; GOLDSMITH_INFINITY_PYTHON names the Python that has it")
    else:
        told = f"{middle(found, 'infinity'):.1f} requests/s"
        figures.append(
            Figure("encoder, 64 clients: against infinity", ratio(found, "goldsmith", "infinity"), 1.0, "times", note=told)
        )
    return [*figures, _apart("encoder: scores apart", found, TOLERANCE["float32"])]


async def best_of(url: str, groups: list[list[Sample]]) -> clients.Seen:
    """Ask for 16 replies to a long prompt, each prompt once, after one reply to warm up."""
    warm, seen = clients.Seen(), clients.Seen()
    async with clients.connected() as http:
        await clients.ask(http, url, groups[0][:1], warm)
        for group in groups[1:]:
            await clients.ask(http, url, group, seen)
    return seen


async def killed(url: str, pid: int, groups: list[list[Sample]]) -> tuple[float, float]:
    """Kill the worker under load; return the seconds until an answer came, and the largest difference of a score meanwhile."""
    load_on = asyncio.create_task(clients.closed(url, groups, clients=16, seconds=12.0))
    await asyncio.sleep(3.0)
    (worker,) = [child for server in psutil.Process(pid).children() for child in server.children()]
    worker.send_signal(signal.SIGKILL)
    back = await seconds_until_answered(url, groups[0][0])
    seen = await load_on
    if seen.errors:
        raise SystemExit(f"FAILED: after the kill: {sorted(set(seen.errors))}")
    return back, seen.apart


async def seconds_until_answered(url: str, sample: Sample) -> float:
    """Return the seconds until a request is answered with a score."""
    begun, seen = time.perf_counter(), clients.Seen()
    async with clients.connected() as http:
        while await clients.ask(http, url, [sample], seen) != 200:
            if time.perf_counter() - begun > 60:
                raise SystemExit("FAILED: the server does not answer any more")
            await asyncio.sleep(0.1)
    return time.perf_counter() - begun


def memory(pid: int) -> float:
    """Return the bytes that a server and its workers hold for themselves."""
    process = psutil.Process(pid)
    return float(sum(one.memory_full_info().uss for one in [process, *process.children(recursive=True)]))


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * (len(seconds) - 1))] if seconds else float("inf")


def _sound(name: str, seen: clients.Seen) -> clients.Seen:
    """Return what a contender answered, told; it ends the run unless everything was answered."""
    _told(name, seen)
    if seen.errors or seen.refused:
        raise SystemExit(f"FAILED: {name}: {sorted(set(seen.errors))}, {len(seen.refused)} refused")
    return seen


def _apart(name: str, found: list[Round], allowed: float) -> Figure:
    """The largest difference of any server's score."""
    apart = max(value for one in found for key, value in one.items() if key.endswith(" apart"))
    return Figure(name, apart, allowed, "", at_most=True, note="every server")


def _told(name: str, seen: clients.Seen) -> None:
    print(
        f"  {name}: {len(seen.seconds)} answered ({seen.rate:.2f}/s), {len(seen.refused)} refused, {len(seen.errors)} errors, "
        f"p50 {seen.quantile(0.5):.2f} s, p99 {seen.quantile(0.99):.2f} s",
        flush=True,
    )


PARTS: dict[str, Callable[[Job], Awaitable[list[Figure]]]] = {
    "load": under_load,
    "field": against_others,
    "best-of": best_of_16,
    "cost": cost,
    "encoder": encoders,
}
CHECKED = ["load", "field", "best-of"]
"""What `--check` has the time for."""


if __name__ == "__main__":
    raise SystemExit(main())
