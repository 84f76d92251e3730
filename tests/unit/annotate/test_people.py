"""Accounts: passwords, invitations, roles, limits on guessing, sessions."""

from __future__ import annotations

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from annotation_site import Site, make_site
from goldsmith.annotate.people.passwords import hash_password, is_right
from goldsmith.gold.schema import EVENTS, PEOPLE, SESSIONS

PASSWORD = "correct horse battery"


def _set_password(site: Site, name: str) -> None:
    with site.here.room.database.write() as connection:
        connection.execute(
            PEOPLE.update().where(PEOPLE.c.email == f"{name}@example.org").values(password_hash=hash_password(PASSWORD))
        )


def _sign_in(client: Any, email: str, password: str, **more: Any) -> Any:
    csrf = client.get("/sign-in").json()["page"]["csrf"]
    return client.post("/sign-in", data={"email": email, "password": password, "csrf": csrf, **more}, follow_redirects=False)


def test_signing_in_and_out_with_a_cookie_no_script_can_read(site: Site) -> None:
    site.here.add("ann")
    _set_password(site, "ann")
    client = site.visitor()
    answer = _sign_in(client, "Ann@Example.org ", PASSWORD, next="/history")
    assert (answer.status_code, answer.headers["location"]) == (303, "/history")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    page = client.get("/work").json()["page"]
    assert (page["person"]["name"], page["person"]["can"]) == ("ann", ["vote"])
    token = client.cookies["goldsmith_session"]
    client.post("/sign-out", data={"csrf": page["csrf"]})
    client.cookies.set("goldsmith_session", token)
    assert client.get("/api/standing").status_code == 401


def test_the_database_holds_neither_tokens_nor_passwords(site: Site) -> None:
    site.here.add("ann")
    _set_password(site, "ann")
    client = site.visitor()
    _sign_in(client, "ann@example.org", PASSWORD)
    with site.here.room.database.read() as connection:
        stored = str([list(connection.execute(sa.select(table))) for table in (SESSIONS, PEOPLE, EVENTS)])
    assert client.cookies["goldsmith_session"] not in stored
    assert PASSWORD not in stored
    assert "$argon2id$" in stored


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: y"]
)
def test_signing_in_never_leads_to_another_site(site: Site, where: str) -> None:
    site.here.add("ann")
    _set_password(site, "ann")
    assert _sign_in(site.visitor(), "ann@example.org", PASSWORD, next=where).headers["location"] == "/"


def test_a_wrong_password_and_a_wrong_name_are_answered_alike(site: Site) -> None:
    site.here.add("ann")
    _set_password(site, "ann")
    answers = [
        _sign_in(site.visitor(), email, "guess guess guess")
        for email in ("ann@example.org", "nobody@example.org", "no address", "a\x00@b.c")
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(401, "wrong")] * 4


