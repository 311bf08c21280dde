# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor on a host: real interpreters, one for each question, and real runners between them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.runner import main
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import BUNDLE
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    children_of,
    has_died,
    is_alive,
    no_sandbox,
    step,
    wait_for,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.runner import runner_process
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.runner.runner_process import Host, module_utils

CODE = {"digest": "1", "files": sorted(module_utils())}
LOST = "the controller was not heard of any more"
DROP_IN = """
from orchestrator.context import Context
from scriptlets.core.base import BaseScriptlet
from scriptlets.core.decorator import track_resources
from scriptlets.steps.shared import KEY

class Probe(BaseScriptlet):
    @track_resources
    def run(self, ctx: Context, params):
        ctx.set(KEY, open(params["src"]).read())
        print('{"status": "ok", "outputs": ["%s"]}' % KEY)
        return 0
"""
PUBLISHED = """
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet, run_as_module

class Probe(Scriptlet):
    def run(self, ctx, params):
        import statistics
        ctx.set("a_v1", statistics.mean([1, 2, 3]))

if __name__ == "__main__":
    run_as_module(Probe)
"""


@pytest.fixture
def host(tmp_path):
    """A host; nothing of it runs on after the test."""
    made = Host(tmp_path)
    yield made
    made.stop()


def script(name="script", text="", **fields):
    """A step, and the file that it runs."""
    return step(name, kind="shell", file=f"{name}.sh", **fields), {f"{name}.sh": f"#!/bin/sh\n{text}\n{OK}"}


def probe_of(module, name="probe", **fields):
    """A step that runs the class Probe of a module."""
    return step(name, kind="python", module=module, function="Probe", **fields)


def test_a_stage_that_is_done_is_answered_at_once(host):
    probe, files = script(text="echo hello")
    started = time.monotonic()
    answer = host.start(probe, files=files)
    assert time.monotonic() - started < 10
    assert (answer.state, answer.reason, answer.reasons) == ("ended", "", {"script": ""})
    assert answer.records[0]["n"] == 1
    assert answer.offset == os.path.getsize(host.base / "stage1" / "journal.jsonl")
    assert answer.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert sorted(path.name for path in (host.base / "stage1").iterdir()) == ["ended", "journal.jsonl", "lease"]


def test_started_twice_or_asked_for_again_it_is_one_run(host):
    probe, files = script(text="echo x >> ../../count; sleep 0.5")
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(lambda _: host.start(probe, files=files), range(3))
    assert first.state == "ended"
    assert others == [first, first]
    assert host.start(probe, files=files) == first
    assert host.poll() == first
    assert (host.base / "count").read_text() == "x\n"


def test_records_arrive_while_the_stage_runs(host):
    quick, files = script("quick")
    slow, more = script("slow", "while [ ! -e ../../go ]; do sleep 0.05; done")
    answer = host.start(quick, slow, files={**files, **more}, attach=0)
    assert answer.state == "running"
    records = list(answer.records)
    while not records:
        answer = host.poll(offset=answer.offset, attach=0.1)
        records += answer.records
    assert answer.state == "running"
    assert [record["step"] for record in records] == ["quick"]
    (host.base / "go").touch()
    last = host.poll(offset=answer.offset)
    assert (last.state, last.reasons) == ("ended", {"slow": ""})
    assert [record["n"] for record in last.records] == [2]
    assert host.poll(offset=last.offset).records == []


def test_who_looks_on_is_told_soon(host):
    gates = [script(f"gate{number}", f"while [ ! -e ../../go{number} ]; do sleep 0.05; done") for number in (1, 2)]
    scripts = [script("quick"), *gates]
    started = time.monotonic()
    files = {name: text for _step, own in scripts for name, text in own.items()}
    told = [host.start(*(step for step, _own in scripts), files=files, soon=True)]
    (host.base / "go1").touch()
    told.append(host.ask({"id": "stage1", "offset": told[0].offset, "attach": 60, "soon": True}))
    assert time.monotonic() - started < 50, "each answer could have waited for 60 s"
    assert [(answer.state, [*answer.reasons]) for answer in told] == [("running", ["quick"]), ("running", ["gate1"])]


