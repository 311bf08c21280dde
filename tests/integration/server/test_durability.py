# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server keeps where it is killed, stopped, or has no room."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, served
from call_rack_recipes import COMMAND, rack_recipes
from rack_recipes.journal.reader import JournalReader

CLIENTS, TURNS = 6, 10
KEY = "kept_v1"
# The server itself, which writes a line once a file is on the disk: its path, and how long it was when that began.
TELLS_SYNCS = f"""\
import os
def tell(sync):
    def told(file):
        size = os.fstat(file).st_size
        sync(file)
        with open("syncs", "a") as syncs:
            syncs.write(f"{{size}} {{os.readlink(f'/proc/self/fd/{{file}}')}}\\n")
    return told
os.fsync, os.fdatasync = tell(os.fsync), tell(os.fdatasync)
{COMMAND}
"""


def synced() -> dict[str, int]:
    """How much of each file is on the disk, by its path."""
    told = Path("syncs").read_text() if Path("syncs").exists() else ""
    lines = told[: told.rfind("\n") + 1].splitlines()  # the last one may be on its way
    return {path: int(size) for size, path in (line.split(" ", 1) for line in lines)}


def on_disk(server: Server) -> int:
    return synced().get(str(server.journal), 0)


def in_journal(server: Server) -> int:
    return server.journal.stat().st_size


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("durability", "kept"), [("journal", in_journal), ("fsync", on_disk)])
def test_a_value_that_is_answered_is_kept_before(durability, kept):
    answered: dict[str, int] = {}  # how much was kept when a value was in an answer for the first time

    def client(number: int) -> None:
        with closing(server.connection()) as link:
            for turn in range(TURNS):
                link.ask("PUT", f"/ctx/{KEY}", f"{number}.{turn}")
                answered.setdefault(f"{number}.{turn}", kept(server))
                value = link.ask("GET", f"/ctx/{KEY}").data["value"]
                answered.setdefault(value, kept(server))

    with served("--durability", durability, program=TELLS_SYNCS) as server:
        with ThreadPoolExecutor(CLIENTS) as pool:
            assert [*pool.map(client, range(CLIENTS))] == [None] * CLIENTS
        lines = [line for line in JournalReader(server.journal).read() if line.record and "after" in line.record]
        ends = {line.record["after"]: line.end for line in lines}
    assert len(ends) == len(answered) == CLIENTS * TURNS
    assert [value for value, size in answered.items() if size < ends[value]] == []


def test_the_folders_of_a_new_journal_are_on_the_disk(project: Path):
    with served("--durability", "fsync", program=TELLS_SYNCS) as server:
        above = {*server.journal.parents} & {project, *project.rglob("*")}
        assert {str(folder) for folder in above} < synced().keys()
    Path("syncs").unlink()
    with served("--durability", "journal", program=TELLS_SYNCS) as server:
        server.ask("PUT", f"/ctx/{KEY}", 1)
    assert synced() == {}


@contextmanager
def nobody_answers() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


def test_writes_need_no_database(project: Path, monkeypatch: pytest.MonkeyPatch):
    with nobody_answers() as port, monkeypatch.context() as patch:
        patch.setenv("RACK_RECIPES_DB", f"postgresql+psycopg://rack@127.0.0.1:{port}/rack")
        patch.setenv("RACK_RECIPES_STORE_TIMEOUT", "1")
        with served() as server:
            assert [server.ask("PUT", f"/ctx/{KEY}", turn).data["version"] for turn in range(3)] == [1, 2, 3]
            refused = rack_recipes("flush", "--json")
            assert refused.code == 5, refused.stderr
            assert f"127.0.0.1:{port}/rack" in refused.answer["reason"]
            assert server.ask("PUT", f"/ctx/{KEY}", 3).data["version"] == 4
    stored = f"sqlite:///{project}/later.db"
    assert rack_recipes("flush", "--json", "--db", stored).code == 0
    changes = rack_recipes("ctx", "history", KEY, "--json", "--db", stored).answer["changes"]
    assert [(one["version"], one["after"]) for one in changes] == [(1, 0), (2, 1), (3, 2), (4, 3)]