def test_guessing_has_to_wait_and_then_may_go_on(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", sign_ins_per_quarter=3)
    site.here.add("ann")
    _set_password(site, "ann")
    client = site.visitor()
    for _ in range(3):
        assert _sign_in(client, "ann@example.org", "guess guess guess").status_code == 401
    refused = _sign_in(client, "ann@example.org", PASSWORD)
    assert (refused.status_code, refused.json()["error"]) == (429, "too-many")
    assert 0 < refused.json()["wait_seconds"] <= 901
    site.here.clock.now += 901
    assert _sign_in(client, "ann@example.org", PASSWORD).status_code == 303
    site.here.room.close()


def test_a_burst_of_guesses_gets_no_more_of_them_than_one_after_the_other(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", sign_ins_per_quarter=3)
    site.here.add("ann")
    _set_password(site, "ann")
    clients = [site.visitor() for _ in range(12)]
    values = [client.get("/sign-in").json()["page"]["csrf"] for client in clients]
    together = threading.Barrier(len(clients))

    def guess(client: Any, csrf: str) -> int:
        together.wait()
        form = {"email": "ann@example.org", "password": "guess guess guess", "csrf": csrf}
        return int(client.post("/sign-in", data=form, follow_redirects=False).status_code)

    with ThreadPoolExecutor(len(clients)) as pool:
        told = Counter(pool.map(guess, clients, values))
    assert told == {401: 3, 429: 9}
    site.here.room.close()


def test_a_form_without_its_value_is_shown_again(site: Site) -> None:
    site.here.add("ann")
    _set_password(site, "ann")
    answer = site.visitor().post("/sign-in", data={"email": "ann@example.org", "password": PASSWORD, "csrf": "x"})
    assert (answer.status_code, answer.json()["error"]) == (403, "form-expired")


def test_an_invitation_makes_one_account_once(site: Site) -> None:
    lead = site.browser("lea", "lead")
    answer = lead.form("/lead/people/invite", email="New@Example.org", role="annotator", tags="Math, code,math")
    path = re.sub(r"^https://testserver", "", answer.json()["invited"]["url"])
    assert "invited" in lead.get("/lead/people").json()
    assert lead.get("/lead/people").json()["invited"] is None
    client = site.visitor()
    page = client.get(path).json()
    assert (page["email"], page["role"]) == ("new@example.org", "annotator")
    fields = {"name": "New", "csrf": page["page"]["csrf"]}
    assert client.post(path, data={**fields, "password": "short"}).json()["error"] == "short"
    assert client.post(path, data={**fields, "password": PASSWORD}, follow_redirects=False).status_code == 303
    assert client.get("/me").json()["tags"] == ["code", "math"]
    assert site.visitor().get(path).json()["status"] == 404
    assert _sign_in(site.visitor(), "new@example.org", PASSWORD).status_code == 303


def test_an_invitation_runs_out_after_two_weeks(site: Site) -> None:
    lead = site.browser("lea", "lead")
    url = lead.form("/lead/people/invite", email="new@example.org", role="expert").json()["invited"]["url"]
    site.here.clock.now += 14 * 86_400 + 1
    assert site.visitor().get(url).status_code == 404


@pytest.mark.parametrize(
    ("role", "email", "given", "error"),
    [
        ("lead", "x@example.org", "lead", "role"),
        ("lead", "x@example.org", "admin", "role"),
        ("lead", "x@example.org", "king", "role"),
        ("lead", "no address", "annotator", "email"),
        ("lead", "boss@example.org", "annotator", "exists"),
        ("admin", "x@example.org", "admin", None),
    ],
)
def test_who_may_invite_whom(site: Site, role: str, email: str, given: str, error: str | None) -> None:
    boss = site.browser("boss", role)
    assert boss.form("/lead/people/invite", email=email, role=given).json()["error"] == error


def test_a_lead_cannot_touch_an_admin_and_nobody_their_own_role(site: Site) -> None:
    lead, admin = site.browser("lea", "lead"), site.browser("ada", "admin")
    site.here.add("ann")
    ids = {name: person.person_id for name, person in site.here.people.items()}
    assert lead.form(f"/lead/people/{ids['ada']}", role="annotator").status_code == 403
    assert lead.form(f"/lead/people/{ids['ann']}", role="lead").status_code == 403
    assert admin.form(f"/lead/people/{ids['ada']}", role="annotator").status_code == 403
    assert (
        lead.form(f"/lead/people/{ids['ann']}", role="expert", tags="math", daily_limit="5", hourly_cost="12.5").status_code
        == 303
    )
    ann = next(row for row in lead.get("/lead/people").json()["people"] if row["name"] == "ann")
    assert (ann["role"], ann["tags"], ann["daily_limit"], ann["hourly_cost"]) == ("expert", ["math"], 5, 12.5)


def test_a_disabled_account_is_out_at_once(site: Site) -> None:
    admin, ann = site.browser("ada", "admin"), site.browser("ann")
    assert ann.get("/api/standing").status_code == 200
    admin.form(f"/lead/people/{site.here.people['ann'].person_id}", role="annotator", state="disabled")
    assert ann.get("/api/standing").status_code == 401


def test_a_new_password_ends_the_other_sessions(site: Site) -> None:
    here, elsewhere = site.browser("ann"), site.browser("ann")
    _set_password(site, "ann")
    assert here.form("/me/password", old="guess guess", new=PASSWORD + "!").status_code == 422
    assert here.form("/me/password", old=PASSWORD, new=PASSWORD + "!").headers["location"] == "/me?saved=1"
    assert here.get("/api/standing").status_code == 200
    assert elsewhere.get("/api/standing").status_code == 401


def test_a_session_ends_after_hours_without_a_request(site: Site) -> None:
    ann = site.browser("ann")
    for _ in range(3):
        site.here.clock.now += 11 * 3600
        assert ann.get("/api/standing").status_code == 200
    site.here.clock.now += 13 * 3600
    assert ann.get("/api/standing").status_code == 401
    assert ann.get("/work").headers["location"] == "/sign-in?next=/work"


def test_argon2id_by_its_own_words() -> None:
    assert hash_password(PASSWORD).startswith("$argon2id$")
    assert is_right(PASSWORD, hash_password(PASSWORD))
    assert not is_right("another", hash_password(PASSWORD))
    assert not is_right(PASSWORD, None)
    assert not is_right(PASSWORD, "no hash")


def test_a_language_is_kept(site: Site) -> None:
    ann = site.browser("ann")
    assert ann.form("/language", lang="zh", next="/history").headers["location"] == "/history"
    assert ann.get("/work").json()["page"]["lang"] == "zh"
    assert ann.form("/language", lang="xx").status_code == 422
    assert site.visitor().get("/sign-in", headers={"Accept-Language": "zh-CN"}).json()["page"]["lang"] == "zh"
