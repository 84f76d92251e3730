"""`goldsmith serve` under load, and against the ways in which reward models are served elsewhere; SmolLM2-135M with a random head.

    python benchmarks/serve_load.py --check    within five minutes
    python benchmarks/serve_load.py --full     ten minutes of load; resumable (--work)
    python benchmarks/serve_load.py --part encoder --infinity VENV/bin/infinity_emb

One request is one reply to a prompt that seven others share, as RL frameworks send them; texts are pieces of real ones, 30 to 250 tokens.
Load: 64 clients; then 70 % and 300 % of the rate they reached, at random times; then a worker is killed. Against others: the same requests,
64 clients; and best of 16 on a prompt of about 800 tokens in one request. Cost: processor time of the process that speaks HTTP, for a model
that costs nothing. Encoder: MiniLM with a random head of one label, pairs in requests of one, against infinity-emb where that is installed
(it needs older libraries, so a virtual environment of its own). Every answer is compared with its score in float32. Needs GOLDSMITH_DATA.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path
from statistics import median

import psutil

from goldsmith.reward.tiny import write_tiny_model
from load import clients, contenders
from load.encoders import encoder_model, infinity, infinity_command, pair_samples
from load.texts import Sample, samples
from speed.data import renderer_of
from speed.race import reward_model
from speed.table import Figure, load, save, show

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 64
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.25}
"""How far an answer may be from its score in float32, times max(1, |score|); bfloat16 has the trunk's own error."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="short phases (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "serve_load")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--model", type=Path, help="another reward model's folder, to try the benchmark out")
    parser.add_argument("--part", choices=["load", "field", "cost", "encoder"], help="only this part")
    parser.add_argument("--infinity", help="the program infinity_emb, for the part `encoder`; that on the PATH unless given")
    arguments = parser.parse_args()
    if arguments.part == "encoder":
        return show(asyncio.run(encoders(arguments.work, infinity_command(arguments.infinity), arguments.full)))
    if arguments.part == "cost":
        return show(asyncio.run(cost(arguments.work)))
    model = arguments.model or reward_model(arguments.work, renderer_of("embedded", 2048).pad_id)
    print(f"{arguments.model or 'SmolLM2-135M'}, {arguments.dtype}, {os.cpu_count()} processors", flush=True)
    figures: list[Figure] = []
    for part, run in (("load", under_load), ("field", against_others)):
        if arguments.part in (None, part):
            path = arguments.work / f"{part}-{arguments.dtype}-{'full' if arguments.full else 'check'}.json"
            found = load(path) if arguments.full else None
            if found is None:
                found = asyncio.run(run(model, arguments.dtype, arguments.full))
                save(path, found)
            figures += found
    return show(figures)


async def under_load(model: Path, dtype: str, full: bool) -> list[Figure]:
    """The phases of one server's life under load."""
    groups = samples(model, 64)
    # The first minute fills the cache of prefixes, which is bounded; from then on memory must stay where it is.
    first, steady, short = (60.0, 420.0, 60.0) if full else (60.0, 20.0, 10.0)
    with contenders.goldsmith(model, dtype) as (url, pid):
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
    errors = [error for seen in (warm, peak, calm, flood) for error in seen.errors] + [*map(str, peak.refused)]
    return [
        Figure("64 clients: peak rate", peak.rate, None, "requests/s", note=f"{peak.tokens / peak.lasted:.0f} tokens/s"),
        Figure("errors, and refusals of 64 clients", len(errors), 0, "", at_most=True, note=", ".join(sorted(set(errors))[:3])),
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
            note=f"{len(flood.refused)} refused, {len(flood.seconds)} answered",
        ),
        Figure("300 %: accepted work against the peak", flood.rate / peak.rate, 0.8, "times"),
        Figure("300 %: answered again after", recovered, 5.0, "s", at_most=True),
        Figure("kill -9: answered again after", back, 5.0, "s", at_most=True),
        Figure("scores apart", max(apart, wrong), TOLERANCE[dtype], "", at_most=True, note="times max(1, |score|)"),
    ]


