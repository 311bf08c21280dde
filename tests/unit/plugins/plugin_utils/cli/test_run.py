# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs on this machine, and all that is asked of them afterwards."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.commands import Done, call, make_project
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.journals import a_run, end, planned, step

CFG = "[defaults]\nhost_key_checking = false\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project; it is the working folder of this file's tests."""
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    (folder / "ansible.cfg").write_text(CFG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("RACK_RECIPES_", "ANSIBLE_"))]:
            patch.delenv(name)
        yield folder


@pytest.fixture(scope="module")
def bad(folder: Path) -> Done:
    return call("run", "bad.yml", "--report")


@pytest.fixture(scope="module")
def good(folder: Path, bad: Done) -> Done:
    return call("run", "good.yml", "--json", "-e", "rack_recipes_slots=2 other=x")


def run_id(done: Done) -> str:
    found = done.answer["run_id"]
    assert isinstance(found, str)
    return found


def test_a_run_that_passes(good: Done):
    assert (good.code, good.err) == (0, "")
    assert good.answer == {"status": "ok", "run_id": run_id(good), "ctx_keys": ["t.ok_v1"], "counts": {"passed": 1}}


def test_a_run_that_fails_tells_people_what_failed(bad: Done):
    assert bad.code == 1
    assert (bad.answer["status"], bad.answer["counts"]) == ("failed", {"failed": 1, "passed": 1})
    lines = bad.err.splitlines()
    assert lines[:2] == [
        "localhost  fail_step  failed: the link  [31mis down",
        f"run {run_id(bad)} failed: 1 failed, 1 passed",
    ]
    folder = Path(bad.answer["report"][-1]).parent
    told = ["csv/", "report.html", "report.md", "report.xlsx"]
    assert lines[2:] == [f"report: {folder}/{name}" for name in told]
    assert "\x1b" not in bad.out + bad.err


def test_the_report_is_there(bad: Done, folder: Path):
    assert bad.answer["report"]
    assert all((folder / path).is_file() for path in bad.answer["report"])


def test_what_a_run_leaves(good: Done, folder: Path):
    where = folder / ".rack-recipes/runs" / run_id(good)
    assert {path.name for path in where.iterdir()} == {"ansible.log", "follower.log", "journal.jsonl"}
    assert where.stat().st_mode & 0o777 == 0o700
    assert "PLAY [Run GOOD]" in (where / "ansible.log").read_text()


def test_ansible_s_output_is_shown_where_it_is_asked_for(folder: Path, good: Done, capfd: pytest.CaptureFixture[str]):
    done = call("run", "good.yml", "-v")
    assert done.code == 0
    assert "PLAY [Run GOOD]" in capfd.readouterr().err
    assert done.answer["status"] == "ok"


def test_runs(good: Done, bad: Done):
    listed = call("runs", "--json").answer["runs"]
    ids = [each["run_id"] for each in listed]
    assert ids.index(run_id(good)) < ids.index(run_id(bad))
    table = call("runs", "-n", "50").out.splitlines()
    assert table[0].split() == ["run", "status", "test", "recipe", "started", "verdicts"]
    assert [line.split()[0] for line in table[1:]] == ids
    [line] = [line for line in table if line.startswith(run_id(bad))]
    assert line.split()[1:4] == ["failed", "BAD", "bad.yml"]
    assert line.endswith("1 failed, 1 passed")
    assert len(call("runs", "-n", "1").out.splitlines()) == 2


def test_show(bad: Done):
    done = call("show", run_id(bad))
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"run {run_id(bad)}  failed  BAD  bad.yml  1 failed, 1 passed"
    assert lines[1].split() == ["verdict", "step", "host", "duration", "reason"]
    assert [line.split()[:3] for line in lines[2:]] == [
        ["failed", "fail_step", "localhost"],
        ["passed", "ok_step", "localhost"],
    ]
    assert "\x1b" not in done.out
    found = call("show", "--json", run_id(bad)).answer
    assert {*found} == {"run", "steps", "measurements", "context"}
    assert [each["verdict"] for each in found["steps"]] == ["passed", "failed"]
    assert found["context"][0]["value"] == 1


def test_the_newest_run_is_meant_without_a_name(good: Done, bad: Done):
    newest = call("runs", "--json", "-n", "1").answer["runs"][0]["run_id"]
    assert call("show", "--json").answer["run"]["run_id"] == newest
    assert call("flush").answer["run_id"] == newest
    assert call("watch", "--json").answer["run_id"] == newest


@pytest.mark.parametrize("command", ["show", "report", "watch", "flush"])
def test_a_run_that_is_not_there(command: str, good: Done):
    done = call(command, "1999", "--json")
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert "there is no run '1999' in" in done.answer["reason"]
    assert done.err.strip() == done.answer["reason"]


@pytest.mark.parametrize("command", ["show", "report", "watch", "flush"])
def test_a_start_that_means_several_runs(command: str, good: Done, bad: Done):
    done = call(command, "20")
    assert (done.code, done.out) == (2, "")
    assert re.match(r"\d+ runs begin with '20': ", done.err)


