"""The tool box in a real browser: keys, selected words, what tools find, what is refused, and what the expert sees of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from goldsmith.annotate.documents import DocumentIndex
from goldsmith.llm.mock import Reply, ScriptedServer
from live_room import live_room
from screen import axe, prefer, wait_for_task
from scripted_search import results, search_server
from voting_room import item

MOON = {
    "url": "https://moon.example/orbit",
    "title": "Orbit <b>of</b> the Moon",
    "content": "27.3 days <script>alert(1)</script>",
}
SELECT = """words => {
  const walker = document.createTreeWalker(document.getElementById("replies"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.data.indexOf(words);
    if (at < 0) continue;
    getSelection().setBaseAndExtent(walker.currentNode, at, walker.currentNode, at + words.length);
    return true;
  }
  return false;
}"""
PAIR = item("p1") | {"first": "The Moon orbits in 27 days.", "second": "The Moon orbits in 30 days."}


def test_one_key_searches_the_selected_words(tmp_path: Path, person: Callable[..., Any]) -> None:
    with search_server(lambda _words: results(MOON)) as (url, asked), live_room(tmp_path, tools={"search": {"url": url}}) as room:
        room.fill([PAIR, item("p2")])
        page = person(room, "ann", "/work")
        wait_for_task(page, "27 days")
        assert page.evaluate(SELECT, "Moon orbits")
        page.keyboard.press("g")
        link = page.get_by_role("link", name="Orbit of the Moon")
        link.wait_for()
        assert [link.get_attribute(name) for name in ("href", "target", "rel", "referrerpolicy")] == [
            MOON["url"],
            "_blank",
            "noopener noreferrer nofollow",
            "no-referrer",
        ]
        assert "Moon" in asked[0]
        assert "27.3 days" in page.locator(".found li").inner_text()
        assert page.locator(".found script").count() == 0
        assert axe(page) == []
        prefer(page, "27 days")
        wait_for_task(page, "a p2")
        assert page.locator(".found li").count() == 0  # what was found belonged to the pair before
        assert [(use.tool, use.input) for use in room.votes("p1")[0].tools] == [("search", "Moon orbits")]


def test_the_key_opens_closes_and_types_nothing_else(tmp_path: Path, person: Callable[..., Any]) -> None:
    with live_room(tmp_path, tools={"search": {"url": "http://127.0.0.1:9"}}) as room:
        room.fill([PAIR])
        page = person(room, "ann", "/work")
        wait_for_task(page, "27 days")
        page.keyboard.press("g")
        field = page.locator("#tool-search input")
        field.wait_for()
        page.keyboard.type("15 x")  # keys of votes while the field is open are letters
        assert field.input_value() == "15 x"
        assert page.locator("input[name=choice]:checked").count() == 0
        page.keyboard.press("Enter")
        page.locator(".told.alert").wait_for()
        assert page.locator(".told.alert").inner_text() == "The server of this tool cannot be reached."
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.locator("#tools").wait_for(state="hidden")
        assert room.votes() == []


def test_documents_are_searched_and_unfold(tmp_path: Path, person: Callable[..., Any]) -> None:
    with DocumentIndex(tmp_path / "documents.db", make=True) as index:
        index.put(
            "/lib/moon.md",
            "Moon facts",
            "0",
            ["filler " * 100 + "The sidereal month has 27.3 days. " + "filler <i>x</i> " * 40],
            0.0,
        )
    with live_room(tmp_path, tools={"documents": {"on": True}}) as room:
        room.fill([PAIR])
        page = person(room, "ann", "/work")
        wait_for_task(page, "27 days")
        page.keyboard.press("l")
        page.keyboard.type("sidereal month")
        page.keyboard.press("Enter")
        page.locator(".found mark").first.wait_for()
        assert page.locator(".found mark").all_inner_texts() == ["sidereal", "month"]
        assert page.locator(".found .from").inner_text() == "moon.md · 1/1"
        page.locator(".found summary").click()
        assert "<i>x</i>" in page.locator(".found details p").inner_text()
        assert axe(page) == []


def test_a_model_answers_about_facts_and_never_for_the_verdict(tmp_path: Path, person: Callable[..., Any]) -> None:
    evil = "<img src=x onerror=alert(1)> **27.3** days, $T = 2\\pi\\sqrt{a^3/\\mu}$. [more](javascript:alert(2))"
    script: Callable[[dict[str, Any], int], Reply] = lambda _body, _number: Reply(text=evil)
    with ScriptedServer(script) as server:
        tools = {"specialists": {"endpoints": [{"name": "astro-7b", "about": "astronomy", "base_url": server.base_url}]}}
        with live_room(tmp_path, tools=tools) as room:
            room.fill([PAIR])
            page = person(room, "ann", "/work")
            wait_for_task(page, "27 days")
            page.keyboard.press("a")
            page.locator("#tool-specialists textarea").fill("How long is a month?")
            page.keyboard.press("Control+Enter")  # sends the question, not the vote
            answer = page.locator(".machine")
            answer.wait_for()
            assert "A model’s answer (astro-7b); it may be wrong" in answer.inner_text()
            assert answer.locator("math").count() == 1
            assert answer.locator("img, script, a").count() == 0
            page.locator("#tool-specialists textarea").fill("Which reply is better?")
            page.keyboard.press("Control+Enter")
            page.locator(".told.alert").wait_for()
            assert "for you to say" in page.locator(".told.alert").inner_text()
            assert len(server.bodies) == 1
            assert axe(page) == []
            assert room.votes() == []


def test_the_expert_sees_what_colleagues_asked(tmp_path: Path, person: Callable[..., Any]) -> None:
    with search_server(lambda _words: results(MOON)) as (url, _), live_room(tmp_path, tools={"search": {"url": url}}) as room:
        room.here.add("bob", "cat")
        room.fill([PAIR])
        page = person(room, "ann", "/work")
        wait_for_task(page, "27 days")
        page.keyboard.press("g")
        page.keyboard.type("<b>month</b>")
        page.keyboard.press("Enter")
        page.locator(".found li").wait_for()
        page.keyboard.press("Escape")
        prefer(page, "27 days")
        page.locator("#nothing").wait_for(state="visible")
        for name, choice in (("bob", "second"), ("cat", "tie")):
            room.here.work(name, choice)
        expert = person(room, "eve", "/expert", role="expert")
        wait_for_task(expert, "27 days")
        assert "Web search <b>month</b>" in expert.locator("#guide .uses").inner_text()
        expert.locator("#guide .uses summary").click()
        assert MOON["url"] in expert.locator("#guide .uses details").inner_text()
        assert axe(expert) == []
