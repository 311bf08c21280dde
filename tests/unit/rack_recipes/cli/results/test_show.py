# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import (
    FIRST,
    SECOND,
    Writer,
    attempt,
)
from rack_recipes.cli import terminal
from rack_recipes.store import database_engine
from rack_recipes.store.database_engine import connect_store

SHOWN = f"""\
run {SECOND}  failed  BURN  recipes/burn.yml  2 failed, 1 marginal, 1 skipped, 1 cached, 1 passed; \
1 of them after a retry; resumes {FIRST}
params: minutes=9
options: seed=7
verdict   step         host   duration  reason
failed    burn         leaf2  1.000 s   dead 3; 8 of 9 rounds passed; pre_step site.log error: no disk
failed    ports        leaf1  1.000 s   ports[eth1] failed; 1 of 2 instances passed
skipped   ports        leaf2  1.000 s   when: value "${{wire.state_v1.up}}" eq true
failed    ports[eth1]  leaf1  1.000 s   no carrier
passed    wire         leaf1  1.000 s   reused from {FIRST}
cached    wire         leaf2  1.000 s   from {FIRST}
marginal  burn         leaf1  3.000 s   heat 91.5 C; flake: passed at try 2

criterion  name  value   to the limit  step  host   limits
marginal   heat  91.5 C  +3.5          burn  leaf1  max 95, warn {{"max": 80}}
failed     dead  3                     burn  leaf2  eq 0
"""


def test_show_tells_all_that_is_to_be_said(stored: Path):
    assert call("show", SECOND) == (0, SHOWN, "")
    assert call("show") == call("show", "20261125") == call("show", SECOND)


def test_all_instances_are_shown_where_it_is_asked_for(stored: Path):
    lines = call("show", "--all").out.splitlines()
    assert {line.split()[1] for line in lines if line.startswith(("passed", "failed"))} >= {
        "ports[eth0]",
        "ports[eth1]",
    }


def test_criteria_come_in_the_order_of_the_recipe_and_hosts_as_people_count(stored: Path):
    run = Writer("20261126-000000-cccccc")
    run.begin("sha256:3", ("wire", "burn"))
    for name, host in (("burn", "leaf1"), ("wire", "leaf10"), ("wire", "leaf2")):
        wrong = {"name": "lost", "value": 1, "limits": {"max": 0}, "distance": -1, "verdict": "failed"}
        run.step(name, host, "failed", measurements=[wrong])
    run.end("failed", 1, failed=3)
    places = ["wire leaf2", "wire leaf10", "burn leaf1"]
    lines = call("show").out.splitlines()
    assert [" ".join(line.split()[1:3]) for line in lines if " 1.000 s" in line] == places
    assert [" ".join(line.split()[-4:-2]) for line in lines if " max 0" in line] == places


def test_conflicts_are_shown(stored: Path):
    run = Writer("20261126-000000-cccccc")
    run.begin("sha256:3", ("wire",))
    run.set("wire", "leaf1", "mode_v1", "a", scope="run")
    run.set("wire", "leaf2", "mode_v1", "b", scope="run")
    run.end("passed", 0, passed=2)
    assert call("show").out.splitlines()[-2:] == [
        "conflict  host           step  policy           before      after  other",
        "mode_v1   run, by leaf2  wire  last_write kept  a       ->  b",
    ]
    assert [one["origin"] for one in call("show", "--json").answer["conflicts"]] == ["leaf2"]


def test_conflicts_are_shown_with_what_became_of_them(stored: Path):
    run = Writer("20261126-000000-cccccc")
    rules = [{"keys": "a*", "policy": "fail"}, {"keys": "b*", "policy": "deep_merge"}]
    run.begin("sha256:3", ("wire",), merge=rules)
    for host, value in (("leaf1", {"x": 1, "y": 1}), ("leaf2", {"x": 2})):
        run.set("wire", host, "a_v1", value, scope="run")
        run.set("wire", host, "b_v1", value, scope="run")
    run.set("wire", "leaf2", "c_v1", 1)
    run.set("wire", "leaf2", "c_v1", None)
    run.end("passed", 0, passed=2)
    assert [line.split("  ")[0] for line in call("show").out.splitlines()[-4:]] == ["conflict", "a_v1", "b_v1", "c_v1"]
    lines = call("show").out.splitlines()[-3:]
    assert 'fail refused       {"x": 1, "y": 1}  ->  {"x": 1, "y": 1}  {"x": 2}' in lines[0]
    assert 'deep_merge merged  {"x": 1, "y": 1}  ->  {"x": 2, "y": 1}  {"x": 2}; both changed x' in lines[1]
    assert lines[2].split() == ["c_v1", "leaf2", "wire", "last_write", "kept", "1", "->", "null"]