ATTACH = """printf %s x >x; printf 12345 >y
echo '{"status": "ok", "artifacts": [{"name": "x", "path": "x"}, {"name": "y", "path": "y"}]}'; exit 0
"""


def test_what_was_attached_is_answered_in_pieces_and_goes_with_the_stage(host):
    probe, files = script(text=ATTACH)
    found = [record for record in host.start(probe, files=files).records if record["kind"] == "artifact"]
    assert [(record["name"], record["size"], record["n"]) for record in found] == [("x", 1, 1), ("y", 5, 2)]
    folder = host.base / "stage1" / "artifacts"
    assert sorted(path.name for path in folder.iterdir()) == sorted(record["sha256"] for record in found)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    question = {"id": "stage1", "offset": 0, "attach": 0, "artifacts": [[found[1]["sha256"], 2]]}
    (piece,) = host.ask(question).records
    assert (piece["kind"], piece["offset"], piece["data"]) == ("piece", 2, "MzQ1")
    assert host.ask({**question, "id": "other"}).state == "unknown"
    later, more = script("later")
    host.start(later, files=more, id="stage2", collected=["stage1"])
    wait_for(lambda: not folder.exists())


def test_half_a_record_is_not_answered(host):
    slow, files = script(text="sleep 60")
    host.start(slow, files=files, attach=0)
    journal = host.base / "stage1" / "journal.jsonl"
    wait_for(journal.exists)
    with journal.open("ab") as file:
        file.write(b'\n{"_":"0000')
    answer = host.poll(attach=0)
    assert (answer.state, answer.offset, answer.records) == ("running", 0, [])


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, pytest.param(signal.SIGTERM, marks=pytest.mark.repeats), signal.SIGKILL]
)
def test_a_connection_that_breaks_does_not_end_the_stage(host, number):
    slow, files = script(text="while [ ! -e ../../go ]; do sleep 0.05; done")
    asked = host.begin(host.message(slow, files=files), files)
    wait_for(host.runners)
    os.killpg(asked.pid, number)
    asked.communicate()
    assert host.poll(attach=0).state == "running"
    (host.base / "go").touch()
    answer = host.poll()
    assert (answer.state, answer.reasons) == ("ended", {"script": ""})


def test_without_a_poll_the_steps_end_and_the_journal_stays(host):
    slow, files = script("slow", "sleep 60")
    later, more = script("later")
    host.start(slow, later, files={**files, **more}, attach=0, lease=0.5)
    ended = host.base / "stage1" / "ended"
    wait_for(ended.exists)
    answer = host.poll()
    assert answer.state == "ended"
    assert answer.reasons == {"slow": f"stopped: {LOST}", "later": f"not run: {LOST}"}


def test_who_is_asked_to_end_a_stage_ends_its_steps_and_tells_what_they_came_to(host):
    quick, files = script("quick")
    slow, more = script("slow", "sleep 60")
    later, last = script("later")
    host.start(quick, slow, later, files={**files, **more, **last}, attach=0)
    wait_for(lambda: len(host.poll(attach=0).records) == 1)
    question = {"id": "stage1", "offset": 0, "attach": 30, "end": "the run was interrupted"}
    answer = host.ask(question)
    ended = {"slow": "stopped: the run was interrupted", "later": "not run: the run was interrupted"}
    assert (answer.state, answer.reasons) == ("ended", {"quick": "", **ended})
    assert host.ask(question) == answer
    assert host.poll() == answer


def test_a_lost_controller_s_poll_does_not_keep_a_stage_that_is_to_end(host):
    slow, files = script("slow", "sleep 60")
    host.start(slow, files=files, attach=0)
    polling = host.begin({"id": "stage1", "offset": 0, "attach": 30})
    host.ask({"id": "stage1", "offset": 0, "attach": 30, "end": "over"})
    polling.communicate(timeout=60)
    assert host.poll().reasons == {"slow": "stopped: over"}


def test_a_stage_that_is_ended_before_its_message_comes_does_not_begin(host):
    probe, files = script(text="touch ../../ran")
    answer = host.ask({"id": "stage1", "offset": 0, "attach": 30, "end": "over"})
    assert (answer.state, answer.records) == ("ended", [])
    answer = host.start(probe, files=files)
    assert (answer.state, answer.records) == ("ended", [])
    assert not (host.base / "ran").exists()


