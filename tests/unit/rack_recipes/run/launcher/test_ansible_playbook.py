# SPDX-License-Identifier: GPL-3.0-or-later

"""What is handed over by a path and is on no disk."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.launcher.ansible_playbook import (
    IS_AN_ERROR,
    LEAST,
    MOST,
    ROOT,
    Forks,
    PlaybookCommand,
    Room,
    ansible_environment,
    arguments,
    extra_vars,
    follow,
    forks_in,
    forks_of,
    room_here,
    served_by_fifo,
    start,
    unreadable_is_error,
    warm_start,
)
from rack_recipes.run.launcher.forward_signals import SignalForwarder

HERE = [
    *("--inventory", "localhost,", "--connection", "local"),
    *("--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable})),
]
OTHERS = "~/.ansible/collections:/usr/share/ansible/collections"


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("RACK_RECIPES_", "ANSIBLE_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"{forks_of.__module__}.room_here", lambda: Room(1, 8 * 1024**3, 1024))


def configure(text: str, path: str = "ansible.cfg") -> None:
    Path(path).write_text(f"[defaults]\n{text}\n")


def asked(**fields: Any) -> PlaybookCommand:
    return PlaybookCommand(Path("/p.yml"), "R1", **fields)


def line(**fields: Any) -> list[str]:
    playbook, *others = arguments(asked(**fields))
    assert playbook == "/p.yml"
    return others


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [*HERE, "--forks", "64"]),
        ({"inventories": ["a", "b.yml"]}, ["--inventory", "a", "--inventory", "b.yml", "--forks", "64"]),
        ({"limit": "r1,r2", "forks": 3}, [*HERE, "--limit", "r1,r2", "--forks", "3"]),
        ({"extra_vars": ["a=1", "@v.yml"]}, [*HERE, "--forks", "64", "--extra-vars", "a=1", "--extra-vars", "@v.yml"]),
        ({"verbose": 1}, [*HERE, "--forks", "64"]),
        ({"verbose": 3}, [*HERE, "--forks", "64", "-vv"]),
        ({"more": ["--tags", "x"]}, [*HERE, "--forks", "64", "--tags", "x"]),
        ({"more": ["-i", "inv"]}, ["--forks", "64", "-i", "inv"]),
        ({"more": ["-iinv"]}, ["--forks", "64", "-iinv"]),
        ({"more": ["--inventory=inv"]}, ["--forks", "64", "--inventory=inv"]),
    ],
)
def test_the_command_line(fields: dict[str, Any], expected: list[str]):
    assert line(**fields) == expected


def test_what_is_configured_stays(monkeypatch: pytest.MonkeyPatch):
    configure("inventory = hosts\nforks = 7")
    assert line() == ["--forks", "7"]
    monkeypatch.setenv("ANSIBLE_FORKS", "9")
    assert line() == ["--forks", "9"]
    Path("ansible.cfg").unlink()
    monkeypatch.setenv("ANSIBLE_INVENTORY", "hosts")
    assert line(forks=2) == ["--forks", "2"]


def test_the_number_of_hosts_at_once_says_how_it_was_chosen(monkeypatch: pytest.MonkeyPatch):
    said = "1 core, 8.0 GiB of free memory, 1024 open files"
    assert forks_of(asked()) == Forks(64, said)
    assert forks_of(asked(forks=3)) == Forks(3)
    assert forks_of(asked(more=["--flush-cache", "--force-handlers"])) == Forks(64, said)
    for more in (["-f", "9"], ["-f9"], ["--forks", "9"], ["--forks=9"]):  # the last one counts, and it comes last
        assert forks_of(asked(more=more)) == Forks(64)
    monkeypatch.setenv("ANSIBLE_FORKS", "9")
    assert forks_of(asked()) == Forks(9)


@pytest.mark.parametrize(
    ("configured", "variable", "expected"),
    [
        ("", None, "rack.recipes.recorder"),
        ("callbacks_enabled = ", None, "rack.recipes.recorder"),
        ("callbacks_enabled = timer, ara.default", None, "timer,ara.default,rack.recipes.recorder"),
        ("callbacks_enabled = rack.recipes.recorder, timer", None, "rack.recipes.recorder,timer"),
        ("callbacks_enabled = timer", "ara.default", "ara.default,rack.recipes.recorder"),
    ],
)
def test_the_recorder_joins_the_callbacks(
    configured: str, variable: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
):
    configure(configured)
    if variable is not None:
        monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", variable)
    assert ansible_environment("R1")["ANSIBLE_CALLBACKS_ENABLED"] == expected


def test_this_collection_comes_before_other_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert (Path(ROOT) / "ansible_collections/rack/recipes/galaxy.yml").is_file()
    assert ansible_environment("R1")["ANSIBLE_COLLECTIONS_PATH"] == f"{ROOT}:{OTHERS}"
    configure("collections_path = ./mine:/abs:~/home")
    mine = f"{tmp_path}/mine:/abs:{Path.home()}/home"
    assert ansible_environment("R1")["ANSIBLE_COLLECTIONS_PATH"] == f"{ROOT}:{mine}"
    (tmp_path / "elsewhere").mkdir()
    configure("collections_path = its", "elsewhere/named.cfg")
    monkeypatch.setenv("ANSIBLE_CONFIG", "elsewhere/named.cfg")
    assert ansible_environment("R1")["ANSIBLE_COLLECTIONS_PATH"] == f"{ROOT}:{tmp_path}/elsewhere/its"
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", "relative:/abs")
    assert ansible_environment("R1")["ANSIBLE_COLLECTIONS_PATH"] == f"{ROOT}:relative:/abs"


def test_an_inventory_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch):
    name = "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"
    assert ansible_environment("R1", ["h1,"])[name] == "1"
    monkeypatch.setenv(name, "false")
    assert ansible_environment("R1", ["h1,"])[name] == "false"


def test_the_run_s_id():
    assert ansible_environment("R1")["RACK_RECIPES_RUN_ID"] == "R1"
    assert "RACK_RECIPES_RUN_ID" not in os.environ


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["a=1 b='x y'"], {}),
        (["a=1 rack_recipes_slots=2"], {"a": "1", "rack_recipes_slots": "2"}),
        (['{"rack_recipes_slots": 2}'], {"rack_recipes_slots": 2}),
        (["{rack_recipes_runs: here}"], {"rack_recipes_runs": "here"}),
        (["@vars.yml", "rack_recipes_runs=there"], {"rack_recipes_slots": 3, "rack_recipes_runs": "there"}),
    ],
)
def test_extra_vars_are_read_as_ansible_reads_them(given: list[str], expected: dict[str, Any]):
    Path("vars.yml").write_text("rack_recipes_slots: 3\nrack_recipes_runs: here\n")
    assert extra_vars(given) == expected


@pytest.mark.parametrize("given", ["@absent.yml", "[rack_recipes_slots]", "{rack_recipes_slots: [", "rack_recipes_x='"])
def test_extra_vars_that_cannot_be_read_are_left_to_ansible(given: str):
    assert extra_vars([given]) == {}


def test_a_vault_of_extra_vars_is_left_to_ansible():
    Path("vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert extra_vars(["@vault.yml"]) == {}


def playbook(*tasks: str) -> Path:
    text = "".join(f"    - {task}\n" for task in tasks)
    Path("p.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{text}")
    return Path("p.yml")


def ran(asked: PlaybookCommand, tick: Callable[[], None] = lambda: None) -> int:
    """The exit code of an Ansible that was started ahead, with its output in `log`."""
    Path("log").touch()
    with warm_start(ansible_environment(asked.run_id)) as ahead:
        return follow(ahead.go(arguments(asked), "log"), tick)


def test_ansible_runs_and_its_output_is_kept():
    ticks: list[float] = []
    assert ran(PlaybookCommand(playbook("ansible.builtin.debug: {msg: hello}"), "R1"), lambda: ticks.append(1.0)) == 0
    assert '"msg": "hello"' in Path("log").read_text()
    assert ticks
    assert ran(PlaybookCommand(playbook("ansible.builtin.fail:"), "R1")) == 2
    assert ran(PlaybookCommand(Path("absent.yml"), "R1")) == 1


def test_a_log_without_room_ends_no_run():
    asked = PlaybookCommand(playbook("ansible.builtin.debug: {msg: hello}"), "R1")
    with warm_start(ansible_environment("R1")) as ahead:
        assert follow(ahead.go(arguments(asked), "/dev/full"), lambda: None) == 0


def test_ansible_whose_output_is_shown(capfd: pytest.CaptureFixture[str]):
    assert follow(start(PlaybookCommand(playbook("ansible.builtin.debug: {msg: hello}"), "R1")), lambda: None) == 0
    assert '"msg": "hello"' in capfd.readouterr().err


def test_an_ansible_that_is_not_needed_ends():
    with warm_start(ansible_environment("R1")) as ahead:
        assert ahead.child.poll() is None
    assert ahead.child.returncode is not None


def test_an_ansible_that_cannot_start_says_why(tmp_path: Path):
    (tmp_path / "broken" / "ansible").mkdir(parents=True)
    (tmp_path / "broken" / "ansible" / "__init__.py").write_text("raise SystemExit('this one is broken')")
    Path("log").touch()
    with warm_start({**ansible_environment("R1"), "PYTHONPATH": str(tmp_path / "broken")}) as ahead:
        assert follow(ahead.go(["p.yml"], "log"), lambda: None) == 1
    assert "this one is broken" in Path("log").read_text()


def test_a_signal_while_ansible_is_imported_ends_it(tmp_path: Path):
    slow = tmp_path / "slow" / "ansible"
    slow.mkdir(parents=True)
    (slow / "__init__.py").write_text("import pathlib, time\npathlib.Path('imports').touch()\ntime.sleep(60)\n")
    Path("log").touch()
    with warm_start({**ansible_environment("R1"), "PYTHONPATH": str(slow.parent)}) as ahead:
        while not Path("imports").exists():
            time.sleep(0.01)
        ahead.child.send_signal(signal.SIGINT)
        ahead.child.wait()
        assert follow(ahead.go(["p.yml"], "log"), lambda: None) == -signal.SIGINT


def test_a_signal_that_is_passed_on_ends_ansible():
    asked = PlaybookCommand(playbook("ansible.builtin.raw: touch started; sleep 60"), "R1")

    def tick() -> None:
        if Path("started").exists() and not forwarder.number:
            os.kill(os.getpid(), signal.SIGTERM)

    Path("log").touch()
    with warm_start(ansible_environment("R1")) as ahead, SignalForwarder() as forwarder:
        assert follow(forwarder.forward_to(ahead.go(arguments(asked), "log")), tick) != 0


YES = {IS_AN_ERROR: "1"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an inventory, a folder of some, and one that has only variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY", IS_AN_ERROR):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "racks.yml").write_text("all:\n  hosts:\n    leaf1:\n")
    (tmp_path / "some").mkdir()
    (tmp_path / "some/racks.yml").write_text("leaves: {hosts: {leaf1: }}\n")
    (tmp_path / "none/group_vars").mkdir(parents=True)
    (tmp_path / "none/.hidden").touch()
    return tmp_path


def test_what_cannot_be_read_is_an_error():
    assert unreadable_is_error(["h1,", "racks.yml", "~/racks.yml"]) == YES
    assert unreadable_is_error([]) == {}


def test_not_every_file_in_a_folder_is_an_inventory():
    assert unreadable_is_error(["h1,", "some"]) == {}
    assert unreadable_is_error(["~/some"]) == {}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["some", "zzz"], "there is no inventory 'zzz'"),
        (["some", "rack.ini"], "there is no inventory 'rack.ini' (did you mean 'racks.yml'?)"),
        (["some/rocks.yml"], "there is no inventory 'some/rocks.yml' (did you mean 'racks.yml'?)"),
        (["absent/racks.yml"], "there is no inventory 'absent/racks.yml'"),
        (["racks.yml", "none"], "the folder 'none' has no inventory: expected a file in it"),
    ],
)
def test_one_that_is_not_there_is_an_error_also_beside_others(given: list[str], error: str):
    with pytest.raises(UsageError, match=f"^{re.escape(error)}$"):
        unreadable_is_error(given)


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("[leaves]\nleaf1\n", True),
        ("plugin: netbox.netbox.nb_inventory\n", True),
        ('{"leaves": {"hosts": ["leaf1"]}}', True),
        ("db_password: hunter2\n", False),
        ("hunter2\n", False),
        ("[client]\npassword = hunter2\n", False),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", False),
    ],
)
def test_no_file_that_may_hold_secrets_is_named(folder: Path, text: str, is_named: bool):
    (folder / "passwords.yml").write_text(text)
    with pytest.raises(UsageError) as error:
        unreadable_is_error(["passwrds.yml"])
    assert ("passwords" in str(error.value)) is is_named


def test_those_of_ansible_s_settings_count_too(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "etc").mkdir()
    (folder / "etc/mine.cfg").write_text("[defaults]\ninventory = ../racks.yml, ../some\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", "etc/mine.cfg")
    assert unreadable_is_error([]) == {}
    (folder / "etc/mine.cfg").write_text("[defaults]\ninventory = ../racks.yml, {{CWD}}/racks.yml\n")
    assert unreadable_is_error([]) == YES
    monkeypatch.setenv("ANSIBLE_INVENTORY", "racks.yml,lost.yml")
    with pytest.raises(UsageError, match=r"there is no inventory .lost\.yml"):
        unreadable_is_error([])
    assert unreadable_is_error(["racks.yml"]) == YES


def test_ansible_s_own_setting_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(IS_AN_ERROR, "false")
    assert unreadable_is_error(["zzz"]) == {}
    monkeypatch.delenv(IS_AN_ERROR)
    (folder / "ansible.cfg").write_text("[inventory]\nany_unparsed_is_failed = false\n")
    assert unreadable_is_error(["zzz"]) == {}


def test_what_may_not_be_looked_at_is_an_error(monkeypatch: pytest.MonkeyPatch):
    def refused(_path: Path) -> None:
        raise PermissionError(EACCES, os.strerror(EACCES))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(UsageError, match=r"^the inventory 'some' cannot be read: Permission denied$"):
        unreadable_is_error(["racks.yml", "some"])


GIB = 1024**3
MEMINFO = "MemTotal:       24684352 kB\nMemFree:        18489216 kB\nMemAvailable:    4194304 kB\n"


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (Room(2, 24 * GIB, 20000), 128),  # by its cores
        (Room(16, 4 * GIB, 20000), 81),  # by its memory
        (Room(16, 64 * GIB, 1024), 128),  # by its open files
        (Room(64, 256 * GIB, 1048576), MOST),
        (Room(1, GIB // 10, 256), LEAST),
    ],
)
def test_what_there_is_least_of_decides(room: Room, expected: int):
    assert forks_in(room) == expected


def test_what_the_machine_has(tmp_path: Path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    room = room_here(tmp_path, tmp_path)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert room == Room(len(os.sched_getaffinity(0)), 4 * GIB, files)


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("memory.max", f"{GIB}\n", GIB),
        ("memory.max", "max\n", 4 * GIB),
        ("memory/memory.limit_in_bytes", f"{2 * GIB}\n", 2 * GIB),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", 4 * GIB),
    ],
)
def test_the_memory_of_a_container(name: str, limit: str, expected: int, tmp_path: Path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(limit)
    assert room_here(tmp_path, tmp_path).memory == expected


def test_what_cannot_be_read_limits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(64))
    assert forks_in(room_here(tmp_path, tmp_path)) == MOST


def test_it_reads_well():
    assert str(Room(2, 23 * GIB, 1024)) == "2 cores, 23.0 GiB of free memory, 1024 open files"
    assert str(Room(1, GIB // 2, 256)) == "1 core, 0.5 GiB of free memory, 256 open files"


@pytest.mark.parametrize("size", [0, 7, 1_000_000])
def test_the_first_reader_gets_it_and_nobody_else(tmp_path: Path, size: int):
    path, data = tmp_path / "given.json", b"x" * size
    before = threading.active_count()
    with served_by_fifo(path, data):
        assert (path.is_fifo(), path.stat().st_mode & 0o777) == (True, 0o600)
        assert path.read_bytes() == data
        assert not path.exists()
    assert threading.active_count() == before


def test_what_nobody_reads_is_gone_as_well(tmp_path: Path):
    path = tmp_path / "given.json"
    started, before = time.monotonic(), threading.active_count()
    with served_by_fifo(path, b"x" * 1_000_000):
        pass
    assert not path.exists()
    assert time.monotonic() - started < 60
    assert threading.active_count() == before


def test_a_reader_that_leaves_early_holds_up_nobody(tmp_path: Path):
    path = tmp_path / "given.json"
    with served_by_fifo(path, b"x" * 1_000_000), path.open("rb") as pipe:
        assert pipe.read(3) == b"xxx"
    assert not path.exists()
