# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run knows in memory alone, and how the processes forked from it share that."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from rack_recipes.run import run_secrets
from rack_recipes.run.run_secrets import SecretRegistry

BOX: dict[str, Any] = {"key": "a.box_v1", "scope": "host", "value": {"in": "zebra-7777"}, "shown": {"in": "********"}}


def in_child(work: Callable[[], object]) -> int:
    """Do something in a forked process; its exit code."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if work() is not False else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_one_process_adds_all_others_know():
    run = SecretRegistry(shared=True)
    assert run.is_shared
    for number in range(3):
        assert in_child(lambda number=number: run.add("r1", [{"secret": f"zebra-{number}"}])) == 0
    assert run.secrets_for("r2") == ["zebra-0", "zebra-1", "zebra-2"]
    assert in_child(lambda: run.secrets_for("r9") == ["zebra-0", "zebra-1", "zebra-2"]) == 0
    assert run.hidden("a zebra-1 in r2") == "a ******** in r2"


def test_many_processes_write_at_once():
    run = SecretRegistry(shared=True)
    pids = []
    for worker in range(8):
        pid = os.fork()
        if not pid:
            try:
                for number in range(50):
                    run.add(f"r{worker}", [{"secret": f"worker-{worker}-{number}-{'x' * 500}"}])
            finally:
                os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    assert len(run.secrets_for("")) == 400


def test_a_long_value_comes_whole():
    run = SecretRegistry(shared=True)
    value = "x" * 3_000_000
    in_child(lambda: run.add("r1", [{**BOX, "value": value, "shown": "********"}, {"secret": "zebra-7777"}]))
    held: dict[str, list[Any]] = {"a.box_v1": [3, "********"]}
    run.catch_up()
    assert run.reveal("r1", held)
    assert held == {"a.box_v1": [3, value]}
    assert run.secrets_for("r1") == ["zebra-7777"]


def test_the_stump_of_a_killed_writer_spoils_nothing():
    run = SecretRegistry(shared=True)
    os.write(run._file, b'\n{"secret": "ze')
    in_child(lambda: run.add("r1", [{"secret": "zebra-7777"}]))
    assert run.secrets_for("r1") == ["zebra-7777"]


def test_what_is_known_is_not_told_again():
    run = SecretRegistry(shared=True)
    assert run.add("r1", [{"secret": "zebra-7777"}, BOX])
    assert not run.add("r1", [{"secret": "zebra-7777"}, BOX])
    assert run.add("r2", [BOX])


def test_secrets_that_a_host_does_not_know_are_those_of_others():
    run = SecretRegistry(shared=True)
    run.hide("r1", ["shared-1", "own-secret-1"])
    run.hide("r2", ["shared-1", "own-secret-2"])
    run.hide_of_absent(["shared-1", "absent-3", "own-secret-2"])
    assert run.others_of("r1") == ["own-secret-2", "absent-3"]
    assert run.others_of("") == ["absent-3"]
    assert run.hidden("own-secret-2 absent-3") == "******** absent-3"
    run.hide("r1", ["absent-3"])  # it was given it
    assert run.others_of("r1") == ["own-secret-2"]
    assert run.hidden("absent-3") == "********"
    assert in_child(lambda: run.others_of("r2") == ["own-secret-1", "absent-3"]) == 0


def test_secrets_of_a_host_are_for_that_host_and_for_the_run():
    run = SecretRegistry()
    run.hide("r1", ["own-secret-1"])
    run.hide("r2", ["own-secret-2"])
    run.add("r1", [{"secret": "zebra-7777"}])
    assert run.secrets_for("r1") == ["zebra-7777", "own-secret-1"]
    assert run.secrets_for("") == ["zebra-7777", "own-secret-1", "own-secret-2"]
    assert run.hidden("own-secret-1 own-secret-2") == "******** ********"


@pytest.mark.parametrize(
    ("place", "shown", "revealed"),
    [("r1", {"in": "********"}, True), ("r2", {"in": "********"}, False), ("r1", {"in": "new"}, False)],
)
def test_only_the_value_that_is_meant_is_revealed(place: str, shown: Any, revealed: bool):
    run = SecretRegistry()
    run.add("r1", [BOX])
    held: dict[str, list[Any]] = {"a.box_v1": [2, shown], "b_v1": [1, 1]}
    assert run.reveal(place, held) is revealed
    assert held == {"a.box_v1": [2, BOX["value"] if revealed else shown], "b_v1": [1, 1]}


def test_a_key_of_the_run_is_on_no_host():
    run = SecretRegistry()
    run.add("r1", [{**BOX, "scope": "run"}])
    held: dict[str, list[Any]] = {"a.box_v1": [2, BOX["shown"]]}
    assert not run.reveal("r1", held)
    assert run.reveal("", held)


def test_the_last_value_counts():
    run = SecretRegistry(shared=True)
    for value in ("first-value", "second-value"):
        run.add("r1", [{**BOX, "value": value, "shown": "********"}])
    held: dict[str, list[Any]] = {"a.box_v1": [2, "********"]}
    run.reveal("r1", held)
    assert held["a.box_v1"] == [2, "second-value"]


def test_without_anonymous_files_it_is_known_in_this_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(run_secrets.os, "memfd_create")
    run = SecretRegistry(shared=True)
    assert not run.is_shared
    assert run.add("r1", [{"secret": "zebra-7777"}])
    assert run.hidden("zebra-7777") == "********"


def test_what_would_hide_the_words_of_the_run_is_not_hidden_elsewhere():
    """Also where it hides them in another form, or only a part of them."""
    run = SecretRegistry()
    words = ["passed", "r01.example", "numbers.stats_v1", "ZHVtbXk="]
    texts = ["passed", "asse", "r01.", "stats", "dummy", "abc", "real-secret", "assed-"]
    kept = run.hidden_by([{"secret": text} for text in texts], words)
    assert [entry["secret"] for entry in kept] == ["real-secret", "assed-"]
    assert run.hidden_by([BOX], words) == [BOX]


def test_keys_that_scriptlets_declare_are_not_hidden_where_they_are_set():
    run = SecretRegistry()
    run.add("r1", [{"secret": "later"}, {"secret": "real-secret"}])
    run.hide("r2", ["later"])
    assert run.secrets_for("r1", ["a.later_v1"]) == ["real-secret"]
    assert run.secrets_for("r2", ["a.later_v1"]) == ["real-secret", "later"]
    assert run.secrets_for("r1") == ["later", "real-secret"]
