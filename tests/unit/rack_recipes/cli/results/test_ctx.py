# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST, SECOND, Writer
from rack_recipes.cli.results.ctx import state_at

THIRD = "20261126-000000-cccccc"
STATE = """\
key            host   version  seq  set by  value
lab.mode_v1    run    1        4    burn    "slow"
wire.state_v1  leaf1  2        3    wire    {"mtu": 9000, "up": true}
wire.state_v1  leaf2  1        2    wire    {"mtu": 1500, "up": true}
"""
HISTORY = """\
seq  time                         clock        host   set by  step  try  before                         after
1    2026-11-25T14:00:01.000000Z  -3599.500 s  leaf1  wire    wire  1                               ->  {"mtu": 1500, "up": true}
3    2026-11-25T14:00:01.000000Z  -3599.500 s  leaf1  wire    wire  1    {"mtu": 1500, "up": true}  ->  {"mtu": 9000, "up": true}
"""  # noqa: E501
DIFFERENCES = """\
key            host   field  first                      second
lab.mode_v1    run           "slow"                     -
wire.state_v1  leaf1  up     true                       false
wire.state_v1  leaf2         {"mtu": 1500, "up": true}  -
"""


def test_show(stored: Path):
    assert call("ctx", "show", FIRST) == (0, STATE, "")


def test_show_as_it_was(stored: Path):
    lines = call("ctx", "show", FIRST, "--at", "2").out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["wire.state_v1", "leaf1", "1", "1"],
        ["wire.state_v1", "leaf2", "1", "2"],
    ]
    assert call("ctx", "show", FIRST, "--at", "0").out.splitlines() == ["key  host  version  seq  set by  value"]


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize("number", ["-1", "5", "99"])
def test_a_change_that_there_is_not(command: str, number: str, stored: Path):
    text = f"--at {number}: expected a number from 0 to 4, the changes of run {FIRST}\n"
    assert call("ctx", command, FIRST, "--at", number) == (2, "", text)
    assert call("ctx", command, FIRST, "--at", "4").code == 0


def test_show_what_a_host_sees(stored: Path):
    lines = call("ctx", "show", FIRST, "--host", "leaf2").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["lab.mode_v1", "run"], ["wire.state_v1", "leaf2"]]
    answer = call("ctx", "show", FIRST, "--host", "leaf1", "--json").answer
    assert answer["values"] == {"lab.mode_v1": "slow", "wire.state_v1": {"mtu": 9000, "up": True}}
    assert (answer["run_id"], answer["at"]) == (FIRST, None)
    assert {*answer["context"][0]} >= {"key", "host", "version", "seq", "value", "who", "time", "step"}
    assert "values" not in call("ctx", "show", FIRST, "--json").answer


def test_a_host_s_own_key_wins_over_the_run_s():
    changes = [
        {"key": "a_v1", "host": host, "seq": seq, "before": None, "after": seq, "run_id": "R"}
        for seq, host in ((1, "leaf1"), (2, ""))
    ]
    assert [entry["value"] for entry in state_at(changes, None)] == [2, 1]


def test_a_host_without_keys(stored: Path):
    run = Writer(THIRD)
    run.begin("sha256:3", ("wire",))
    run.set("wire", "leaf1", "lab.mode_v1", "slow", scope="run")
    run.set("wire", "leaf1", "wire.state_v1", 1)
    run.step("wire", "leaf1")
    run.step("wire", "leaf2")
    run.end("passed", 0, passed=2)
    lines = call("ctx", "show", THIRD, "--host", "leaf2").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["lab.mode_v1", "run"]]
    early = call("ctx", "show", THIRD, "--host", "leaf1", "--at", "1", "--json")
    assert early.answer["values"] == {"lab.mode_v1": "slow"}
    assert call("ctx", "diff", THIRD, THIRD, "--host", "leaf2").code == 0


def test_a_run_without_keys_of_its_own(stored: Path):
    run = Writer(THIRD)
    run.begin("sha256:3", ("wire",))
    run.end("passed", 0)
    same = f"{THIRD} and {THIRD} ended with the same context\n"
    assert call("ctx", "diff", THIRD, THIRD, "--host", "run") == (0, same, "")
    assert call("ctx", "show", THIRD, "--host", "run").code == 0


def test_a_host_that_is_not_of_the_run(stored: Path):
    done = call("ctx", "show", FIRST, "--host", "leaf3")
    assert done.code == 2
    text = f"there is no host 'leaf3' in run {FIRST} (did you mean 'leaf2'?); there are run, leaf1, leaf2\n"
    assert done.err == text
    done = call("ctx", "diff", FIRST, SECOND, "--host", "zzz")
    assert done.err == f"there is no host 'zzz' in run {FIRST} and {SECOND}; there are run, leaf1, leaf2\n"


