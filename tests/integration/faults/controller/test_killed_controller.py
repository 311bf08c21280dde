# SPDX-License-Identifier: GPL-3.0-or-later

"""Controllers that are killed or stopped: every result that they received is in the journal, and their steps end."""

from __future__ import annotations

import grp
import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import reliability_sweeps
from call_rack_recipes import shell, write_recipe
from controller_process import PATIENCE, WAYS, Controller, command_lines, running, wait_for

HOSTS = ("r01", "r02")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SOON = 100.0  # seconds on a loaded machine; without an end by the controller it would be the lease's 120
HOLD = """\
#!/bin/sh
{first}
[ -e "$RACK_PARAM_OPEN" ] || sleep "$RACK_PARAM_SECONDS"
echo '{{"status": "ok", "outputs": {{"t.held_v1": 1}}}}'
"""
SIDECAR = """\
description: Waits for a while, unless a file is there
options:
  open: {type: str, required: true, description: The file.}
  seconds: {type: float, required: true, description: For how long.}
"""
SLOW = """\
#!/bin/sh
sleep 0.15
printf '{"status": "ok", "outputs": {"t.%s_v1": %s}}\\n' "$RACK_PARAM_KEY" "$RACK_PARAM_VALUE"
"""
SLOW_SIDECAR = """\
description: Sets a key after a while
options:
  key: {type: str, required: true, description: The middle of the key.}
  value: {type: raw, required: true, description: What it is set to.}
"""
EVERY = [(way, number) for way in WAYS for number in SIGNALS]
INTERRUPTED = "the run was interrupted"
# Seconds, of which each is used once: a step is found by them, and not one of the same tests beside these.
NUMBERS = count(1000 * os.getpid())
# Root is stopped by no file's mode unless it does without these.
AS_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


@pytest.fixture
def held(steps: Path) -> Path:
    """A project with scriptlets that take their time."""
    for name, text, sidecar in (
        ("hold.sh", HOLD.format(first=""), SIDECAR),
        ("stubborn.sh", HOLD.format(first="trap '' TERM"), SIDECAR),
        ("slow.sh", SLOW, SLOW_SIDECAR),
    ):
        path = steps / "scriptlets/t" / name
        path.write_text(text)
        path.with_suffix(".yml").write_text(sidecar)
    return steps


@pytest.fixture
def started() -> Iterator[list[Controller]]:
    """The controllers of a test; what is left of them is removed in the end."""
    found: list[Controller] = []
    yield found
    for each in found:
        for pid in each.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        each.child.wait()
        if each.has_begun():
            for folder in each.stages():
                shutil.rmtree(folder, ignore_errors=True)


def holding(name: str, script: str = "hold") -> tuple[str, str]:
    """A recipe of two stages, the first of which takes long; and the command line of what takes long."""
    seconds = next(NUMBERS)
    where = {"open": str(Path("open").absolute()), "seconds": seconds}
    steps = [
        shell("first", "ok"),
        shell("slow", script, args=where, writes=["t.held_v1"], success={"ctx_has_keys": ["t.held_v1"]}),
        shell("last", "ok", depends_on=["slow"]),
        {"name": "total", "module": "t.total", "scope": "run", "depends_on": ["last"]},
    ]
    return write_recipe(steps, f"{name}.yml"), f"sleep {seconds:.1f}"


def wait_for_steps(*words: str) -> None:
    """Wait until what takes long runs on all hosts."""
    wait_for("all steps run", lambda: run_on_all_hosts(words))


def run_on_all_hosts(words: Iterable[str]) -> bool:
    found = command_lines()
    return all(found[word] == len(HOSTS) for word in words)


def wait_for_their_end(*words: str) -> float:
    """Wait until nothing of it runs any more; the seconds that it took."""
    return wait_for("no step runs", lambda: command_lines().keys().isdisjoint(words), SOON)


def let_pass(words: str) -> None:
    """What takes long ends well, at once."""
    for pid in running(words):
        os.kill(pid, signal.SIGTERM)


def ended(name: str) -> dict[tuple[str, str], tuple[str, str]]:
    """What is said of each step after a signal with this name."""
    said = {
        "first": ("passed", ""),
        "slow": ("error", f"stopped: {INTERRUPTED}"),
        "last": ("error", f"not run: {INTERRUPTED}"),
    }
    found = {(step, host): end for step, end in said.items() for host in HOSTS}
    return {**found, ("total", ""): ("error", f"not run: ended by {name}")}