def test_report_to_a_folder(bad: Done, tmp_path: Path):
    done = call("report", run_id(bad), "--to", str(tmp_path / "r"), "--format", "md", "--format", "csv")
    files = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert {Path(path).suffix for path in files} == {".md", ".csv"}
    assert all(Path(path).is_file() for path in files)
    assert call("report", run_id(bad), "--to", str(tmp_path / "r"), "--format", "md", "--json").answer == {
        "run_id": run_id(bad),
        "files": [path for path in files if path.endswith(".md")],
    }


def test_a_report_that_cannot_be_written(bad: Done, tmp_path: Path):
    (tmp_path / "file").touch()
    done = call("report", run_id(bad), "--to", str(tmp_path / "file/r"))
    assert (done.code, done.out) == (1, "")
    assert str(tmp_path / "file") in done.err


def test_flush_is_done_once(good: Done):
    assert call("flush", run_id(good)).answer == {"status": "ok", "run_id": run_id(good), "rows": 0}
    other = f"sqlite:///{Path.cwd()}/other.db"
    assert call("flush", run_id(good), "--db", other).answer["rows"] > 0
    assert [each["run_id"] for each in call("runs", "--db", other, "--json").answer["runs"]] == [run_id(good)]


def test_watch_tells_how_a_run_ended(good: Done, bad: Done):
    done = call("watch", run_id(bad))
    assert done.code == 1
    assert done.answer["status"] == "failed"
    assert done.err.splitlines()[-1] == f"run {run_id(bad)} failed: 1 failed, 1 passed"
    assert call("watch", run_id(good), "--json")[::2] == (0, "")


def test_watch_waits_for_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_RUNS", str(folder / "watched"))
    run = a_run(folder / "watched", planned("a", "r1"))
    append(run.path, [step("a", "r1", "unreachable", 0, "gone")])
    last = end("unreachable", 3, unreachable=1)
    threading.Timer(0.4, append, (run.path, [last])).start()
    done = call("watch")
    assert (done.code, done.answer["status"]) == (3, "unreachable")
    assert done.err == "r1  a  unreachable: gone\nrun R1 unreachable: 1 unreachable\n"


def test_many_problems_are_not_all_told(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_RUNS", str(folder / "many"))
    run = a_run(folder / "many", planned("a", "r1"))
    append(run.path, [step(f"s{n}", "", "failed", n, "hot") for n in range(1, 14)] + [end("failed", 1, failed=13)])
    lines = call("watch").err.splitlines()
    assert lines[0] == "run  s1  failed: hot"
    assert lines[10:] == ["and 3 more: rack-recipes show R1", "run R1 failed: 13 failed"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--limit", "nowhere"], "nothing was run"),
        (["-i", "localhost,", "--", "--syntax-check"], "nothing was run; Ansible said ("),
        (["--", "--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["-e", "@absent.yml"], "absent.yml"),
        (["-e", "rack_recipes_slots=0"], "rack_recipes_slots (how many parallel steps"),
    ],
)
def test_where_nothing_was_run_it_is_said_why(folder: Path, arguments: list[str], text: str):
    done = call("run", "good.yml", "--json", *arguments)
    assert done.code == 2
    assert text in done.answer["reason"]
    assert done.err.strip() == done.answer["reason"]


def test_extra_vars_choose_the_folder_of_the_run(folder: Path):
    done = call("run", "good.yml", "-e", json.dumps({"rack_recipes_runs": "chosen/runs"}))
    assert done.code == 0
    assert (folder / "chosen/runs" / run_id(done) / "journal.jsonl").is_file()
    assert [*(folder / "chosen/compiled").iterdir()]


def test_a_store_that_is_away(folder: Path):
    done = call("run", "bad.yml", "--db", "sqlite:////proc/nowhere/results.db")
    assert done.code == 5
    answer = done.answer
    assert (answer["status"], answer["counts"]) == ("not stored", {"failed": 1, "passed": 1})
    assert "/proc/nowhere" in answer["reason"]
    assert Path(answer["journal"]).is_file()
    told = done.err.splitlines()
    assert told[-1] == f"the results are safe in {answer['journal']}: rack-recipes flush {run_id(done)}"
    assert call("flush", run_id(done)).answer["rows"] > 0


@pytest.mark.parametrize(("command", "code"), [("show", 2), ("report", 2), ("runs", 0)])
def test_a_store_without_runs(command: str, code: int, folder: Path):
    url = f"sqlite:///{folder}/empty.db"
    engine(url).dispose()
    done = call(command, "--db", url)
    assert (done.code, done.err) == (code, "there are no runs in the store\n" if code else "")


@pytest.mark.parametrize("command", ["runs", "show", "report"])
def test_a_store_that_cannot_be_read(command: str, folder: Path):
    done = call(command, "--json", "--db", "sqlite:////proc/nowhere/results.db")
    assert (done.code, done.answer["exit_code"]) == (5, 5)
    assert "/proc/nowhere" in done.answer["reason"]


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("watch", 2, "there are no runs in .rack-recipes/runs\n"),
        ("flush", 2, "there are no runs in .rack-recipes/runs\n"),
        ("runs", 5, "there is no store yet, it is made by the first run\n"),
        ("show", 5, "there is no store yet, it is made by the first run\n"),
        ("report", 5, "there is no store yet, it is made by the first run\n"),
    ],
)
def test_a_project_without_runs(command: str, code: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = call(command)
    assert (done.code, done.out) == (code, "")
    assert done.err.endswith(text)
    assert not [*tmp_path.iterdir()]