def test_whoever_waits_keeps_the_lease(host):
    slow, files = script(text="sleep 5")
    answer = host.start(slow, files=files, lease=3, attach=3.5)
    assert answer.state == "running"
    answer = host.poll()
    assert (answer.state, answer.reasons) == ("ended", {"script": ""})


def test_a_runner_that_is_killed(host):
    quick, files = script("quick")
    slow, more = script("slow", "sleep 60")
    host.start(quick, slow, files={**files, **more}, attach=0)
    wait_for(lambda: len(host.poll(attach=0).records) == 1)
    (runner,) = host.runners()
    (child,) = children_of(runner)
    os.kill(runner, signal.SIGKILL)
    os.killpg(child, signal.SIGKILL)
    assert has_died(runner)
    answer = host.poll()
    assert (answer.state, answer.reasons) == ("killed", {"quick": ""})
    assert host.start(quick, slow, files={**files, **more}) == answer


TELL = "echo $$ >> ../../pids"
LEAVE = f"trap '' TERM HUP; (env -i setsid sh -c '{TELL}; exec sleep 600' &); {TELL}; sleep 600"


def pids(host, number):
    """The processes that the steps of a stage have told of."""
    path = host.base / "pids"
    wait_for(lambda: path.exists() and len(path.read_text().split()) == number)
    return [int(pid) for pid in path.read_text().split()]


def test_what_a_killed_runner_leaves_is_ended_by_the_next_question(host):
    slow, files = script(text=LEAVE)
    host.start(slow, files=files, attach=0)
    left = pids(host, 2)
    os.kill(*host.runners(), signal.SIGKILL)
    assert all(map(is_alive, left))
    assert host.poll().state == "killed"
    assert not any(map(is_alive, left))


def test_what_a_killed_runner_leaves_is_ended_where_nobody_asks(host):
    slow, files = script(text=LEAVE)
    host.start(slow, files=files, attach=0)
    left = pids(host, 2)
    (runner,) = host.runners()
    os.kill(runner, signal.SIGKILL)
    assert has_died(runner)  # only then, as others are looked for once an hour
    host.start(script("quick")[0], files=script("quick")[1], id="another")
    wait_for(lambda: not any(map(is_alive, left)))


def test_what_an_ended_stage_leaves_is_left_alone(host):
    server, files = script(
        text="(setsid sh -c 'echo $$ >> ../../pids; exec sleep 600' &); while [ ! -s ../../pids ]; do sleep 0.05; done"
    )
    assert host.start(server, files=files).state == "ended"
    (left,) = pids(host, 1)
    host.poll()
    host.start(script("quick")[0], files=script("quick")[1], id="another")
    assert is_alive(left)
    os.kill(left, signal.SIGKILL)
    assert has_died(left)


def test_time_that_is_left_counts_from_the_question_on(host):
    slow, files = script("slow", "sleep 5")
    late, more = script("late")
    answer = host.start(slow, late, files={**files, **more}, time_left=5, time_box=60)
    assert answer.reasons == {"slow": "", "late": "the time box of 60 s is over"}


def test_an_unknown_stage(host):
    answer = host.poll("nothing", offset=7)
    assert (answer.state, answer.offset, answer.records) == ("unknown", 7, [])
    assert not host.base.exists()


def test_a_host_without_a_folder_refuses(host):
    host.base.mkdir(mode=0o755)
    shutil.rmtree(host.place / "home")
    (host.place / "home").touch()
    answer = host.start(script()[0], offset=3)
    assert (answer.state, answer.offset) == ("refused", 3)
    assert answer.reason == (
        f"no folder to work in: {host.base}: is not a private folder of this user; "
        f"{host.place}/home/{host.base.name}: Not a directory"
    )


def test_a_host_without_room_for_the_stage_refuses(host):
    host.start(script()[0], files=script()[1])
    answer = host.start(script()[0], files=script()[1], id="x" * 300)
    assert answer.state == "refused"
    assert "File name too long" in answer.reason