def chosen(*few: tuple[str, int]) -> list[tuple[str, int]]:
    """These of a way and a signal; all there can be in the whole sweep."""
    return EVERY if reliability_sweeps.is_whole() else [*few]


def code_of(way: str, number: int) -> int:
    """The exit code after a signal: Ansible has one of its own for an interrupt."""
    return 99 if (way, number) == ("ansible-playbook", signal.SIGINT) else 128 + number


def check_closed(found: Controller, number: int) -> None:
    """Nothing is left of it, and its record says what happened."""
    name = signal.Signals(number).name
    assert found.ended() == code_of(found.way, number), found.said()
    assert found.ends() == ended(name)
    assert (found.last()["status"], found.last()["exit_code"]) == ("interrupted", 128 + number)
    verdicts = {place: verdict for place, (verdict, _reason) in ended(name).items()}
    assert found.stored() == (("interrupted", 128 + number), verdicts)
    assert found.lost() == []
    assert [stage for stage in found.stages() if (stage / "work").exists()] == []
    assert f"{name}: the steps on the hosts are ended" in found.said()


def test_a_signal_ends_the_steps_at_once(held: Path, rack: Any, started: list[Controller]):
    with reliability_sweeps.sweep(
        "controller: signals in a stage", "steps end at once, none of their results is lost, resume goes on"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            words = {}
            # What else there is, other tests of this file send in a stage.
            for way, number in chosen((WAYS[0], signal.SIGINT), (WAYS[1], signal.SIGINT), (WAYS[1], signal.SIGTERM)):
                recipe, words[way, number] = holding(f"{turn}-{way}-{number}")
                started.append(Controller.start(recipe.removesuffix(".yml"), way, recipe, rack, HOSTS))
            mine = dict(zip(words, started[-len(words) :], strict=True))
            wait_for_steps(*words.values())
            for (_way, number), found in mine.items():
                found.signal(number)
            seconds = wait_for_their_end(*words.values())
            for (way, number), found in mine.items():
                check_closed(found, number)
                if way == "rack-recipes":
                    told = (found.answer()["status"], found.answer()["reason"])
                    assert told == ("interrupted", f"ended by {signal.Signals(number).name}")
                    assert f"to go on from here: rack-recipes run --resume {found.run_id}" in found.said()
            Path("open").touch()
            for found in [*mine.values()][:: reliability_sweeps.count(4, 1)]:
                done = found.resumed(f"{found.folder.name}.yml")
                assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr
            Path("open").unlink()
            made.done += len(mine)
            made.found = {"lost": 0, "seconds to the last step's end": round(seconds, 1)}


def has_terminals() -> bool:
    """Whether the test's own SSH servers can give a terminal, which one of a user has to share with the group tty."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return os.geteuid() == 0 or any(
        f"gid={grp.getgrnam('tty').gr_gid}" in m[3].split(",") for m in mounts if m[2] == "devpts"
    )


@pytest.mark.skipif(not has_terminals(), reason="an SSH server of a user cannot give a terminal here")
def test_a_signal_ends_a_module_of_ansible_s_too(steps: Path, rack: Any, started: list[Controller]):
    words = f"sleep {next(NUMBERS)}"
    module = {"name": "module", "type": "ansible", "module": "ansible.builtin.command", "args": {"cmd": words}}
    recipe = write_recipe([shell("first", "ok"), module, shell("last", "ok", depends_on=["module"])])
    found = Controller.start("module", "rack-recipes", recipe, rack, HOSTS)
    started.append(found)
    wait_for_steps(words)
    found.signal(signal.SIGTERM)
    assert found.ended() == 143, found.said()
    wait_for_their_end(words)
    said = {
        "first": ("passed", ""),
        "module": ("error", f"stopped: {INTERRUPTED}"),
        "last": ("error", "not run: ended by SIGTERM"),
    }
    assert found.ends() == {(step, host): end for step, end in said.items() for host in HOSTS}
    assert found.stored()[0] == ("interrupted", 143)


def test_a_signal_before_anything_is_run(held: Path, rack: Any, started: list[Controller]):
    recipe, words = holding("early")
    with reliability_sweeps.sweep("controller: signals while it starts", "nothing is run, nothing is left") as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            mine = [
                (Controller.start(f"{turn}-{way}-{n}", way, recipe, rack, HOSTS), n) for way, n in chosen(*EVERY[::2])
            ]
            started.extend(found for found, _number in mine)
            time.sleep(0.3)
            for found, number in mine:
                found.signal(number)
            for found, number in mine:
                assert found.ended() in (code_of(found.way, number), 128 + number), found.said()
                assert not found.has_begun()
            assert not running(words)
            made.done += len(mine)


def test_a_second_signal_ends_the_controller_at_once(held: Path, rack: Any, started: list[Controller]):
    """The workers were told by the first one, and end what does not want to end."""
    words = []
    for way in WAYS:
        recipe, word = holding(way, "stubborn")
        words.append(word)
        started.append(Controller.start(f"second-{way}", way, recipe, rack, HOSTS))
    wait_for_steps(*words)
    for found in started:
        found.signal(signal.SIGINT)
    time.sleep(1.2)
    for found in started:
        assert found.child.poll() is None
        found.signal(signal.SIGINT)
    for found in started:
        assert found.child.wait(3) in (130, -signal.SIGINT), found.said()
    wait_for_their_end(*words)
    for found in started:
        found.ended()
        assert found.lost() == []
        assert found.run("flush", found.run_id).code == 0
        assert found.stored()[0][0] == "interrupted"


@pytest.mark.parametrize("way", [WAYS[0], pytest.param(WAYS[1], marks=pytest.mark.repeats)])
def test_a_signal_does_not_keep_results_from_the_store(way: str, steps: Path, rack: Any, started: list[Controller]):
    recipe = write_recipe([shell("first", "ok")])
    with closing(sqlite3.connect("locked.db", isolation_level=None)) as store:
        store.execute("BEGIN EXCLUSIVE")
        found = Controller.start("closing", way, recipe, rack, HOSTS, RACK_RECIPES_DB="sqlite:///locked.db")
        started.append(found)
        wait_for("it closes", lambda: found.has_begun() and any(each["kind"] == "end" for each in found.records()))
        time.sleep(0.5)
        found.signal(signal.SIGTERM)
        wait_for("it says so", lambda: "SIGTERM: the run is over, its results are being stored" in found.said())
        assert found.child.poll() is None
        store.execute("ROLLBACK")
    assert found.ended() == 0, found.said()
    with closing(sqlite3.connect("locked.db")) as store:
        assert store.execute("SELECT status FROM runs").fetchall() == [("passed",)]


@pytest.mark.repeats
def test_signals_at_any_moment(held: Path, rack: Any, started: list[Controller]):
    chance = random.Random(reliability_sweeps.seed())
    longest = undisturbed(rack, started)
    with reliability_sweeps.sweep(
        "controller: signals at any moment", "nothing runs on, nothing is lost, resume goes on"
    ) as made:
        found = {"before the run": 0, "too late": 0, "lost": 0}
        for turn in range(reliability_sweeps.count(2, 60)):
            way, number = chance.choice(WAYS), chance.choice(SIGNALS)
            running_one = Controller.start(f"any-{turn}", way, "slow.yml", rack, HOSTS)
            started.append(running_one)
            time.sleep(chance.uniform(0.05, longest))
            if running_one.child.poll() is None:
                running_one.signal(number)
            code = running_one.ended()
            made.done += 1
            if not running_one.has_begun():
                assert code in (code_of(way, number), 128 + number), running_one.said()
                found["before the run"] += 1
                continue
            found["lost"] += len(running_one.lost())
            # Behind the run nobody catches a signal any more: the command ends by it, with what it had still to print.
            is_over = code == 0 or (running_one.child.returncode < 0 and running_one.last()["status"] == "passed")
            assert is_over or code == code_of(way, number), running_one.said()
            found["too late"] += is_over
            assert running_one.last()["status"] == ("passed" if is_over else "interrupted")
            assert running_one.stored()[0][0] == running_one.last()["status"]
            done = running_one.resumed("slow.yml")
            assert done.code == 0, done.stderr
            made.found = found
        assert found["lost"] == 0


def slow(name: str, value: str, **fields: Any) -> dict[str, Any]:
    work = {"type": "shell", "module": "t.slow", "args": {"key": name, "value": value}, "writes": [f"t.{name}_v1"]}
    return {"name": name, **work, "success": {"ctx_has_keys": [f"t.{name}_v1"]}, **fields}


def undisturbed(rack: Any, started: list[Controller]) -> float:
    """Write the recipe slow.yml; the seconds that it takes."""
    steps = [
        slow("ok", "1"),
        slow("second", "[${t.ok_v1}, 2]"),
        {"name": "total", "module": "t.total", "scope": "run", "depends_on": ["second"], "success": "none"},
        slow("third", "${t.second_v1}", depends_on=["total"]),
    ]
    Path("slow.yml").write_text(json.dumps({"test_meta": {"test_id": "SLOW"}, "steps": steps}))
    began = time.monotonic()
    found = Controller.start("undisturbed", "rack-recipes", "slow.yml", rack, HOSTS)
    started.append(found)
    assert found.child.wait(PATIENCE) == 0, found.said()
    return time.monotonic() - began


def kill(found: Controller, chance: random.Random) -> None:
    """The command and its Ansible, without their workers, or with them and all that these have started."""
    group = [pid for pid in found.processes() if os.getpgid(pid) == found.child.pid]
    doomed = found.processes() if chance.random() < 0.5 else group
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    found.child.wait()


def resumed_when_free(found: Controller) -> Any:
    """Go on; a run of which something still ends is asked again."""
    done = found.resumed("slow.yml")
    until = time.monotonic() + PATIENCE
    while done.code == 2 and time.monotonic() < until:
        time.sleep(0.2)
        done = found.resumed("slow.yml")
    return done


def test_killed_at_any_moment(held: Path, rack: Any, started: list[Controller]):
    chance = random.Random(reliability_sweeps.seed())
    longest = undisturbed(rack, started)
    with reliability_sweeps.sweep(
        "controller: SIGKILL at any moment", "no result is lost, flush and resume work"
    ) as made:
        found = {"before the run": 0, "lost": 0, "records": 0}
        while made.done < reliability_sweeps.count(1, 200):
            killed = Controller.start(f"kill-{len(started)}", chance.choice(WAYS), "slow.yml", rack, HOSTS)
            started.append(killed)
            time.sleep(chance.uniform(0.1, longest))
            kill(killed, chance)
            if not killed.has_begun():
                found["before the run"] += 1
                continue
            made.done += 1
            assert killed.run("flush", killed.run_id).code == 0
            done = resumed_when_free(killed)
            assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr
            found["lost"] += len(killed.lost())
            found["records"] += len(killed.records())
            made.found = found
        assert found["lost"] == 0


def test_after_a_kill_the_steps_end_with_their_lease(held: Path, rack: Any, started: list[Controller]):
    """An orphaned worker does not renew it, and what the hosts had finished by then is collected."""
    recipe, words = holding("kill")
    patience = {"RACK_RECIPES_RECONNECT_TIMEOUT": 4}
    with reliability_sweeps.sweep(
        "controller: killed in a stage", "steps end with their lease, what they did is collected"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            killed = Controller.start(f"lease-{turn}", "rack-recipes", recipe, rack, HOSTS, **patience)
            started.append(killed)
            wait_for_steps(words)
            mains = [pid for pid in killed.processes() if os.getpgid(pid) == killed.child.pid]
            for pid in mains:
                os.kill(pid, signal.SIGKILL)
            wait_for_their_end(words)
            killed.ended()
            assert killed.stored()[0][0] == "interrupted"
            Path("open").touch()
            done = killed.resumed(recipe)
            assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr
            Path("open").unlink()
            assert killed.lost() == []
            lost = ("error", "stopped: the controller was not heard of any more")
            assert {killed.ends()["slow", host] for host in HOSTS} == {lost}
            assert {killed.ends()["first", host] for host in HOSTS} == {("passed", "")}
            made.done += 1
            made.found = {"lost": 0}


def test_a_terminal_that_is_gone(held: Path, rack: Any, started: list[Controller]):
    """Its end is a signal; where that is ignored, as under nohup, the run goes on and nobody is told."""
    words = []
    terminals = []
    ignoring = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    for name, way, prefix in (("hup", WAYS[0], ()), ("hup-plain", WAYS[1], ()), ("nohup", WAYS[0], ignoring)):
        recipe, word = holding(name)
        master, slave = pty.openpty()
        os.set_blocking(master, False)
        started.append(Controller.start(name, way, recipe, rack, HOSTS, prefix=prefix, terminal=slave))
        os.close(slave)
        words.append(word)
        terminals.append(master)

    def all_run() -> bool:
        for terminal in terminals:
            with suppress(BlockingIOError):
                os.read(terminal, 65536)
        return run_on_all_hosts(words)

    with reliability_sweeps.sweep(
        "controller: its terminal gone", "as after SIGHUP; if that is ignored, the run goes on"
    ) as made:
        wait_for("all steps run", all_run)
        for terminal in terminals:
            os.close(terminal)
        wait_for_their_end(*words[:2])
        for found in started[:2]:
            assert found.ended() == 129
            assert found.ends() == ended("SIGHUP")
            assert found.last()["status"] == "interrupted"
        Path("open").touch()
        assert len(running(words[2])) == len(HOSTS)
        let_pass(words[2])
        assert started[2].child.wait(PATIENCE) == 0
        assert started[2].last()["status"] == "passed"
        made.done += len(started)


# What cannot be written


def limit(found: Controller, size: int) -> None:
    """Let no file of the controller grow beyond `size` bytes, as on a disk that is full."""
    for pid in found.processes():
        with suppress(ProcessLookupError):
            _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if size >= 0 else hard, hard))


def fill(found: Controller, words: str) -> None:
    """Once the first results are there, leave no room for further ones, and wait until there are some."""
    wait_for("the first results", lambda: sorted(found.ends()) == [("first", host) for host in HOSTS])
    size = found.journal.stat().st_size + 10
    limit(found, size)
    let_pass(words)
    wait_for("it is full", lambda: found.journal.stat().st_size == size)


@pytest.mark.repeats  # of a disk that is really full, in test_full_and_read_only_disks.py
def test_a_disk_that_is_full_for_long(held: Path, rack: Any, started: list[Controller]):
    """What is in the journal is stored, and the hosts keep the rest for the run that goes on."""
    recipe, words = holding("full")
    found = Controller.start("full", "rack-recipes", recipe, rack, HOSTS, RACK_RECIPES_RECONNECT_TIMEOUT=6)
    started.append(found)
    wait_for_steps(words)
    fill(found, words)
    assert found.ended() == 5, found.said()
    assert "File too large" in found.said()
    assert f"to go on from here: rack-recipes run --resume {found.run_id}" in found.said()
    assert found.run("flush", found.run_id).code == 0
    assert {step for step, _host in found.stored()[1]} == {"first"}
    Path("open").touch()
    done = found.resumed(recipe)
    assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr
    assert found.lost() == []


@pytest.mark.repeats  # of a disk that is really full, in test_full_and_read_only_disks.py
def test_a_disk_that_is_full_for_a_while(held: Path, rack: Any, started: list[Controller]):
    with reliability_sweeps.sweep(
        "controller: disk full in the run folder", "the run waits for room, nothing is lost"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            recipe, words = holding(f"full-{turn}")
            patience = {"RACK_RECIPES_RECONNECT_TIMEOUT": 15}
            found = Controller.start(f"full-{turn}", "rack-recipes", recipe, rack, HOSTS, **patience)
            started.append(found)
            wait_for_steps(words)
            fill(found, words)
            time.sleep(1)
            assert found.child.poll() is None
            limit(found, -1)
            assert found.ended() == 0, found.said()
            assert found.answer()["counts"] == {"passed": 7}
            assert found.lost() == []
            made.done += 1
            made.found = {"lost": 0}


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv (util-linux)")
def test_a_run_folder_that_cannot_be_written(held: Path, rack: Any, started: list[Controller]):
    """At the start nothing is run; in the middle the hosts keep their results, and the end says so."""
    prefix = AS_A_USER if os.geteuid() == 0 else ()
    recipe, words = holding("locked")
    with reliability_sweeps.sweep(
        "controller: run folder read-only", "nothing is run, or results stay on the hosts"
    ) as made:
        for way in WAYS:
            Path(f"start-{way}", "runs").mkdir(parents=True, mode=0o500)
            shutil.move(f"start-{way}", "moved")
            where = {"RACK_RECIPES_RUNS": "moved/runs"}
            found = Controller.start(f"start-{way}", way, recipe, rack, HOSTS, prefix=prefix, **where)
            started.append(found)
            assert found.child.wait(PATIENCE) == 2, found.said()
            assert re.search(r"moved/runs/\S+: Permission denied", found.said())
            shutil.rmtree("moved")
            made.done += 1
        for turn in range(reliability_sweeps.count(1, 10)):
            way = WAYS[turn % len(WAYS)]
            patience = {"RACK_RECIPES_RECONNECT_TIMEOUT": 6}
            found = Controller.start(f"middle-{turn}", way, recipe, rack, HOSTS, prefix=prefix, **patience)
            started.append(found)
            wait_for_steps(words)
            found.journal.chmod(0o400)
            let_pass(words)
            assert found.ended() == 5, found.said()
            assert "journal.jsonl: Permission denied" in found.said()
            assert f"is kept by the hosts for a day: rack-recipes run --resume {found.run_id}" in found.said()
            assert found.lost() != []
            found.journal.chmod(0o600)
            Path("open").touch()
            done = found.resumed(recipe)
            assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr
            Path("open").unlink()
            assert found.lost() == []
            made.done += 1
            made.found = {"lost": 0}


# The clock


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (apt-get install faketime)")
def test_a_clock_that_is_set_back(held: Path, started: list[Controller]):
    """In the middle of a step that the controller itself runs: durations are right, the lease holds, times are UTC."""
    recipe, words = holding("clock")
    offset = Path("offset")
    clock = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": offset.absolute(),
        "FAKETIME_NO_CACHE": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
        "TZ": "America/New_York",
    }
    with reliability_sweeps.sweep(
        "controller: clock set back", "durations are right, the lease holds, times are UTC"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            offset.write_text("+0\n")
            patience = {"RACK_RECIPES_RECONNECT_TIMEOUT": 5}
            found = Controller.start(f"clock-{turn}", "rack-recipes", recipe, None, (), **clock, **patience)
            started.append(found)
            wait_for("the step runs", partial(running, words))
            began = time.monotonic()
            time.sleep(1)
            offset.write_text("-3600\n")
            time.sleep(5)
            assert running(words), found.said()
            Path("open").touch()
            let_pass(words)
            assert found.ended() == 0, found.said()
            Path("open").unlink()
            took = time.monotonic() - began
            slowest = next(each for each in found.records() if each["kind"] == "step" and each["step"] == "slow")
            assert 5.9 < slowest["seconds"] < took + 5
            began_at = datetime.fromisoformat(found.records()[0]["time"])
            ended_at = datetime.fromisoformat(found.last()["time"])
            assert began_at.utcoffset() == ended_at.utcoffset() == UTC.utcoffset(None)
            assert 3500 < (began_at - ended_at).total_seconds() < 3600
            assert abs((datetime.now(UTC) - began_at).total_seconds()) < 120
            made.done += 1


# What a fork takes along


@pytest.mark.parametrize(
    ("one_process_from", "number"), [(2, 1), pytest.param(0, len(HOSTS), marks=pytest.mark.repeats)]
)
def test_nothing_locked_or_connected_crosses_a_fork(
    held: Path, rack: Any, started: list[Controller], one_process_from: int, number: int
):
    recipe, words = holding(f"fork{number}")
    settings = {"RACK_RECIPES_FLUSH_INTERVAL": 0.2, "RACK_RECIPES_ONE_PROCESS_FROM": one_process_from}
    found = Controller.start(f"fork{number}", "ansible-playbook", recipe, rack, HOSTS, **settings)
    started.append(found)
    wait_for_steps(words)
    wait_for("the store is open", (found.folder / "results.db").exists)
    workers = [pid for pid in found.processes() if parent_of(pid) == found.child.pid and os.getpgid(pid) == pid]
    workers = [pid for pid in workers if b"store_writer" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == number
    (store_writer,) = {pid for pid in found.processes() if parent_of(pid) == found.child.pid} - {*workers}
    mine = {target for target in targets(found.child.pid) if target.endswith("/lock")}
    assert mine
    theirs = {target for target in targets(store_writer, (0, 1)) if target.startswith("pipe:")}
    assert len(theirs) == 2
    for worker in workers:
        opened = targets(worker)
        assert not opened & (mine | theirs)
        assert not [target for target in opened if "results.db" in target]
    found.signal(signal.SIGTERM)
    assert found.ended() == 143


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def targets(pid: int, numbers: tuple[int, ...] = ()) -> set[str]:
    """What the open files of a process are."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if not numbers or int(entry.name) in numbers:
            with suppress(FileNotFoundError):
                found.add(str(entry.readlink()))
    return found