async def against_others(model: Path, dtype: str, full: bool) -> list[Figure]:
    """The same requests to every server, in turns."""
    groups, long = samples(model, 32), samples(model, 6 if full else 2, prompt_words=(600,), replies=16)
    rounds, requests = (5, 256) if full else (1, 96)
    rates: dict[str, list[float]] = {}
    best: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in ("goldsmith", "model-card", "serve-rm"):
            start = contenders.goldsmith(model, dtype) if name == "goldsmith" else contenders.other(name, model, dtype)
            with start as (url, _):
                await clients.closed(url, groups[-4:], clients=8, seconds=600.0, requests=16)
                seen = await clients.closed(url, groups, clients=CLIENTS, seconds=600.0, requests=requests)
                rates.setdefault(name, []).append(seen.rate)
                _told(name, seen)
                best.setdefault(name, []).append(await best_of(url, long))
    figures = [Figure("64 clients: Goldsmith", median(rates["goldsmith"]), None, "requests/s")]
    for name in ("model-card", "serve-rm"):
        ratio = median(ours / theirs for ours, theirs in zip(rates["goldsmith"], rates[name], strict=True))
        figures.append(Figure(f"64 clients: against {name}", ratio, 3.0, "times", note=f"{median(rates[name]):.2f} requests/s"))
        ratio = median(theirs / ours for ours, theirs in zip(best["goldsmith"], best[name], strict=True))
        figures.append(
            Figure(
                f"best of 16: against {name}",
                ratio,
                5.0,
                "times",
                note=f"{median(best[name]):.2f} s, ours {median(best['goldsmith']):.2f} s",
            )
        )
    return figures


async def cost(work: Path) -> list[Figure]:
    """Processor time of a request beside the model: that of a tiny one, asked by a few clients."""
    model = write_tiny_model(work / "tiny", seed=1, num_labels=1, max_positions=2048)
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


async def encoders(work: Path, command: str | None, full: bool) -> list[Figure]:
    """The same pairs to ours and to infinity, in turns."""
    model = encoder_model(work)
    groups, rounds, requests = pair_samples(model, 32), 5 if full else 3, 2048 if full else 512
    rates: dict[str, list[float]] = {}
    apart = 0.0
    for _ in range(rounds):
        for name in ("goldsmith", "infinity")[: 1 if command is None else 2]:
            ours = name == "goldsmith"
            start = contenders.goldsmith(model, "float32") if ours else infinity(str(command), model, work)
            form = clients.rerank("/vllm/rerank" if ours else "/rerank", "encoder" if ours else str(model))
            with start as started:
                url = started[0] if isinstance(started, tuple) else started
                await clients.closed(url, groups[-4:], clients=8, seconds=600.0, requests=64, form=form)
                seen = await clients.closed(url, groups, clients=CLIENTS, seconds=600.0, requests=requests, form=form)
            _told(name, seen)
            if seen.errors or seen.refused:
                raise SystemExit(f"FAILED: {name}: {sorted(set(seen.errors))}, {len(seen.refused)} refused")
            rates.setdefault(name, []).append(seen.rate)
            apart = max(apart, seen.apart)
    figures = [Figure("encoder, 64 clients: Goldsmith", median(rates["goldsmith"]), None, "requests/s")]
    if command is None:
        print("infinity_emb is not installed here, so nothing is compared; name it with --infinity")
    else:
        ratio = median(ours / theirs for ours, theirs in zip(rates["goldsmith"], rates["infinity"], strict=True))
        told = f"{median(rates['infinity']):.1f} requests/s"
        figures.append(Figure("encoder, 64 clients: against infinity", ratio, 1.0, "times", note=told))
    return [*figures, Figure("encoder: scores apart", apart, TOLERANCE["float32"], "", at_most=True, note="both servers")]


async def best_of(url: str, groups: list[list[Sample]]) -> float:
    """Return the median seconds of one request with 16 replies to a long prompt, each prompt once, after one reply to warm up."""
    warm, seen = clients.Seen(), clients.Seen()
    async with clients.connected() as http:
        await clients.ask(http, url, groups[0][:1], warm)
        for group in groups[1:]:
            await clients.ask(http, url, group, seen)
    if seen.errors or seen.refused:
        raise SystemExit(f"FAILED: best of 16 was not answered: {seen.errors} {seen.refused}")
    return median(seen.seconds)


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


def _told(name: str, seen: clients.Seen) -> None:
    print(
        f"  {name}: {len(seen.seconds)} answered ({seen.rate:.2f}/s), {len(seen.refused)} refused, {len(seen.errors)} errors, "
        f"p50 {seen.quantile(0.5):.2f} s, p99 {seen.quantile(0.99):.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