def test_a_stage_works_where_it_is_told_to(host):
    probe, files = script(text="pwd")
    chosen = host.place / "chosen"
    answer = host.start(probe, files=files, tmp=str(chosen))
    assert answer.records[0]["attempts"][0]["stdout"].startswith(f"{chosen}/{host.base.name}/stage1/work\n")
    assert host.ask({"id": "stage1", "offset": 0, "attach": 60, "tmp": str(chosen)}) == answer
    assert host.poll().state == "unknown"


def test_files_that_did_not_arrive(host):
    message = host.message(script()[0])
    answer = host.ask({**message, "files": ["gone.sh"]})
    assert answer.state == "refused"
    assert answer.reason.startswith("OSError: ")
    assert "gone.sh" in answer.reason
    assert host.poll() == answer


def test_a_fault_of_the_executor_is_told_and_leaves_nothing_running(host):
    slow, files = script("slow", "sleep 60", parallel=True)
    answer = host.start(slow, step("odd", kind="perl", parallel=True), files=files)
    assert answer.state == "refused"
    assert answer.reason.startswith("KeyError: 'perl' (program_by_scriptlet_kind.py:")
    assert host.poll() == answer


def test_what_python_steps_import(host):
    """A drop-in has the import lines of the proposal; no file of the project hides a module of Python's."""
    files = {"ansible_collections/rack/recipes/plugins/modules/probe.py": PUBLISHED}
    files.update({"statistics/data.csv": "1\n", "json": "x", "statistics.txt": "x"})
    files.update(
        {"scriptlets/steps/probe.py": DROP_IN, "scriptlets/steps/shared.py": "KEY = 'b_v1'\n", "in.csv": "1\n"}
    )
    answer = host.start(
        probe_of("ansible_collections.rack.recipes.plugins.modules.probe", "published"),
        probe_of("scriptlets.steps.probe", "drop_in", args={"src": "in.csv"}),
        probe_of("scriptlets.absent.probe", "absent"),
        files=files,
    )
    reason = "ModuleNotFoundError: No module named 'scriptlets.absent'"
    assert answer.reasons == {"published": "", "drop_in": "", "absent": reason}
    assert {each["key"]: each["after"] for each in answer.records if each["kind"] == "delta"} == {
        "a_v1": 2,
        "b_v1": "1\n",
    }
    [drop_in] = [each for each in answer.records if each["kind"] == "step" and each["step"] == "drop_in"]
    assert drop_in["attempts"][0]["stderr"].startswith("[resource] step=Probe ")


def test_earlier_stages_are_removed_once_they_are_collected(host):
    probe, files = script()
    for name in ("run1-1", "run1-2", "other-1"):
        host.start(probe, files=files, id=name)
    host.start(probe, files=files, id="run1-3", collected=["run1-1", "run1-2"])
    left = host.base / "run1-1", host.base / "run1-2"
    wait_for(lambda: not any(path.exists() for path in left))
    assert host.poll("run1-2").state == "unknown"
    assert {host.poll(name).state for name in ("other-1", "run1-3")} == {"ended"}


def test_a_stage_survives_the_folder_of_another_base(host):
    """The first choice was full when the stage started, and is not now."""
    host.base.mkdir(mode=0o755)
    probe, files = script()
    answer = host.start(probe, files=files)
    assert (host.place / "home" / host.base.name / "stage1").is_dir()
    host.base.chmod(0o700)
    assert host.poll() == answer


def test_files_come_under_their_paths_and_nothing_stays_of_the_work(host):
    """Whatever is in the working folder, and though a step leaves a process behind."""
    text = """cat data/deep/numbers.csv
mkdir -p a/b && echo x > a/b/c && chmod 0 a/b a; ln -s / root; mkfifo pipe
sleep 300 & echo $! > ../../pid"""
    probe, files = script(text=text)
    answer = host.start(probe, files={**files, "data/deep/numbers.csv": "1\n2\n"})
    assert answer.state == "ended"
    assert answer.records[0]["attempts"][0]["stdout"].startswith("1\n2\n")
    assert not (host.base / "stage1" / "work").exists()
    assert has_died(int((host.base / "pid").read_text()))
    assert host.runners() == []


