# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs on this machine, and what is told of them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import (
    Done,
    call,
    forget_settings,
    make_project,
)
from rack_recipes.cli import main as module
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.current_run import IN_CHECK
from rack_recipes.run.launcher.ansible_playbook import Forks, WarmStart
from rack_recipes.run.unmatched_hosts import no_match

CFG = "[defaults]\nhost_key_checking = false\n"
PROGRAM = f"from {module.__name__} import main; main()"
SECRET = "hunter2-and-more"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project; it is the working folder of this file's tests."""
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    (folder / "ansible.cfg").write_text(CFG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        forget_settings(patch)
        yield folder


@pytest.fixture
def _cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Ansible is started early, for what is refused before one is needed."""
    monkeypatch.setattr("rack_recipes.run.launcher.ansible_playbook.warm_start", lambda _env: nullcontext())


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


def records(done: Done) -> list[dict[str, Any]]:
    path = Path(".rack-recipes/runs", run_id(done), "journal.jsonl")
    return [line.record for line in JournalReader(path).read() if line.record is not None]


def begun(done: Done) -> dict[str, Any]:
    return next(record for record in records(done) if record["kind"] == "run")


def said(done: Done) -> str:
    return next(record["after"] for record in records(done) if record.get("key") == "t.said_v1")


def test_a_run_that_passes(good: Done):
    assert (good.code, good.err) == (0, "")
    folder = str(Path(".rack-recipes/runs", run_id(good)).absolute())
    about = {"run_id": run_id(good), "ctx_keys": ["t.ok_v1"], "counts": {"passed": 1}}
    where = {"hosts": 1, "inventory": ["localhost,"], "this_machine_alone": True}
    assert good.answer == {"status": "ok", **about, **where, "folder": folder}


def test_a_run_that_fails_tells_people_what_failed(bad: Done, folder: Path):
    assert bad.code == 1
    assert (bad.answer["status"], bad.answer["counts"]) == ("failed", {"failed": 1, "passed": 1})
    lines = bad.err.splitlines()
    assert lines[:3] == [
        "localhost  fail_step  failed: the link  [31mis down",
        f"run {run_id(bad)} failed: 1 failed, 1 passed on this machine alone",
        f"1 warning or worse in the log of the steps: rack-recipes show {run_id(bad)}",
    ]
    report = Path(bad.answer["report"][-1]).parent
    told = ["csv/", "report.html", "report.md", "report.xlsx"]
    assert lines[3:] == [f"report: {report}/{name}" for name in told]
    assert all((folder / path).is_file() for path in bad.answer["report"])
    assert "\x1b" not in bad.out + bad.err


def test_what_steps_have_logged_is_shown(bad: Done):
    shown = call("show", run_id(bad)).out.splitlines()
    place = next(place for place, line in enumerate(shown) if line.startswith("logged"))
    assert [line.split(maxsplit=4) for line in shown[place : place + 2]] == [
        ["logged", "step", "host", "by", "text"],
        ["WARNING", "fail_step", "localhost", "shell", "the fan is  slow"],
    ]


def test_extra_vars_choose_the_folders_of_the_run_and_of_its_report(folder: Path):
    chosen = {"report_dest": "team", "report_formats": ["md"], "rack_recipes_runs": "chosen/runs"}
    done = call("run", "good.yml", "--report", "-e", json.dumps(chosen))
    assert (done.code, done.answer["report"]) == (0, ["team/report.md"])
    assert done.err.splitlines()[-1] == "report: team/report.md"
    assert (folder / "team/report.md").is_file()
    assert (folder / "chosen/runs" / run_id(done) / "journal.jsonl").is_file()
    assert [*(folder / "chosen/compiled").iterdir()]


@pytest.mark.parametrize(
    ("recipe", "given", "status", "code", "why"),
    [
        ("good.yml", {"report_dest": "/proc/foo"}, "ok", 5, "the report cannot be written to /proc/foo: No such file"),
        ("good.yml", {"report_formats": ["doc"]}, "ok", 5, "value of formats must be one or more of: html, xlsx, csv"),
        ("bad.yml", {"report_run": "R0"}, "failed", 1, "there is no run 'R0'"),
    ],
)
def test_a_report_that_was_not_written_is_an_error(
    recipe: str, given: dict[str, Any], status: str, code: int, why: str, folder: Path
):
    done = call("run", recipe, "--report", "-e", json.dumps(given))
    assert (done.code, done.answer["status"], done.answer["report"]) == (code, status, [])
    error = done.answer["report_error"]
    assert error.startswith(why)
    assert error.endswith(f"(.rack-recipes/runs/{run_id(done)}/ansible.log)")
    assert done.err.splitlines()[-1] == f"no report was written: {error}"


def test_check_mode_runs_no_scriptlet_writes_nothing_and_says_so(folder: Path):
    done = call("run", "good.yml", "--check", "--report")
    assert (done.code, done.answer["status"], done.answer["counts"]) == (0, "rehearsed", {"skipped": 1})
    assert "t.ok_v1" not in done.answer.get("ctx_keys", [])
    assert done.err.splitlines()[1] == IN_CHECK
    assert done.answer["report_error"].startswith("check mode writes none (")


def test_a_vault_without_its_password_is_told_before_anything_is_run(folder: Path):
    (folder / "vaulted").mkdir()
    (folder / "vaulted/group_vars").mkdir()
    (folder / "vaulted/group_vars/leafs.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    leafs = {"hosts": {"leaf1": {"ansible_connection": "local"}}}
    (folder / "vaulted/hosts.yml").write_text(json.dumps({"all": {"children": {"leafs": leafs}}}))
    done = call("run", "good.yml", "-i", "vaulted/hosts.yml")
    assert (done.code, done.answer["status"]) == (2, "error")
    said = "nothing was run: the variables of leaf1: Attempting to decrypt but no vault secrets found"
    assert done.answer["reason"].startswith(said)
    assert said in done.err


def test_what_a_run_leaves(good: Done, bad: Done, folder: Path):
    for done in (good, bad):
        where = folder / ".rack-recipes/runs" / run_id(done)
        files = {path.name for path in where.iterdir()} - {"report", "report.json", "lock"}
        assert files == {"ansible.log", "begun", "follower.log", "journal.jsonl"}
        assert where.stat().st_mode & 0o777 == 0o700


def test_ansible_s_output_is_shown_where_it_is_asked_for(folder: Path, good: Done, capfd: pytest.CaptureFixture[str]):
    done = call("run", "good.yml", "-v")
    assert done.code == 0
    assert "PLAY [Run GOOD" in capfd.readouterr().err
    assert done.answer["status"] == "ok"


def test_parameters_come_from_files_and_words(folder: Path):
    (folder / "lab.yml").write_text("name: lab\nvlan: 5\n")
    done = call("run", "asks.yml", "--param-file", "lab.yml", "--param", "vlan=7")
    assert (done.code, said(done)) == (0, "lab 7")
    assert begun(done)["params"] == {"vlan": 7, "name": "lab"}


def test_parameters_of_extra_vars_hold_too(folder: Path):
    done = call("run", "asks.yml", "-e", '{"rack_recipes_params": {"name": "a", "vlan": 3}}', "--param", "vlan=4")
    assert (done.code, said(done)) == (0, "a 4")
    assert said(call("run", "asks.yml", "-e", "name=survey")) == "survey 12"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "parameter 'name': expected text, got no value"),
        (["--param", "name=x", "--param", "vlan=9999"], "parameter 'vlan': expected at most 4094, got the number 9999"),
        (["--param", "name=x", "--param", "vlna=1"], "got 'vlna' (did you mean 'vlan'?)"),
        (["--param", "name"], "--param: expected NAME=VALUE, got 'name'"),
        (
            ["--param-file", "wrong.yml"],
            "--param-file: wrong.yml:2:1: expected the name of a parameter of the recipe, got 'vlna' (did you mean ",
        ),
        (
            ["--param-file", "wrong.yml"],
            "\n--param-file: wrong.yml:1:1: parameter 'name': expected text, got the number 7",
        ),
        (
            ["--param-file", "wrong.json", "--param", "name=x"],
            "--param-file: wrong.json: parameter 'vlan': expected a whole number, got 'x'",
        ),
        (["--param-file", "wrong.json", "--param", "name=x", "--param", "vlan=y"], "parameter 'vlan': expected a"),
        (["-e", "a=1", "--param-file", "wrong.yml"], "--param-file: wrong.yml:2:1: expected the name"),
        (["-e", "vlan=1"], "parameter 'name'"),
        (["-e", "name=x", "--param", "vlna=1"], "got 'vlna' (did you mean 'vlan'?)"),
        (["--param", "vlan=x", "--", "-e", "name=x"], "parameter 'vlan': expected a whole number"),
    ],
)
def test_wrong_parameters_are_refused(words: list[str], text: str, folder: Path, request: pytest.FixtureRequest):
    if "-e" not in words:  # else Ansible may be the one that refuses
        request.getfixturevalue("_cold")
    Path("wrong.yml").write_text("name: 7\nvlna: 5\n")
    Path("wrong.json").write_text('{"vlan": "x"}')
    before = {*Path(".rack-recipes").rglob("*")} if not words or words[0] != "-e" else set()
    done = call("run", "asks.yml", "--json", *words)
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert text in done.answer["reason"]
    assert not before or {*Path(".rack-recipes").rglob("*")} == before


@pytest.mark.usefixtures("_cold")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--tags", "ok_step,okstep"], "--tags: no step has the tag or name 'okstep' (did you mean 'ok_step'?)"),
        (["--skip-tags", "zzz"], "--skip-tags: no step has the tag or name 'zzz'; there are ok_step"),
        (["-f", "0"], "argument -f/--forks: expected a whole number from 1, got '0'"),
        (["--parallel", "0"], "argument --parallel: expected a whole number from 1, got '0'"),
        (["--parts", "3"], "--parts: expected --group ID beside it, the group that this run is a part of"),
        (["--server", "a.sock"], "--server: expected --group ID beside it, the group that this run is a part of"),
        (["--notify", "ftp://x"], "--notify: notify_url is not an address such as"),
        (["--notify", "http://127.0.0.1:1/"], "--notify: notices are signed: give notify_secret_file"),
        (["-i", "h1,", "-i", "godo.yml"], "there is no inventory 'godo.yml'"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(words: list[str], text: str, folder: Path):
    before = {*Path(".rack-recipes").rglob("*")}
    for more in ([], ["--dry-run"]):
        done = call("run", "good.yml", "--json", *words, *more)
        assert (done.code, done.answer["exit_code"]) == (2, 2)
        assert text in done.answer["reason"]
    assert {*Path(".rack-recipes").rglob("*")} == before


@pytest.mark.usefixtures("_cold")
def test_a_part_of_a_parameter_that_is_not_there_is_told_before_anything_runs(folder: Path):
    step = "{name: a, module: t.ok, type: shell, success: none, args: {x: '${params.site.vlan}'}}"
    (folder / "parts.yml").write_text(
        f"test_meta: {{test_id: T-1}}\nparams: {{site: {{type: dict, default: {{vlna: 1}}}}}}\nsteps: [{step}]\n"
    )
    before = {*Path(".rack-recipes").rglob("*")}
    told = "parts.yml:3:9: step 'a': ${params.site.vlan}: params.site has no 'vlan', did you mean vlna?\n"
    for more in ([], ["--dry-run"]):
        done = call("run", "parts.yml", *more)
        assert (done.code, done.err) == (2, told)
    assert {*Path(".rack-recipes").rglob("*")} == before
    assert call("run", "parts.yml", "--skip", "a", "--dry-run").code == 0
    assert call("run", "parts.yml", "--param", "site={vlan: 3}", "--dry-run").code == 0


@pytest.mark.usefixtures("_cold")
def test_a_part_of_a_secret_that_is_not_there_does_not_show_it(folder: Path):
    step = "{name: a, module: t.ok, type: shell, success: none, args: {x: '${params.site.password.x}'}}"
    (folder / "hidden.yml").write_text(
        f"test_meta: {{test_id: T-1}}\nparams: {{site: {{type: dict}}}}\nsteps: [{step}]\n"
    )
    done = call("run", "hidden.yml", "--json", "--param", f"site={{password: {SECRET}}}")
    assert (done.code, SECRET in done.out + done.err) == (2, False)
    assert done.answer["reason"].endswith("params.site.password has no 'x': it is \"********\"")


def test_secrets_have_to_be_given_again(folder: Path):
    first = call("run", "secret.yml", "--param", "name=x", "--param", f"password={SECRET}")
    done = call("run", "--resume", run_id(first), "--json")
    assert done.code == 2
    assert done.answer["reason"].startswith("parameter 'password': expected text, got no value")
    assert call("run", "--resume", run_id(first), "--param", f"password={SECRET}").code == 0


def test_secrets_are_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "secret.json").write_text(json.dumps({"name": "x", "password": SECRET}))
    seen: list[str] = []

    def spy(words: list[str], **options: Any) -> Any:
        seen.append(f"{words} {options['env']}")
        return real(words, **options)

    def go(ahead: WarmStart, words: list[str], log: str) -> Any:
        seen.append(f"{words} {log}")
        return going(ahead, words, log)

    real, going = subprocess.Popen, WarmStart.go
    monkeypatch.setattr(subprocess, "Popen", spy)
    monkeypatch.setattr(WarmStart, "go", go)
    url = f"sqlite:///{folder}/{SECRET}.db"  # as a password in a URL
    done = call("run", "secret.yml", "--param-file", "secret.json", "--debug", "--report", "--db", url)
    assert done.code == 0
    assert begun(done)["params"] == {"vlan": 12, "name": "x", "password": "********"}
    assert len(seen) == 2
    assert not [words for words in seen if SECRET in words]
    assert SECRET not in done.out + done.err
    written = [path for path in Path(".rack-recipes").rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_what_ansible_is_given_in_private(folder: Path, monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, Any] = {}

    def spy(ahead: WarmStart, words: list[str], log: str) -> Any:
        [path] = [Path(word[1:]) for word in words if word.startswith("@")]
        text = path.read_text()
        seen.update(json.loads(text), path=path, kept=path.exists())
        path.write_text(text)  # it is read once
        return real(ahead, words, log)

    real = WarmStart.go
    monkeypatch.setattr(WarmStart, "go", spy)
    words = ["--param", "vlan=7", "--param", "name=x", "--parallel", "3", "--flush-now", "--debug", "--report"]
    done = call("run", "asks.yml", *words, "--db", "sqlite:///other.db")
    assert done.code == 0
    assert call("show", run_id(done), "--json", "--db", "sqlite:///other.db").answer["run"]["status"] == "passed"
    assert not seen.pop("path").exists()
    assert not seen.pop("kept")
    assert seen == {
        "rack_recipes_params": {"vlan": 7, "name": "x"},
        "rack_recipes_slots": 3,
        "rack_recipes_flush_interval": 0.2,
        "rack_recipes_debug": True,
        "rack_recipes_report": True,
        "rack_recipes_db": "sqlite:///other.db",
    }


def test_on_a_terminal_the_summary_comes_last_and_verdicts_have_colours(folder: Path):
    env = {**os.environ, "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    with pexpect.spawn(
        sys.executable, ["-c", PROGRAM, "run", "bad.yml"], env=env, encoding="utf-8", timeout=60
    ) as shown:
        shown.expect_exact("stage 1 of 1")
        shown.expect_exact("fail_step  \x1b[31mfailed\x1b[0m: the link")
        shown.expect_exact("1 \x1b[31mfailed\x1b[0m, 1 \x1b[32mpassed\x1b[0m")
        shown.expect(pexpect.EOF)
        assert "{" not in shown.before, "the object is for programs"


def test_on_a_terminal_an_error_is_told_once(folder: Path):
    words = ["-c", PROGRAM, "run", "good.yml", "--only", "x"]
    for more, objects in (([], 0), (["--json"], 1)):
        told = pexpect.run(shlex.join([sys.executable, *words, *more]), encoding="utf-8", timeout=60)
        assert told.count("\n{") == objects, told


def test_how_many_hosts_run_at_once_is_told_where_others_wait(folder: Path, monkeypatch: pytest.MonkeyPatch):
    words = ("run", "good.yml", "-e", "ansible_connection=local", "-i", "a,b,")
    assert "at once" not in call(*words).err, "both have run at once"
    monkeypatch.setattr("rack_recipes.cli.running.run_ansible.forks_of", lambda _command: Forks(1, "1 core"))
    assert "of 2 hosts at most 1 at once were connected (1 core); -f N sets another number\n" in call(*words).err


def test_a_limit_that_matches_nothing_names_the_hosts_that_there_are(folder: Path):
    done = call("run", "good.yml", "-i", "leaf1,leaf2,", "--limit", "leaf3")
    assert (done.code, done.err) == (
        2,
        f"nothing was run: {no_match("--limit 'leaf3'", ['leaf1', 'leaf2'], [])}\n",
    )


def test_only_and_skip(folder: Path):
    assert call("run", "asks.yml", "--param", "name=x", "--only", "say_step").answer["counts"] == {"passed": 1}
    done = call("run", "asks.yml", "--param", "name=x", "--skip", "say_step")
    assert (done.code, done.answer["counts"]) == (1, {"blocked": 1, "skipped": 1})


def test_a_seed_is_told(folder: Path):
    done = call("run", "good.yml", "--seed", "--stepwise", "--parallel", "3")
    assert done.err.startswith("seed ")
    number = int(done.err.split()[1].rstrip(":"))
    assert begun(done)["options"] == {"seed": number, "stepwise": True, "parallel": True}
    assert done.answer["seed"] == number


def test_debug_tells_what_steps_do_and_say(folder: Path, bad: Done):
    done = call("run", "good.yml", "--debug")
    lines = [line for line in done.err.splitlines() if f" {run_id(done)} ok_step@localhost " in line]
    assert [line for line in lines if "set: t.ok_v1 by ok_step: null -> 1" in line]
    assert len(lines) >= 3
    assert [line for line in lines if "ok_step@localhost process: process " in line and "exit code 0" in line]
    assert "ok_step@localhost start" not in bad.err


@pytest.mark.parametrize(
    ("words", "level", "shown"), [((), "info", True), (("--log-level", "error"), "", False)], ids=["setting", "option"]
)
def test_the_level_of_the_log_says_how_much_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], level: str, shown: bool
):
    if level:
        monkeypatch.setenv("RACK_RECIPES_LOG_LEVEL", level)
    done = call("run", "good.yml", *words)
    assert ("ok_step@localhost start" in done.err) == shown
    assert "ok_step@localhost stdout" not in done.err


def steps_of(done: Done) -> dict[str, dict[str, Any]]:
    return {record["step"]: record for record in records(done) if record["kind"] == "step"}


def test_going_on_with_a_run(folder: Path):
    first = call("run", "asks.yml", "--param", "name=first", "--skip", "ok_step")
    whole = call("run", "asks.yml", "--resume-from", "ok_step")  # which was left out
    assert whole.answer["resumes"] == run_id(first)
    steps = steps_of(whole)
    assert (steps["ok_step"]["verdict"], steps["say_step"]["from"]) == ("passed", run_id(first))
    done = call("run", "--resume", run_id(whole), "--param", "vlan=20")
    assert done.code == 0
    assert done.answer["resumes"] == begun(done)["resumes"] == run_id(whole)
    assert begun(done)["recipe"]["path"] == "asks.yml"
    assert said(done) == "first 20"
    assert "from" not in steps_of(done)["say_step"]
    assert steps_of(done)["ok_step"]["from"] == run_id(whole)
    again = call("run", "asks.yml", "--resume-from", "ok_step")
    assert again.answer["resumes"] == run_id(done)
    assert steps_of(again)["say_step"]["from"] == run_id(done)
    assert "from" not in steps_of(again)["ok_step"]


@pytest.mark.usefixtures("_cold")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--resume", "1999"], "there is no run '1999' in .rack-recipes/runs"),
        (
            ["faulty_none.yml", "--resume", "last"],
            "there is no run of faulty_none.yml in .rack-recipes/runs to go on with",
        ),
        (
            ["good.yml", "--resume-from", "ok_stp"],
            "--resume-from: the recipe has no step 'ok_stp' (did you mean 'ok_step'?)",
        ),
    ],
)
def test_going_on_with_what_is_not_there(words: list[str], text: str, good: Done):
    done = call("run", *words)
    assert done.code == done.answer["exit_code"] == 2
    assert done.err.startswith(text)


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


def test_a_folder_whose_settings_ansible_ignores_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ansible would test this machine instead of the inventory that ansible.cfg names."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\n")
    folder.chmod(0o777)
    done = call("run", "good.yml")
    told = f"{folder}: everyone may write here, so Ansible ignores the ansible.cfg in it: chmod o-w {folder}\n"
    assert (done.code, done.err) == (2, told)
    assert call("run", "good.yml", "--dry-run").code == 2


@pytest.mark.usefixtures("_cold")
@pytest.mark.parametrize("limit", ["", " ", ",", "&", "web,&", "!"])
def test_a_limit_that_names_no_host_is_refused(folder: Path, limit: str):
    done = call("run", "good.yml", "-i", "localhost,", f"--limit={limit}")
    assert (done.code, done.err) == (2, f"--limit: expected hosts or groups of the inventory, got {limit!r}\n")


def test_an_inventory_that_cannot_be_read_is_told_with_the_place(folder: Path):
    (folder / "broken.yml").write_text("all:\n  hosts: [a\n")
    done = call("run", "good.yml", "-i", "localhost,", "-i", "broken.yml")
    assert done.code == 2
    assert f"Origin: {folder}/broken.yml:3:1" in done.err
    done = call("run", "good.yml", "-i", "absent.yml")
    assert done.code == 2
    assert done.err == "there is no inventory 'absent.yml'\n"


def test_a_host_of_limit_that_the_inventory_does_not_know_is_told(folder: Path):
    done = call("run", "good.yml", "-i", "localhost,", "--limit", "localhost,leaf9", "-e", "ansible_connection=local")
    told = "--limit: no host or group of the inventory is leaf9"
    assert (done.code, done.answer["warnings"]) == (0, [told])
    assert f"warning: {told}\n" in done.err


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


def test_a_run_that_checked_nothing_says_so(folder: Path):
    step = {"name": "ok_step", "type": "shell", "module": "t.ok", "success": "none"}
    (folder / "nothing.yml").write_text(json.dumps({"test_meta": {"test_id": "N"}, "steps": [step]}))
    done = call("run", "nothing.yml")
    assert (done.code, done.answer["status"]) == (1, "unchecked")
    assert done.err.splitlines()[-1] == "no step checked anything, so nothing was shown: give steps success criteria"


@pytest.mark.repeats(one_in=3)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_told(number: signal.Signals, folder: Path):
    (folder / "scriptlets/t/wait.sh").write_text("#!/bin/sh\ntouch started\nsleep 60\n")
    (folder / "scriptlets/t/wait.yml").write_text("description: Waits\nwrites: []\n")
    steps = [{"name": "wait", "type": "shell", "module": "t.wait", "success": "none"}]
    (folder / "wait.yml").write_text(json.dumps({"test_meta": {"test_id": "W"}, "steps": steps}))
    before = {*Path(".rack-recipes/runs").iterdir()}
    line = [sys.executable, "-c", PROGRAM, "run", "wait.yml"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        _await_step(before)
        os.killpg(child.pid, number) if number == signal.SIGINT else child.send_signal(number)
        out, err = child.communicate(timeout=60)
    answer = json.loads(out)
    assert child.returncode == 128 + number
    assert (answer["status"], answer["reason"]) == ("interrupted", f"ended by {number.name}")
    assert answer["counts"] == {"error": 1}
    assert err.splitlines()[-3:] == [
        f"run {answer['run_id']} interrupted: 1 error on this machine alone",
        f"ended by {number.name}",
        f"to go on from here: rack-recipes run --resume {answer['run_id']}",
    ]


def _await_step(before: set[Path]) -> None:
    """Wait for a run that has begun."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        new = {*Path(".rack-recipes/runs").iterdir()} - before
        if any((path / "journal.jsonl").exists() for path in new):
            time.sleep(1)  # the stage is under way
            return
        time.sleep(0.1)
    raise AssertionError("the run did not begin")