def test_a_result_names_the_host_that_it_came_through(stored: Path):
    run = Writer("20261126-000000-cccccc")
    run.begin("sha256:3", ("wire",))
    run.step("wire", "leaf1", "failed", reason="no answer (through j1)", through="j1")
    run.step("wire", "leaf2", through="j1")
    run.step("wire", "leaf3")
    run.end("failed", 1, passed=2, failed=1)
    lines = [line.split("  ")[-1].strip() for line in call("show").out.splitlines()[-3:]]
    assert lines == ["no answer (through j1)", "through j1", "1.000 s"]
    found = call("show", "--json").answer["steps"]
    assert [one["through"] for one in found] == ["j1", "j1", None]


def test_artifacts_are_shown_with_their_place_or_why_there_is_none(stored: Path):
    run = Writer("20261126-000000-cccccc")
    run.begin("sha256:3", ("wire",))
    run.attach("wire", "leaf1", "wire.log", "1" * 64, "")
    run.attach("wire", "leaf2", "wire.log", "2" * 64, "lost, and not back within 30 s: reset")
    run.attach("wire", "", "all.log", "3" * 64)
    run.end("passed", 0, passed=2)
    assert call("show").out.splitlines()[-4:] == [
        "artifact  step  host   size         file",
        "all.log   wire  run    5,242,880 B  missing: it has not come yet",
        f"wire.log  wire  leaf1  5,242,880 B  artifacts/{'1' * 64}",
        "wire.log  wire  leaf2  5,242,880 B  missing: lost, and not back within 30 s: reset",
    ]
    found = call("show", "--json").answer["artifacts"]
    assert next((one["name"], one["size"], one["note"]) for one in found) == ("all.log", 5242880, None)


def test_it_says_where_the_stderr_of_what_failed_is_to_be_read(stored: Path):
    run = Writer("20261126-000000-cccccc")
    run.begin("sha256:3", ("wire", "burn"))
    for step, host, verdict in (("wire", "leaf1", "passed"), ("burn", "leaf1", "error"), ("burn", "leaf2", "failed")):
        run.step(step, host, verdict, attempts=[{**attempt(verdict), "stderr": "awk: no such file"}])
    run.end("failed", 1, passed=1, error=1, failed=1)
    assert call("show").out.splitlines()[-1].startswith("stderr of burn on leaf1 and 1 more: rack-recipes report 2026")
    assert {one["stderr"] for one in call("show", "--json").answer["steps"]} == {"awk: no such file"}


def test_show_as_json_has_everything(stored: Path):
    found = call("show", SECOND, "--json").answer
    assert {*found} == {"run", "findings", "steps", "measurements", "context", "conflicts", "artifacts", "judgements"}
    assert found["run"]["run_id"] == SECOND
    steps = {(step["step"], step["host"]): step for step in found["steps"]}
    assert steps["burn", "leaf1"]["flake"] is True
    assert steps["ports[eth1]", "leaf1"]["parent"] == "ports"
    assert steps["wire", "leaf2"]["source_run"] == FIRST
    assert [one["distance"] for one in found["measurements"]] == [3.5, None]


def test_verdicts_have_colours_on_a_terminal(stored: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(terminal, "takes_colours", lambda stream: stream is sys.stdout)
    shown = call("show", SECOND).out
    assert "\x1b[31mfailed  \x1b[0m  ports" in shown
    assert "\x1b[33mmarginal\x1b[0m  burn" in shown
    assert "\x1b[32mcached  \x1b[0m  wire" in shown
    assert "\x1b[31mfailed\x1b[0m" in call("runs").out


def test_runs(stored: Path):
    done = call("runs")
    assert done.err == ""
    titles, *lines = done.out.splitlines()
    assert titles.split() == ["run", "status", "test", "recipe", "started", "verdicts"]
    assert [line.split()[0] for line in lines] == [SECOND, FIRST]
    assert lines[1].endswith("1 failed, 3 passed")
    assert lines[0].endswith(f"1 passed; 1 of them after a retry; resumes {FIRST}")
    assert call("runs", "-n", "1").out.splitlines() == done.out.splitlines()[:2]
    found = call("runs", "--json").answer["runs"]
    assert [(run["run_id"], run["flakes"]) for run in found] == [(SECOND, 1), (FIRST, 0)]


def test_a_run_of_stages_by_hand_has_neither_test_nor_recipe(stored: Path):
    run = Writer("20261126-000000-cccccc")
    run.begin("sha256:3", ("wire",), recipe={})
    run.end("passed", 0, passed=1)
    assert call("show").out.splitlines()[0] == f"run {run.run_id}  passed  1 passed"
    assert call("runs", "-n", "1").out.splitlines()[1].split()[:4] == [run.run_id, "passed", "-", "-"]


@pytest.mark.parametrize("command", ["show", "report", "flush", "watch"])
def test_a_run_that_is_not_there(command: str, stored: Path):
    done = call(command, "1999", "--json")
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert "there is no run '1999' in" in done.answer["reason"]
    assert done.err.strip() == done.answer["reason"]


@pytest.mark.parametrize("words", [["show"], ["report"], ["flush"], ["watch"], ["ctx", "show"], ["diff", "2"]])
def test_a_start_that_means_several_runs(words: list[str], stored: Path):
    done = call(*words, "2026")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"2 runs begin with '{words[1] if words[0] == 'diff' else '2026'}': ")


