import pytest

from goldsmith.llm.retry import MAX_DELAY_S, Attempt, delay_s, parse_retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("0.25", 0.25),
        ("-1", 0.0),
        # 784111777 is Sun, 06 Nov 1994 08:49:37 GMT (the example of RFC 9110), 7 s after the given now.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 7.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert parse_retry_after({"retry-after": text}, now=784111770.0) == seconds


def test_delays_double_within_their_jitter_and_end_at_the_cap() -> None:
    attempt = Attempt(cause="timeout")
    for number, middle in [(0, 1.0), (1, 2.0), (2, 4.0), (20, MAX_DELAY_S)]:
        delay = delay_s(attempt, number, "key", seed=0, base_s=1.0)
        assert 0.5 * middle <= delay < 1.5 * middle
        assert delay == delay_s(attempt, number, "key", seed=0, base_s=1.0)
    assert delay_s(attempt, 1, "key", seed=0) != delay_s(attempt, 1, "key", seed=1)


def test_the_servers_word_goes_first() -> None:
    assert delay_s(Attempt(cause="status", status=429, retry_after_s=42.0), 0, "key", seed=0) == 42.0


@pytest.mark.parametrize(
    ("attempt", "may_retry", "kind"),
    [
        (Attempt(cause="status", status=429), True, "rate-limited"),
        (Attempt(cause="status", status=500), True, "server-error"),
        (Attempt(cause="status", status=529), True, "server-error"),
        (Attempt(cause="status", status=400), False, "refused"),
        (Attempt(cause="status", status=422), False, "refused"),
        (Attempt(cause="timeout"), True, "timeout"),
        (Attempt(cause="lost"), True, "connection-lost"),
    ],
)
def test_only_what_may_pass_is_retried(attempt: Attempt, may_retry: bool, kind: str) -> None:
    assert attempt.may_retry is may_retry
    assert attempt.failure_kind == kind
