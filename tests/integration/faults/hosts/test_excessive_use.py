# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that print, set and keep too much, and hosts that have no memory left."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from own_project import own_project

import low_memory_hosts
import reliability_sweeps
from call_rack_recipes import (
    COMMAND,
    Results,
    environment,
    rack_recipes,
    results,
    run_recipe,
    shell,
    write_inventory,
    write_recipe,
)
from low_memory_hosts import Small
from ssh_hosts import Rack

HERE = Path(__file__).parent
HOLDS = "limits with a clear note, head and tail kept, memory of controller and executor flat"
SHOWN = 20_000  # characters of a stream that are kept
LEFT_OUT = re.compile(r"^\[\.\.\. (\d+) bytes left out \.\.\.\]$", re.MULTILINE)
ROOM = 32 * 1024  # KiB by which a run may need more memory, whatever its steps print: two chunks of a host's answer
MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout, done.stderr, peak]))
"""


@pytest.fixture
def printing(steps: Path) -> Path:
    """A project that also has the scriptlets of these tests."""
    shutil.copytree(HERE / "cases" / "output" / "o", steps / "scriptlets" / "o")
    return steps


@contextmanager
def rows(faults: Iterable[str]) -> Iterator[dict[str, Any]]:
    """A row of the page for each of these, and what the test found, for all of them."""
    found: dict[str, Any] = {}
    with ExitStack() as opened:
        made = [opened.enter_context(reliability_sweeps.sweep(f"output: {fault}", HOLDS)) for fault in faults]
        yield found
        for each in made:
            each.done, each.found = 1, found


def ran(steps: list[dict[str, Any]], rack: Rack, *options: str) -> tuple[Results, int]:
    """A run on one host: its results, and the most memory that any process of the controller has used, in KiB."""
    run = [sys.executable, "-c", COMMAND, "run", write_recipe(steps), "-i", str(rack.inventory), "--limit", "r01"]
    command = [sys.executable, "-c", MEASURED, *run, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment())
    code, stdout, stderr, peak = json.loads(done.stdout)
    assert code in (0, 1), stdout + stderr
    return results(), peak


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory, rack: Rack) -> tuple[Results, int]:
    """A run, and its memory, of steps that print little; it also has the steps of two tests below."""
    with own_project(tmp_path_factory.mktemp("little"), HERE / "cases" / "output" / "o"):
        steps = [shell(name, module=f"o.{name}") for name in ENVELOPES]
        return ran([shell("ok"), *steps, peak_step("peak"), *SWALLOWS], rack)


def peak_step(name: str) -> dict[str, Any]:
    return shell(name, module="o.peak", success={"ctx_has_keys": ["o.peak_kib_v1"]})


def test_very_much_output(little: tuple[Results, int], printing: Path, rack: Rack):
    """More than there is memory for, on stdout and without an end on stderr."""
    size = reliability_sweeps.count(100, 1000)
    flood = shell("flood", module="o.flood", args={"mb": size})
    endless = shell("endless", module="o.endless", timeout=reliability_sweeps.count(2, 30))
    small, usual = little
    quiet = small.context["o.peak_kib_v1", "r01"]
    with rows([f"{size} MB of stdout", "endless stderr until the timeout"]) as told:
        found, peak = ran([flood, endless, peak_step("peak")], rack)
        stdout, stderr = found.steps["flood", "r01"]["stdout"], found.steps["endless", "r01"]["stderr"]
        assert found.steps["flood", "r01"]["verdict"] == "passed"
        assert stdout.startswith("the first line\n")
        assert stdout.endswith('the line before the last\n{"status": "ok"}\n')
        assert int(LEFT_OUT.search(stdout)[1]) > (size - 1) * 1_000_000
        ended = found.steps["endless", "r01"]
        assert (ended["verdict"], ended["reason"]) == ("error", f"timed out after {endless['timeout']} s")
        assert stderr.startswith("the first line\nstill here\n")
        *_whole, last_but_one, last = stderr.split("\n")
        assert (last_but_one, "still here".startswith(last)) == (
            "still here",
            True,
        )  # it may end in the middle of a line
        assert int(LEFT_OUT.search(stderr)[1]) > 10_000_000
        assert max(len(stdout), len(stderr)) < SHOWN + 100
        executor = found.context["o.peak_kib_v1", "r01"]
        assert peak - usual < ROOM
        assert executor - quiet < ROOM
        told.update({"KiB more on the controller": max(0, peak - usual), "KiB more on the host": executor - quiet})


def test_bytes_that_are_no_text(printing: Path, rack: Rack):
    """In the record, in the reports, and on the terminal they are text that does nothing."""
    wide = [shell(f"wide{before}", module="o.wide", args={"before": before}) for before in range(3)]
    with rows(["binary", "ANSI escapes", "half a character at the cut"]):
        ran([shell("bytes", module="o.bytes"), *wide], rack)
        found = results()
        said = found.steps["bytes", "r01"]
        assert said["verdict"] == "failed"
        assert said["stdout"].startswith("\\x00\x01\x02")
        assert "\\xff\n\x1b[31mred\x1b[0m" in said["stdout"]
        assert "\\xed\\xa0\\x80" in said["stdout"]
        assert said["reason"] == "\x1b[31mred\x1b[0m \\ud800 \\x00 <script>alert(1)</script> =1+1"
        for before, step in enumerate(wide):
            stdout = found.steps[step["name"], "r01"]["stdout"]
            head, tail = LEFT_OUT.split(stdout)[::2]
            assert head.strip("\n") == "a" * before + "€" * head.count("€")
            assert tail.strip("\n").startswith("€")
            assert "\\x" not in stdout
            assert "\ufffd" not in stdout
        _parse_back(found.run["run_id"])


def _parse_back(run_id: str) -> None:
    """All reports are whole; no escape of a terminal gets out to one, nor markup out of a text."""
    made = rack_recipes("report", run_id)
    assert made.code == 0, made.stderr
    folder = Path(".rack-recipes/runs", run_id)
    written = [path for path in folder.rglob("report/**/*") if path.is_file()]
    assert {".html", ".csv", ".md", ".xlsx"} <= {path.suffix for path in written}
    for path in written:
        for text in _texts(path):
            assert "\x1b" not in text, path
            assert path.suffix != ".html" or "<script>alert(1)" not in text
    shown = rack_recipes("show", run_id)
    assert "\x1b[31m" not in shown.stdout + shown.stderr


def _texts(path: Path) -> Iterator[str]:
    """All text of a file; of a workbook that of its parts, each of which is whole."""
    if path.suffix != ".xlsx":
        yield path.read_text("utf-8")
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield "".join(ET.fromstring(archive.read(name)).itertext())


ENVELOPES = {
    "pieces": ("passed", ""),
    "two": ("failed", "the second counts"),
    "talks_on": (
        "error",
        'printed no envelope as its last line, but 35 bytes that end with: {"status": "ok"}\nand one word more',
    ),
    "glued": (
        "error",
        'printed no envelope as its last line, but 33 bytes that end with: progress: 100 % {"status": "ok"}',
    ),
}


def test_envelopes_as_they_come(little: tuple[Results, int]):
    with rows(["envelope in pieces", "two envelopes", "envelope not last"]):
        found, _peak = little
        got = {step: (row["verdict"], row["reason"] or "") for (step, _host), row in found.steps.items()}
        assert {step: got[step] for step in ENVELOPES} == ENVELOPES
        assert found.context["o.pieces_v1", "r01"] == 1


def test_very_many_keys_and_a_huge_value(printing: Path, rack: Rack):
    """Very many keys are kept; a value that is too large is refused, and the step after it is none the worse."""
    keys = reliability_sweeps.count(5_000, 100_000)
    many = {
        "name": "many",
        "module": "o.set_many_keys",
        "args": {"keys": keys},
        "success": {"ctx_has_keys": ["o.many.k0_v1"]},
    }
    huge = {"name": "huge", "module": "o.set_huge_value", "args": {"mb": 50}, "success": "none"}
    with rows([f"{keys} context keys set by one step", "a value of 50 MB"]) as told:
        _found, usual = ran([many, shell("ok")], rack)
        found, peak = ran([many, huge, shell("ok")], rack)
        assert found.steps["many", "r01"]["verdict"] == found.steps["ok", "r01"]["verdict"] == "passed"
        assert sum(key.startswith("o.many.") for key, _host in found.context) == keys
        refused = found.steps["huge", "r01"]
        assert refused["verdict"] == "error"
        assert re.match(r"o\.huge_v1: .*(bytes|MB|MiB)", refused["reason"]), refused["reason"]
        assert ("o.huge_v1", "r01") not in found.context
        assert peak - usual < ROOM
        told["KiB more on the controller for the value"] = max(0, peak - usual)


SWALLOWS = [
    {"name": "stubborn", "module": "o.swallow_exceptions", "timeout": 1, "success": "none"},
    shell("next", "ok", depends_on=["stubborn"]),
    shell("last", "ok", depends_on=["next"]),
    shell("cleans", "ok", always=True),
]


def test_a_step_that_swallows_its_end_is_ended_and_what_runs_always_does(little: tuple[Results, int]):
    """With all that it started, and what needs it is blocked with the cause."""
    found, _peak = little
    got = {step: (row["verdict"], row["reason"] or "") for (step, _host), row in found.steps.items()}
    assert {step["name"]: got[step["name"]] for step in SWALLOWS} == {
        "stubborn": ("error", "timed out after 1 s"),
        "next": ("blocked", "stubborn did not pass (error)"),
        "last": ("blocked", "next did not pass (blocked)"),
        "cleans": ("passed", ""),
    }
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _content(path) == b"sleep\x004323\x00"]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_many_writers_at_once_stay_apart(printing: Path, rack: Rack):
    """Each line is whole, in its order and with its step; so is each line of what is told in detail."""
    names = [f"w{number}" for number in range(reliability_sweeps.count(12, 50))]
    steps = [shell(name, module="o.prints", parallel=True) for name in names]
    recipe, hosts = write_recipe(steps), ("r01", "r02", "r03")
    options = ("--limit", ",".join(hosts), "--parallel", "8", "--debug")
    done = run_recipe(recipe, *options, on=rack)
    found = results()
    for (step, _host), row in found.steps.items():
        assert row["stdout"].splitlines()[:-1] == [f"{step} says {number}" for number in range(100)]
        assert row["stderr"].splitlines() == [f"{step} logs {number}" for number in range(100)]
    assert len(found.steps) == len(names) * len(hosts)
    told = [line for line in done.stderr.splitlines() if found.run["run_id"] in line and "@" in line]
    said = r"[0-9:.]{12} \S+ (w\d+)@(r0\d) ((start|process|end): ?.*|stderr: \1 logs \d+|stdout: (\1 says \d+|\{.*\}))"
    labels = [re.fullmatch(said, line) for line in told]
    assert [line for line, label in zip(told, labels, strict=True) if label is None] == []
    assert {(label[1], label[2]) for label in labels if label} == set(found.steps)


OBJECTION = low_memory_hosts.objection()
MIB = 160  # of memory that the small host has
MEANWHILE = r" \(out of memory: the kernel killed \d+ process(es)? meanwhile\)"


@pytest.fixture
def hungry(steps: Path) -> Path:
    """A project with scriptlets that take all memory."""
    shutil.copytree(Path(__file__).parent / "cases" / "memory" / "m", steps / "scriptlets" / "m")
    return steps


@pytest.fixture
def small() -> Iterator[tuple[Small, Rack]]:
    """A host with little memory, and its control group."""
    with Small(MIB) as group, Rack(1, first_address="127.0.5.1", within=group.within) as made:
        yield group, made


@pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION or "there can be a host with little memory")
def test_the_kernel_kills_for_want_of_memory(hungry: Path, rack: Rack, small: tuple[Small, Rack]):
    """A step, a program of a step, and the executor: each is told, what had ended is kept, the other host goes on."""
    group, tight = small
    known = {"fine": rack.variables("r01"), "small": tight.variables("r01")}
    write_inventory(known)
    recipe = write_recipe(
        [
            shell("first", "ok"),
            {"name": "eats", "module": "m.take_all_memory", "hosts": "small"},
            shell("pipes", module="m.pipes", hosts="small"),
            shell("between", "ok"),
            {"name": "greedy", "module": "m.take_all_memory", "hosts": "small", "args": {"executor": True}},
            shell("last", "ok"),
        ]
    )
    with reliability_sweeps.sweep(
        "host: out of memory", "the kernel is told to have killed, the other hosts go on"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            done = run_recipe(recipe, "--json", "-i", "inventory.yml")
            assert done.code == 1, done.stdout + done.stderr
            check(results())
            assert group.kills() >= 3 * (turn + 1)
            made.done += 1
            made.found = {"killed": group.kills()}


def check(found: Results) -> None:
    """What is said of each step."""
    told = {place: (row["verdict"], row["reason"] or "") for place, row in found.steps.items()}
    for host, names in (("fine", ("first", "between", "last")), ("small", ("first", "between"))):
        assert {told[name, host] for name in names} == {("passed", "")}, told
    killed = {
        "eats": "killed by SIGKILL",
        "pipes": r"printed no envelope.* \(exit code 137.*\)",
        "greedy": "the executor was killed on the host before this step ended",
        "last": "the executor was killed on the host before this step ended",
    }
    for name, why in killed.items():
        verdict, reason = told[name, "small"]
        assert verdict == "error"
        assert re.fullmatch(f"{why}{MEANWHILE}", reason), reason
    assert "m.eaten_v1" not in {key for key, _host in found.context}