@pytest.mark.parametrize("number", ["-1", "-0", "0", "x"])
def test_a_number_of_runs_that_is_none(number: str, stored: Path):
    text = f"rack-recipes runs: argument -n/--number: expected a whole number from 1, got {number!r}; "
    assert call("runs", "-n", number) == (2, "", f"{text}see rack-recipes runs --help\n")


def test_a_run_that_is_in_a_journal_alone(stored: Path):
    call("db", "upgrade", "--db", "sqlite:///other.db")
    done = call("show", FIRST, "--db", "sqlite:///other.db")
    hint = f", but in a journal: `rack-recipes flush {FIRST} --db sqlite:///other.db` brings it there\n"
    assert (done.code, done.err) == (2, f"there is no run '{FIRST}' in the store{hint}")
    call("flush", FIRST, "--db", "sqlite:///other.db")
    assert call("show", FIRST, "--db", "sqlite:///other.db").code == 0


def test_the_hint_names_the_store_that_was_asked_without_its_password(stored: Path, monkeypatch: pytest.MonkeyPatch):
    store = connect_store("sqlite:///empty.db")
    monkeypatch.setattr(database_engine, "connect_for_reading", lambda _url: store)
    done = call("ctx", "show", FIRST, "--db", "mysql://rack:SECRET@db.example/rack")
    assert "`rack-recipes flush 20261124-090000-aaaaaa --db 'mysql://rack:***@db.example/rack'` brings" in done.err
    monkeypatch.setenv("RACK_RECIPES_DB", "mysql://rack:SECRET@db.example/rack")
    assert f"`rack-recipes flush {FIRST}` brings" in call("show", FIRST).err


@pytest.mark.parametrize(
    ("words", "code"),
    [(["show"], 2), (["report"], 2), (["ctx", "show"], 2), (["ctx", "history", "a_v1"], 2), (["runs"], 0)],
)
def test_a_store_without_runs(words: list[str], code: int, project: Path):
    url = f"sqlite:///{project}/empty.db"
    connect_store(url).dispose()
    done = call(*words, "--db", url)
    assert (done.code, done.err) == (code, "there are no runs in the store\n" if code else "")


@pytest.mark.parametrize(
    "words", [["runs"], ["show"], ["report"], ["ctx", "show"], ["diff", "a", "b"], ["db", "current"]]
)
def test_a_store_that_cannot_be_read(words: list[str], project: Path):
    done = call(*words, "--json", "--db", "sqlite:////proc/nowhere/results.db")
    assert (done.code, done.answer["exit_code"]) == (5, 5)
    assert "/proc/nowhere" in done.answer["reason"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["watch"], 2, "there are no runs in .rack-recipes/runs\n"),
        (["flush"], 2, "there are no runs in .rack-recipes/runs\n"),
        (["runs"], 5, "there is no store yet, it is made by the first run\n"),
        (["show"], 5, "there is no store yet, it is made by the first run\n"),
        (["report"], 5, "there is no store yet, it is made by the first run\n"),
        (["ctx", "show"], 5, "there is no store yet, it is made by the first run\n"),
        (["ctx", "diff", "a", "b"], 5, "there is no store yet, it is made by the first run\n"),
        (["diff", "a", "b"], 5, "there is no store yet, it is made by the first run\n"),
    ],
)
def test_a_project_without_runs(
    words: list[str], code: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    done = call(*words)
    assert (done.code, done.out) == (code, "")
    assert done.err.endswith(text)
    assert not [*tmp_path.iterdir()]
