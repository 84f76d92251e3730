"""Two-way sync with a Label Studio server: pairs and suggestions go there, votes come back. What has been done is read from the server, so that a sync that
was cut off at any moment is simply run again.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from goldsmith.errors import DataError, UserError
from goldsmith.gold.exchange.collect import collect
from goldsmith.gold.exchange.item import Item, Read
from goldsmith.gold.exchange.label_studio import prediction_of, read_tasks, task_of
from goldsmith.gold.exchange.label_studio_config import COMPARISON
from goldsmith.gold.exchange.server import Server
from goldsmith.gold.exchange.transfer import SHOWN, store
from goldsmith.gold.room import Room, open_room
from goldsmith.store import Workspace
from goldsmith.store.lock import exclusive

Task = dict[str, Any]


def sync_votes(
    workspace: Workspace, url: str | None = None, *, project: int | None = None, suggestions: bool = True
) -> dict[str, Any]:
    """Send the pairs that wait for votes to a Label Studio project, take the votes that were given there, and return what became of both.

    Args:
        workspace: the workspace.
        url: the server; none: `annotate.label_studio.url`.
        project: its project; none: `annotate.label_studio.project`, or the one that is titled `annotate.label_studio.title`, which is made when there is none.
        suggestions: whether what judges and reward models say goes along as predictions.

    Returns:
        `url`, `project`, `created`, `pushed` (pairs), `there` (pairs that were there already), `predictions` (added), `unreadable_tasks` (the first 20, named),
        and what `import_votes` returns.

    Raises:
        UserError: the address, the token or the project is wrong.
        ProviderError: the server does not answer, or fails; what was done stays, and the same command goes on from there.
    """
    settings = workspace.config.annotate.label_studio
    address = url or settings.url
    if not address:
        raise UserError("no address of Label Studio; give --label-studio URL, or set annotate.label_studio.url")
    room = open_room(workspace)
    try:
        with (
            exclusive(workspace.root / ".label-studio.lock", "the sync with Label Studio"),
            Server(address, settings.token_env) as server,
        ):
            number, created = _project(
                server, room, project or settings.project, settings.title or f"goldsmith {workspace.root.name}"
            )
            tasks = [] if created else server.tasks(number)
            found, unreadable = _read(server, tasks, number)
            result = store(workspace, room, found)
            sent = _send(workspace, room, server, number, tasks, suggestions)
    finally:
        room.close()
    about = {"url": server.url, "project": number, "created": created, **sent}
    return {**about, **result, "num_unreadable": len(unreadable), "unreadable_tasks": unreadable[:SHOWN]}


def _project(server: Server, room: Room, number: int | None, title: str) -> tuple[int, bool]:
    """The project to use, and whether it was made just now."""
    found = number or server.project_titled(title)
    if found is None:
        return server.create_project(title, room.gold.votes_per_pair), True
    interface = str(server.project(found).get("label_config", ""))
    if "<Pairwise" not in interface or f'name="{COMPARISON}"' not in interface:
        raise UserError(
            f'{server.url}: project {found} compares no pairs: its interface has no <Pairwise name="{COMPARISON}">; name another project, '
            "or paste the interface that `goldsmith votes export --format label-studio` writes into its settings"
        )
    return found, False


def _read(server: Server, tasks: list[Task], number: int) -> tuple[Read, list[str]]:
    """What the tasks say. One that cannot be read (somebody's own, or one that contradicts itself) is named and does not stop the others."""
    items: dict[str, Item] = {}
    dropped, edited, unreadable = Counter[str](), list[str](), list[str]()
    for task in sorted(tasks, key=lambda task: int(task.get("id") or 0)):
        place = f"{server.url} project {number} task {task.get('id')}"
        try:
            found = read_tasks([(place, {"project": number, **task})])
        except DataError as error:
            unreadable.append(str(error))
            continue
        dropped.update(found.dropped)
        edited += found.edited
        for item in found.items:
            known = items.get(item.pair_id)
            votes = (known.votes if known else ()) + item.votes
            items[item.pair_id] = Item(pair_id=item.pair_id, pair=item.pair, votes=votes, attributes=item.attributes)
    return Read(items=list(items.values()), num_rows=len(tasks), dropped=dict(dropped), edited=edited), unreadable


def _send(workspace: Workspace, room: Room, server: Server, number: int, tasks: list[Task], suggestions: bool) -> dict[str, int]:
    """Send open pairs that are not there, and suggestions that their tasks do not have."""
    wanted, _ = collect(workspace, room, "open", suggestions=suggestions)
    there: dict[str, Task] = {}
    for task in tasks:
        data = task.get("data")
        name = data.get("pair_id") if isinstance(data, dict) else None
        if isinstance(name, str):
            there.setdefault(name, task)
    # People who vote elsewhere must not see what others have said.
    new = [
        task_of(Item(pair_id=i.pair_id, pair=i.pair, suggestions=i.suggestions, attributes=i.attributes), workspace.seed)
        for i in wanted
        if i.pair_id not in there
    ]
    server.push(number, new)
    said = [item for item in wanted if item.pair_id in there and item.suggestions]
    heard = server.models_heard(number) if said else {}
    added = sum(_predict(server, there[item.pair_id], item, heard) for item in said)
    return {
        "pushed": len(new),
        "there": sum(item.pair_id in there for item in wanted),
        "predictions": added + sum(len(task["predictions"]) for task in new),
    }


def _predict(server: Server, task: Task, item: Item, heard: dict[int, set[str]]) -> int:
    """Add what the task lacks of an item's suggestions; a model that has spoken there is not heard again."""
    known = heard.get(int(task["id"]), set())
    order = task["data"].get("shown_order")
    if not isinstance(order, list) or sorted(map(str, order)) != ["first", "second"]:
        return 0
    missing = [one for one in item.suggestions if one.model not in known]
    for suggestion in missing:
        server.predict(int(task["id"]), prediction_of(suggestion, item.pair_id, order))
    return len(missing)
