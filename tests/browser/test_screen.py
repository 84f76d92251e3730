"""What can go wrong while people work: no connection, two tabs, a change of mind, a vote too fast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from goldsmith.gold.schema import CHECK_ITEMS
from goldsmith.identity import canonical_json
from live_room import LiveRoom, live_room
from screen import key_for, prefer, wait_for_task
from voting_room import item

CHECKS = {
    "first": [{"model": "judge-8b", "outcome": "incorrect", "reason": "The sum is wrong."}],
    "second": [{"model": "judge-8b", "outcome": "correct", "reason": "All steps hold."}],
}


def test_a_vote_given_offline_waits_visibly_and_is_sent_once(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.context.set_offline(True)
    page.keyboard.press(key_for(page, "a p1"))
    page.keyboard.press("Enter")
    page.locator("[data-name=queue]").wait_for()
    assert "1 vote waits in this browser" in page.locator("[data-name=queue]").inner_text()
    assert room.votes() == []
    page.context.set_offline(False)
    wait_for_task(page, "a p2")
    assert [vote.choice for vote in room.votes("p1")] == ["first"]
    assert page.locator("[data-name=queue]").count() == 0


def test_a_vote_given_offline_outlives_the_closed_browser(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.context.set_offline(True)
    page.keyboard.press(key_for(page, "a p1"))
    page.keyboard.press("Enter")
    page.locator("[data-name=queue]").wait_for()
    context = page.context
    page.close()
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{room.url}/work")
    wait_for_task(page, "a p2")
    assert len(room.votes("p1")) == 1


def test_an_offline_vote_can_be_taken_back(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.context.set_offline(True)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.locator("[data-name=queue]").wait_for()
    page.keyboard.press("u")
    page.locator("[data-name=queue]").wait_for(state="detached")
    assert page.locator("input[name=choice][value=tie]").is_checked()
    page.context.set_offline(False)
    prefer(page, "a p1")
    assert [vote.choice for vote in room.votes("p1")] == ["first"]


def test_a_database_that_is_down_loses_no_vote(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    down = {"status": 503, "json": {"error": {"code": "unavailable", "message": "the database does not answer"}}}
    page.route("**/api/votes", lambda route: route.fulfill(**down))
    page.keyboard.press(key_for(page, "a p1"))
    page.keyboard.press("Enter")
    page.locator("[data-name=queue]").wait_for()
    page.unroute("**/api/votes")
    wait_for_task(page, "a p2")
    assert len(room.votes("p1")) == 1


def test_two_tabs_of_one_person_show_one_pair_and_count_one_vote(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    one = person(room, "ann", "/work")
    wait_for_task(one, "a p1")
    two = one.context.new_page()
    two.goto(f"{room.url}/work")
    wait_for_task(two, "a p1")
    prefer(two, "a p1")
    wait_for_task(two, "a p2")
    wait_for_task(one, "a p2")
    assert len(room.votes()) == 1


def test_the_models_opinion_comes_after_the_first_choice_and_a_change_is_recorded(
    room: LiveRoom, person: Callable[..., Any]
) -> None:
    room.fill([item("p1") | {"checks": CHECKS}])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    assert "judge-8b" not in page.content()
    page.keyboard.press(key_for(page, "a p1"))
    page.get_by_text("All steps hold.").wait_for()
    prefer(page, "b p1")
    assert [(vote.choice, vote.changed_after_hint) for vote in room.votes()] == [("second", True)]


def test_a_vote_can_be_undone_and_given_otherwise(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/work")
    prefer(page, "a p1")
    wait_for_task(page, "a p2")
    page.keyboard.press("u")
    wait_for_task(page, "a p1")
    assert page.locator("input[name=choice]:checked").count() == 1
    prefer(page, "b p1")
    wait_for_task(page, "a p2")
    assert [vote.choice for vote in room.votes("p1")] == ["second"]


def test_a_discard_needs_its_reason_and_a_sentence(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.locator("[data-name=missing]").wait_for()
    page.select_option("#reason", "unreadable")
    page.locator("#rationale").fill("Both are noise.")
    with page.expect_response("**/api/votes"):
        page.keyboard.press("Control+Enter")
    assert [(vote.choice, vote.reason) for vote in room.votes()] == [("discard", "unreadable")]


def test_skip_raw_text_and_difference_have_their_keys(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1") | {"first": "the *same* cat", "second": "the *same* dog"}, item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "same")
    page.keyboard.press("t")
    page.get_by_text("the *same* cat").wait_for()
    page.keyboard.press("d")
    page.locator(".difference mark", has_text="dog").wait_for()
    page.keyboard.press("f")
    assert page.locator(".other").count() == 0
    page.keyboard.press("s")
    wait_for_task(page, "a p2")
    assert room.votes() == []


def test_letters_do_nothing_once_single_keys_are_off(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.keyboard.press("?")
    page.locator("#single-keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert page.locator("input[name=choice]:checked").count() == 0
    page.locator("input[name=choice]").first.focus()
    page.keyboard.press("Space")
    assert page.locator("input[name=choice]:checked").count() == 1


def test_the_timer_stands_still_while_the_page_is_hidden(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1")])
    page = person(room, "ann", "/work")
    page.clock.install()
    page.goto(f"{room.url}/work")
    wait_for_task(page, "a p1")
    hide = "state => { Object.defineProperty(document, 'visibilityState', {value: state, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }"
    page.clock.run_for(10_000)
    page.evaluate(hide, "hidden")
    page.clock.run_for(600_000)
    page.evaluate(hide, "visible")
    page.clock.run_for(5_000)
    prefer(page, "a p1")
    assert 14 <= room.votes()[0].seconds < 60  # ten seconds and five, not ten minutes


def test_the_page_speaks_chinese_when_asked_to(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.get_by_role("button", name="中文").click()
    wait_for_task(page, "a p1")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("#title").inner_text() == "哪个回复更好？"


def test_a_lease_that_has_run_out_says_so_and_the_vote_is_kept_as_late(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    room.here.clock.now += 3600
    room.here.add("bob", "cat", "dan")
    for name in ("bob", "cat", "dan"):
        room.here.work(name)  # others have taken all three places meanwhile
    with page.expect_response("**/draft"):
        page.keyboard.press(key_for(page, "a p1"))
    page.locator("[data-name=lease]").wait_for()
    page.keyboard.press("Enter")
    page.locator("#nothing").wait_for(state="visible")
    assert [vote.round for vote in room.votes() if vote.annotator == room.here.people["ann"].person_id] == ["late"]


def test_a_vote_of_somebody_signed_out_waits_until_they_are_back(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.context.clear_cookies()
    page.keyboard.press(key_for(page, "a p1"))
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Sign in again").wait_for()
    page.context.add_cookies([room.session("ann")])
    page.goto(f"{room.url}/work")
    wait_for_task(page, "a p2")
    assert len(room.votes("p1")) == 1


def test_hostile_rationales_of_colleagues_are_text_to_the_expert(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.here.add("ann", "bob", "cat")
    room.fill([item("p1")])
    for name, choice in (("ann", "first"), ("bob", "second"), ("cat", "tie")):
        room.here.work(name, choice, rationale="<img src=x onerror=alert(1)>")
    page = person(room, "eve", "/expert", role="expert")
    wait_for_task(page, "a p1")
    assert page.locator("#guide img").count() == 0
    assert page.locator("#guide blockquote", has_text="<img src=x").count() == 3


def test_enter_pressed_twice_offline_is_one_vote(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.context.set_offline(True)
    page.keyboard.press(key_for(page, "a p1"))
    page.keyboard.press("Enter")
    page.locator("[data-name=queue]").wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("3")  # too late: the answer is on its way
    page.context.set_offline(False)
    wait_for_task(page, "a p2")
    assert [vote.choice for vote in room.votes("p1")] == ["first"]
    assert page.locator("input[name=choice]:checked").count() == 0


def test_a_qualification_item_tells_its_answer_before_the_next(tmp_path: Path, person: Callable[..., Any]) -> None:
    with live_room(tmp_path, qualification_items=1) as room:
        known = {"use": "qualify", "label": "first", "rationale": "The second is empty.", "draw": 0.5}
        with room.here.room.database.write() as connection:
            connection.execute(CHECK_ITEMS.insert().values(pair_id="q1", record=canonical_json(item("q1")), **known))
        room.fill([item("p1")])
        page = person(room, "ann", "/work")
        wait_for_task(page, "b q1")
        assert page.locator("#title").inner_text() == "Qualification: which reply is better?"
        prefer(page, "b q1")
        page.locator("#feedback").wait_for(state="visible")
        told = page.locator("#feedback").inner_text()
        assert "The second is empty." in told
        assert "null" not in told
        place = page.locator(".reply .formatted").all_inner_texts().index("a q1") + 1
        assert f"The known answer is: Reply {place} is better." in told
        page.keyboard.press("Enter")
        page.locator("#nothing").wait_for(state="visible")
        assert page.locator("#nothing-title").inner_text() == "The qualification was not passed"


def test_a_browser_that_keeps_nothing_still_votes(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1"), item("p2")])
    page = person(room, "ann", "/me")
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };")
    page.goto(f"{room.url}/work")
    prefer(page, "a p1")
    wait_for_task(page, "a p2")
    page.context.set_offline(True)
    page.keyboard.press(key_for(page, "a p2"))
    page.keyboard.press("Enter")
    page.locator("[data-name=queue]").wait_for()
    page.context.set_offline(False)
    page.locator("#nothing").wait_for(state="visible")
    assert [vote.choice for vote in room.votes()] == ["first", "first"]