def test_the_executor_is_kept_compiled(host):
    probe, files = script()
    host.start(probe, files=files, code=CODE)
    kept = host.base / "code-1"
    wait_for(kept.exists)
    assert list(kept.rglob("stage_run.*.pyc"))
    host.code = str(kept)
    answer = host.start(probe, files={**files, "scriptlets/steps/probe.py": DROP_IN}, id="again")
    assert (answer.state, answer.reasons) == ("ended", {"script": ""})
    assert host.poll("again") == answer


@pytest.fixture
def kept(host):
    """The folder of code that a first stage has left, from which the next one starts."""
    host.start(script()[0], files=script()[1], code=CODE)
    folder = host.base / "code-1"
    wait_for((folder / BUNDLE).exists)
    host.code = str(folder)
    return folder


def test_a_stage_reads_its_code_at_once(host, kept):
    for path in kept.rglob("stage_run.*py*"):
        path.unlink()
    probe = """
from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
class Probe:
    def run(self, ctx, params):
        raise ValueError([stage_run.__file__, stage_run.StageRun.run.__code__.co_filename])
"""
    answer = host.start(probe_of("scriptlets.steps.probe"), files={"scriptlets/steps/probe.py": probe}, id="again")
    path = str(kept / runner_process.CODE / "executor" / "stage_run.py")
    assert answer.reasons == {"probe": str([path, path])}


def test_a_damaged_bundle_is_passed_over_and_each_python_has_one(host, kept):
    for number, content in enumerate((b"", b"x", b"i\x01\x00\x00\x00")):
        (kept / BUNDLE).write_bytes(content)
        assert host.start(script()[0], files=script()[1], id=f"damaged{number}").reasons == {"script": ""}
    (kept / BUNDLE).rename(kept / "cpython-1")
    host.start(script()[0], files=script()[1], code=CODE, id="again")
    wait_for((kept / BUNDLE).exists)


@pytest.mark.parametrize("has_bundle", [True, False])
def test_what_travels_is_found_beside_and_within_what_is_kept(host, kept, has_bundle):
    """Also where another Python of the same machine has kept it."""
    if not has_bundle:
        (kept / BUNDLE).unlink()
    places = {
        "beside": "ansible_collections/rack/recipes/plugins/modules",
        "within": f"{runner_process.CODE}/executor/child",
    }
    files = {f"{folder}/probe.py": PUBLISHED for folder in places.values()}
    steps = [probe_of(f"{folder.replace('/', '.')}.probe", name) for name, folder in places.items()]
    assert host.start(*steps, files=files, id="again").reasons == {"beside": "", "within": ""}


@pytest.mark.skipif(bool(no_sandbox()), reason=no_sandbox())
@pytest.mark.parametrize("kept_for", ["nobody", "this Python", "another Python"])
def test_a_class_in_a_sandbox_finds_what_travels_and_what_is_kept(host, request, kept_for):
    if kept_for != "nobody":
        folder = request.getfixturevalue("kept")
        if kept_for == "another Python":
            (folder / BUNDLE).unlink()
    files = {"scriptlets/steps/probe.py": DROP_IN, "scriptlets/steps/shared.py": "KEY = 'a_v1'\n", "in.csv": "1\n"}
    boxed = probe_of("scriptlets.steps.probe", args={"src": "in.csv"}, sandbox={})
    assert host.start(boxed, files=files, id="again").reasons == {"probe": ""}


def test_an_answer_tells_the_time_and_how_long_the_question_was_kept(host):
    before = time.time()
    slow, files = script(text="sleep 0.5")
    host.start(slow, files=files)
    told, kept = host.clock
    assert before + kept <= told <= time.time()
    assert kept >= 0.5
    host.poll()
    assert host.clock[1] < kept


def test_a_host_without_memory_gives_no_answer(monkeypatch):
    """Wherever in the start the memory ends, the controller names the same cause."""

    def serve(_request, _payload):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), "/var/tmp/code")

    monkeypatch.setattr(main, "add_payload", lambda _payload: None)
    monkeypatch.setattr(main, "_serve", serve)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        main.main(json.dumps({"id": "stage", "offset": 0}).encode(), "")
