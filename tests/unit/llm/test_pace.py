"""The limit on calls in flight, against simulated servers in simulated time."""

import heapq
import random
from collections.abc import Callable
from itertools import count

import pytest

from goldsmith.llm.pace import START, Ended, Pace, Ticket

Server = Callable[[float, int], tuple[float, Ended]]
"""From the moment and the calls already inside, to how long a call takes and how it ends."""


def simulate(server: Server, most: int, seconds: float) -> tuple[Pace, list[tuple[float, Ended, int]]]:
    """Keep a server as busy as the pace allows; return the pace, and (moment, end, limit) of every call."""
    pace, now, order = Pace(most), 0.0, count()
    under_way: list[tuple[float, int, Ticket, Ended, float]] = []
    ended: list[tuple[float, Ended, int]] = []
    while now < seconds:
        while pace.has_room:
            latency, how = server(now, pace.in_flight)
            heapq.heappush(under_way, (now + latency, next(order), pace.begin("kind"), how, latency))
        now, _, ticket, how, latency = heapq.heappop(under_way)
        pace.end(ticket, how, latency)
        ended.append((now, how, pace.limit))
    return pace, ended


def answered(ended: list[tuple[float, Ended, int]], after: float, before: float = 1e9) -> int:
    return sum(how == "answered" and after <= moment < before for moment, how, _ in ended)


def test_a_patient_server_gets_all_it_may_within_a_few_answers_each() -> None:
    pace, ended = simulate(lambda now, inside: (1.0, "answered"), 64, 60.0)
    assert pace.limit == 64
    # 8, 16, 32 calls in the first three seconds, then 64 in each.
    assert answered(ended, 0.0, 4.5) == START + 16 + 32 + 64
    assert answered(ended, 4.5, 54.5) == 50 * 64


def test_never_more_than_allowed() -> None:
    for most in (1, 2, 5, 64):
        _, ended = simulate(lambda now, inside: (0.1, "answered"), most, 20.0)
        assert max(limit for _, _, limit in ended) <= most


def test_refusals_bring_the_limit_near_what_the_server_lets_in() -> None:
    def lets_in_20(now: float, inside: int) -> tuple[float, Ended]:
        return (1.0, "answered") if inside < 20 else (0.001, "refused")

    _, ended = simulate(lets_in_20, 64, 300.0)
    settled = [limit for moment, _, limit in ended if moment > 10.0]
    assert max(settled) <= 21
    assert min(settled) >= 10
    # 20 a second is the ideal.
    assert answered(ended, 10.0, 300.0) >= 0.8 * 20 * 290
    assert sum(how == "refused" for _, how, _ in ended) <= 0.05 * len(ended)


def test_a_queue_behind_few_slots_is_not_filled_without_end() -> None:
    # Eight slots of one second each: whatever comes on top waits for its turn.
    free_at = [0.0] * 8

    def queue(now: float, inside: int) -> tuple[float, Ended]:
        done = max(now, heapq.heappop(free_at)) + 1.0
        heapq.heappush(free_at, done)
        return (done - now, "answered")

    pace, ended = simulate(queue, 1000, 600.0)
    assert 8 <= pace.limit <= 64
    assert answered(ended, 60.0, 600.0) >= 0.95 * 8 * 540


def test_a_server_that_slows_down_gets_fewer_and_then_more_again() -> None:
    def slow_for_a_while(now: float, inside: int) -> tuple[float, Ended]:
        return (10.0 if 100 <= now < 300 else 1.0, "answered")

    _, ended = simulate(slow_for_a_while, 64, 500.0)
    limits = {second: limit for moment, _, limit in ended for second in [int(moment)]}
    assert limits[99] == 64
    assert min(limit for second, limit in limits.items() if 200 <= second < 300) <= 32
    assert limits[499] >= 60


def test_a_few_failures_in_passing_cost_little_and_many_much() -> None:
    generator = random.Random(0)

    def sporadic(now: float, inside: int) -> tuple[float, Ended]:
        return (1.0, "failed" if generator.random() < 0.01 else "answered")

    _, ended = simulate(sporadic, 64, 300.0)
    assert answered(ended, 10.0, 300.0) >= 0.9 * 64 * 290
    pace, _ = simulate(lambda now, inside: (1.0, "failed"), 64, 30.0)
    assert pace.limit == 1


def test_it_recovers_after_an_outage() -> None:
    def outage(now: float, inside: int) -> tuple[float, Ended]:
        return (1.0, "failed" if 50 <= now < 80 else "answered")

    _, ended = simulate(outage, 64, 400.0)
    limits = {int(moment): limit for moment, _, limit in ended}
    assert limits[79] == 1
    assert limits[399] >= 60


def test_latencies_that_differ_tenfold_do_not_hold_it_down() -> None:
    # Replies differ in length: a lognormal with sigma 1 spreads from a third to three times the median in two thirds of the calls.
    generator = random.Random(1)
    pace, _ = simulate(lambda now, inside: (generator.lognormvariate(0.0, 1.0), "answered"), 64, 600.0)
    assert pace.limit >= 48


def test_kinds_of_calls_are_compared_with_their_own_kind() -> None:
    pace = Pace(64)
    for kind, latency in [("short", 1.0)] * 200 + [("long", 20.0)] * 200:
        pace.end(pace.begin(kind), "answered", latency)
    assert pace.cuts == 0


def test_the_limit_grows_only_while_it_is_what_holds_calls_back() -> None:
    pace = Pace(64)
    for _ in range(500):
        pace.end(pace.begin("kind"), "answered", 1.0)
    assert pace.limit == START


def test_calls_that_began_before_a_cut_do_not_cut_again() -> None:
    pace = Pace(64)
    tickets = [pace.begin("kind") for _ in range(START)]
    for ticket in tickets:
        pace.end(ticket, "refused")
    # 8 x 0.7, once.
    assert (pace.limit, pace.cuts, pace.in_flight) == (5, 1, 0)


@pytest.mark.parametrize("ended", ["answered", "refused", "failed", "stopped"])
def test_every_end_frees_the_place(ended: Ended) -> None:
    pace = Pace(1)
    ticket = pace.begin("kind")
    assert not pace.has_room
    pace.end(ticket, ended, 1.0)
    assert pace.has_room