def test_hosts_come_as_people_count_and_of_many_only_some_are_named(stored: Path):
    run = Writer(THIRD)
    run.begin("sha256:3", ("wire",))
    for number in reversed(range(1, 12)):
        run.set("wire", f"leaf{number}", "lab.slot_v1", number)
    run.end("passed", 0)
    lines = call("ctx", "show", THIRD).out.splitlines()[1:]
    assert [line.split()[1] for line in lines] == [f"leaf{number}" for number in range(1, 12)]
    named = ", ".join(f"leaf{number}" for number in range(1, 8))
    done = call("ctx", "show", THIRD, "--host", "zzz")
    assert done.err == f"there is no host 'zzz' in run {THIRD}; there are run, {named} and 4 more\n"
    done = call("ctx", "history", "lab.slot_v1", THIRD, "--host", "run")
    assert done.err.endswith(f"it is a key of {named}, leaf8 and 3 more\n")


def test_who_set_a_key_is_the_same_everywhere(stored: Path):
    run = Writer(THIRD)
    run.begin("sha256:3", ("wire",))
    run.set("", "leaf1", "wire.state_v1", 1, who="import")
    run.end("passed", 0)
    assert call("ctx", "show", THIRD).out.splitlines()[1].split()[-2:] == ["import", "1"]
    assert "import" in call("ctx", "history", "wire.state_v1", THIRD).out.splitlines()[1].split()


def test_history(stored: Path):
    assert call("ctx", "history", "wire.state_v1", FIRST, "--host", "leaf1") == (0, HISTORY, "")
    answer = call("ctx", "history", "wire.state_v1", FIRST, "--json").answer
    assert (answer["run_id"], answer["key"]) == (FIRST, "wire.state_v1")
    assert [(change["seq"], change["host"]) for change in answer["changes"]] == [
        (1, "leaf1"),
        (2, "leaf2"),
        (3, "leaf1"),
    ]


def test_history_of_the_newest_run_and_of_the_run_s_keys(stored: Path):
    assert len(call("ctx", "history", "wire.state_v1").out.splitlines()) == 2
    unknown = call("ctx", "history", "wire.state_v1", "--json").answer["changes"][0]
    assert (unknown["clock_offset"], unknown["attempt"], unknown["step"]) == (None, 1, "wire")
    assert "->" in call("ctx", "history", "lab.mode_v1", FIRST, "--host", "run").out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["wire.stat_v1"], f"run {FIRST} has no key 'wire.stat_v1' (did you mean 'wire.state_v1'?)\n"),
        (["zzz_v1"], f"run {FIRST} has no key 'zzz_v1'\n"),
        (["lab.mode_v1", "--host", "leaf1"], f"run {FIRST} has no key 'lab.mode_v1' of leaf1; it is a key of run\n"),
        (
            ["wire.state_v1", "--host", "run"],
            f"run {FIRST} has no key 'wire.state_v1' of run; it is a key of leaf1, leaf2\n",
        ),
    ],
)
def test_a_key_that_is_not_there(words: list[str], text: str, stored: Path):
    done = call("ctx", "history", words[0], FIRST, *words[1:])
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(text)


def test_diff(stored: Path):
    assert call("ctx", "diff", FIRST, SECOND) == (0, DIFFERENCES, "")
    assert len(call("ctx", "diff", FIRST, SECOND, "--json").answer["context"]) == 3


def test_diff_of_one_host(stored: Path):
    assert [line.split()[1] for line in call("ctx", "diff", FIRST, SECOND, "--host", "leaf1").out.splitlines()[1:]] == [
        "leaf1"
    ]
    assert [line.split()[1] for line in call("ctx", "diff", FIRST, SECOND, "--host", "run").out.splitlines()[1:]] == [
        "run"
    ]
    assert call("ctx", "diff", FIRST, SECOND, "--host", "leaf9").code == 2


def test_export(stored: Path):
    state = {"mtu": 9000, "up": True}
    whole = call("ctx", "export", FIRST)
    assert whole.code == 0
    assert whole.answer == {
        "run_id": FIRST,
        "at": None,
        "run": {"lab.mode_v1": "slow"},
        "hosts": {"leaf1": {"wire.state_v1": state}, "leaf2": {"wire.state_v1": {**state, "mtu": 1500}}},
    }
    assert call("ctx", "export", FIRST, "--at", "1", "--json").answer == {
        "run_id": FIRST,
        "at": 1,
        "run": {},
        "hosts": {"leaf1": {"wire.state_v1": {**state, "mtu": 1500}}},
    }


def test_diff_of_the_same(stored: Path):
    assert call("ctx", "diff", FIRST, FIRST).out == f"{FIRST} and {FIRST} ended with the same context\n"


def test_keys_that_the_store_was_not_to_have(stored: Path):
    run = Writer(THIRD)
    run.begin("sha256:3", ("wire",), options={"persist": ["lab.*"]})
    run.set("wire", "leaf1", "lab.mode_v1", "slow", scope="run")
    run.set("wire", "leaf1", "wire.state_v1", 1)
    run.end("passed", 0, passed=2)
    why = "the store has the keys of `persist` alone (lab.*), the run's journal all"
    assert call("ctx", "show", THIRD).out.splitlines()[1:] == ['lab.mode_v1  run   1        1    wire    "slow"', why]
    found = call("ctx", "history", "wire.state_v1", THIRD)
    assert found == (2, "", f"run {THIRD} has no key 'wire.state_v1'; {why}\n")
