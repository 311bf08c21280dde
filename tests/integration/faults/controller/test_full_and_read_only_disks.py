# SPDX-License-Identifier: GPL-3.0-or-later

"""Full and read-only disks of the controller and of hosts, from the start and later.

Each disk is a file system of its own, so that the kernel itself refuses to write.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import faulty_disks
import reliability_sweeps
from call_rack_recipes import shell, write_recipe
from controller_process import WAYS, Controller, wait_for
from faulty_disks import Disk
from ssh_hosts import Rack

OBJECTION = faulty_disks.objection()
pytestmark = pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION or "there can be small disks")

HOSTS = ("r01", "r02")
FAULTS = {
    "disk full": (Disk.fill, Disk.free, "No space left on device"),
    "disk read-only": (Disk.turn_read_only, Disk.turn_writable, "Read-only file system"),
}
WHOLE, RUNS = "", "runs"  # what is on the disk: all that a controller writes, or the run folders alone
PATIENCE = {"RACK_RECIPES_RECONNECT_TIMEOUT": 4, "RACK_RECIPES_STORE_TIMEOUT": 1}
PATIENT = {"RACK_RECIPES_STORE_TIMEOUT": 60}
OPEN = Path("open")


@dataclass(frozen=True)
class Broken:
    """A controller with a disk that breaks."""

    fault: str
    way: str
    place: str

    @property
    def name(self) -> str:
        """What its folder is called."""
        return "-".join(filter(None, (*self.fault.split(), self.way, self.place)))

    @property
    def why(self) -> str:
        """What the kernel says of it."""
        return FAULTS[self.fault][2]

    def disk(self) -> Disk:
        """Its disk, which works so far. What it tells is elsewhere: nothing is to be lost of that."""
        folder = Path(self.name)
        folder.mkdir()
        disk = Disk(folder / self.place, "2m")
        if not self.place:
            for stream in ("stdout", "stderr"):
                (folder / stream).symlink_to(Path(f"{self.name}.{stream}").absolute())
        return disk

    def breaks(self, disk: Disk) -> None:
        """It cannot be written from now on."""
        FAULTS[self.fault][0](disk)

    def mended(self, disk: Disk) -> None:
        """It can be written again."""
        FAULTS[self.fault][1](disk)


def chosen(*few: tuple[str, str, str]) -> list[Broken]:
    """These of a fault, a way and a place; all there can be in the whole sweep."""
    every = [(fault, way, place) for fault in FAULTS for way in WAYS for place in (WHOLE, RUNS)]
    return [Broken(*each) for each in (every if reliability_sweeps.is_whole() else few)]


@pytest.fixture
def started(steps: Path) -> Iterator[list[Controller]]:
    """The controllers of a test; what is left of them is removed in the end."""
    found: list[Controller] = []
    with faulty_disks.apart():
        yield found
        for each in found:
            _end(each)


def _end(found: Controller) -> None:
    for pid in found.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    found.child.wait()
    for folder in found.stages() if found.has_begun() else ():
        shutil.rmtree(folder, ignore_errors=True)


def gated() -> str:
    """A recipe of two stages, the first of which waits in its middle until the file `open` is there."""
    return write_recipe(
        [
            shell("first", "ok"),
            shell("gate", args={"path": str(OPEN.absolute())}, timeout=240),
            shell("last", "ok", depends_on=["gate"]),
            {"name": "total", "module": "t.total", "scope": "run", "depends_on": ["last"]},
        ]
    )


def ends_so_far(found: Controller) -> set[tuple[str, str]]:
    """Which steps have ended on which hosts, as far as the journal knows."""
    return {*found.ends()} if found.has_begun() else set()


def are_at_the_gate(found: Controller) -> bool:
    return ends_so_far(found) == {("first", host) for host in HOSTS}


def broken_at_the_gate(
    broken: Iterable[Broken], recipe: str, rack: Rack, started: list[Controller], **env: object
) -> list[tuple[Broken, Disk]]:
    """Controllers whose disks have broken in the middle of a stage, which goes on."""
    mine = [(each, each.disk()) for each in broken]
    for each, _disk in mine:
        started.append(Controller.start(each.name, each.way, recipe, rack, HOSTS, **env))
    for (each, disk), found in zip(mine, started, strict=True):
        wait_for("the first results", lambda found=found: are_at_the_gate(found))
        each.breaks(disk)
    OPEN.touch()
    return mine


def test_a_disk_that_nothing_can_be_written_to_from_the_start(rack: Rack, started: list[Controller]):
    """Nothing is run, it is told why and where, and once the disk is mended all is well."""
    OPEN.touch()
    recipe = gated()
    broken = chosen(("disk full", WAYS[0], RUNS), ("disk read-only", WAYS[0], WHOLE))
    with reliability_sweeps.sweep(
        "controller: disk full or read-only from the start", "nothing is run, and why is told"
    ) as made:
        mine = [(each, each.disk()) for each in broken]
        for each, disk in mine:
            each.breaks(disk)
            started.append(Controller.start(each.name, each.way, recipe, rack, HOSTS))
        for (each, _disk), found in zip(mine, started, strict=True):
            # Ansible has a code of its own for a playbook that cannot be read, as where none could be compiled.
            assert found.ended() == (4 if (each.way, each.place) == (WAYS[1], WHOLE) else 2), found.said()
            assert re.search(rf"{found.folder}/\S+: {each.why}", found.said()), found.said()
            assert not found.has_begun()
            made.done += 1
        each, disk = mine[0]
        each.mended(disk)
        done = started[0].run("run", recipe, "--json", *started[0].words)
        assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr


def test_a_disk_that_cannot_be_written_to_for_a_while(rack: Rack, started: list[Controller]):
    """In the middle of a stage: what has not been written waits, and the run then ends as if nothing had been."""
    recipe = gated()
    broken = chosen(("disk read-only", WAYS[1], WHOLE))
    with reliability_sweeps.sweep(
        "controller: disk full or read-only for a while", "the run waits, nothing is lost"
    ) as made:
        mine = broken_at_the_gate(broken, recipe, rack, started)
        for found in started:
            wait_for("the hosts are done", lambda found=found: len(_ended_on_hosts(found)) == 3 * len(HOSTS))
            assert found.child.poll() is None
            assert len(found.lost()) > 0
        for each, disk in mine:
            each.mended(disk)
        for found in started:
            assert found.ended() == 0, found.said()
            assert found.stored()[0] == ("passed", 0)
            assert set(found.stored()[1].values()) == {"passed"}
            assert len(found.stored()[1]) == 7
            assert found.lost() == []
            made.done += 1
            made.found = {"lost": 0}


def _ended_on_hosts(found: Controller) -> list[Any]:
    return [key for key in found.on_hosts() if key[0] == "step"]


def test_a_disk_that_cannot_be_written_to_any_more(rack: Rack, started: list[Controller]):
    """Exit code 5 with the reason and the path; `flush` stores what there is, and a run that goes on gets the rest."""
    recipe = gated()
    broken = chosen(("disk full", WAYS[0], WHOLE))
    with reliability_sweeps.sweep(
        "controller: disk full or read-only in a stage", "exit code 5, and nothing is lost"
    ) as made:
        mine = broken_at_the_gate(broken, recipe, rack, started, **PATIENCE)
        for (each, _disk), found in zip(mine, started, strict=True):
            check_unwritten(each, found)
        for (each, disk), found in zip(mine, started, strict=True):
            each.mended(disk)
            check_collected(found, recipe)
            made.done += 1
            made.found = {"lost": 0}


def check_unwritten(broken: Broken, found: Controller) -> None:
    """How it ended while its disk is broken: only what has run has passed, and the path and the reason are told."""
    assert found.ended() == 5, found.said()
    assert re.search(rf"{found.folder}/\S+: {broken.why}", found.said()), found.said()
    assert f"rack-recipes run --resume {found.run_id}" in found.said()
    if broken.way == WAYS[0]:
        answer = found.answer()
        assert (answer["status"], answer["journal"]) == ("not stored", str(found.journal))
        assert broken.why in answer["reason"]
    assert set(found.ends().values()) == {("passed", "")}
    assert ("total", "") not in found.ends()


def check_collected(found: Controller, recipe: str) -> None:
    """What its journal has is stored, once; the rest comes from the hosts."""
    assert found.run("flush", found.run_id, **PATIENT).code == 0
    assert found.stored() == (
        ("interrupted", 1),
        {place: verdict for place, (verdict, _reason) in found.ends().items()},
    )
    done = found.resumed(recipe, **PATIENT)
    assert (done.code, done.answer["counts"]) == (0, {"passed": 7}), done.stderr
    assert found.lost() == []


# The folder that a host works in

WORKS = ("first", "fills", "tells", "last")
NO_ROOM = r"printed no envelope: its stdout is empty \(exit code 1: head: .*No space left on device\)"


@pytest.fixture
def small(started: list[Controller]) -> Iterator[Rack]:
    """Hosts that see the disks of the test."""
    with Rack(3, first_address="127.0.6.1") as made:
        yield made


def filling(names: Iterable[str], **files: str) -> list[str]:
    """A recipe whose second step fills the disk that its host works on, and the hosts' variables for it."""
    steps = {"first": "t.ok", "fills": "d.fills", "writes": "d.writes", "tells": "d.tells", "last": "t.ok"}
    shutil.copytree(Path(__file__).parent / "cases" / "disks" / "d", Path("scriptlets") / "d")
    args = {"fills": {"path": "{{ filling }}"}}
    write_recipe([shell(name, module=module, args=args.get(name, {})) for name, module in steps.items()])
    known = {name: {"ansible_remote_tmp": str(Path(name).absolute()), "filling": files.get(name, "")} for name in names}
    Path("disks.json").write_text(json.dumps({"all": {"hosts": known}}))
    return ["-i", "disks.json"]


def waits_for_room(disk: Disk) -> bool:
    """Whether the stage on a host's disk has run its steps, whose files are gone then, and still has to write."""
    stages = [path.parent for path in disk.folder.glob("rack-recipes-*/*/runner")]
    return (disk.folder / "filling").exists() and bool(stages) and not any((path / "work").exists() for path in stages)


def test_a_host_s_folder_becomes_full_in_the_middle_of_a_stage(small: Rack, started: list[Controller]):
    """A step that finds no room says so; what the stage has to tell waits for room, and the other host goes on.

    r01 is filled by a file in the step's own folder, which goes at the end of the stage, r02 by one that stays.
    """
    more = filling(small.hosts, r01="filling", r02=str(Path("r02/filling").absolute()))
    with reliability_sweeps.sweep(
        "host: temporary folder full in a stage", "the reason is told, and nothing is lost"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            mine = [Disk(Path(name), "1m") for name in small.hosts]  # over the last one, which is too full for a stage
            found = Controller.start(f"host-{turn}", WAYS[0], "recipe.yml", small, small.hosts, *more)
            started.append(found)
            wait_for("two hosts are done", lambda found=found: {("last", "r01"), ("last", "r03")} <= ends_so_far(found))
            wait_for("the third has run all steps", lambda disk=mine[1]: waits_for_room(disk))
            assert ("tells", "r02") not in found.ends()
            assert found.child.poll() is None
            (mine[1].folder / "filling").unlink()
            assert found.ended() == 1, found.said()
            ends = found.ends()
            assert {ends[step, host] for step in WORKS for host in small.hosts} == {("passed", "")}, ends
            assert ends["writes", "r03"] == ("passed", "")
            for host in ("r01", "r02"):
                verdict, reason = ends["writes", host]
                assert (verdict, bool(re.fullmatch(NO_ROOM, reason))) == ("error", True), reason
            assert found.stored()[1] == {place: verdict for place, (verdict, _reason) in ends.items()}
            made.done += 1
            made.found = {"lost": 0}


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="takes minutes: a part of `make soak`")
def test_a_host_s_folder_that_stays_full(small: Rack, started: list[Controller]):
    """What had been written is kept, the rest is told to be lost and why; the other host goes on."""
    mine = Disk(Path("r02"), "1m")
    names = ("r02", "r03")
    more = filling(names, r02=str(mine.folder / "filling"))
    with reliability_sweeps.sweep(
        "host: temporary folder full for good in a stage", "steps before that are kept"
    ) as made:
        for turn in range(2):
            found = Controller.start(f"stays-{turn}", WAYS[0], "recipe.yml", small, names, *more)
            started.append(found)
            assert found.child.wait(180) == 1
            ends = found.ends()
            assert {ends[step, "r03"] for step in (*WORKS, "writes")} == {("passed", "")}, ends
            assert ends["first", "r02"] == ("passed", "")
            for step in ("tells", "last"):
                why = f"the temporary folder {mine.folder}/rack-recipes-{os.geteuid()} is full"
                assert ends[step, "r02"] == ("error", f"the host cannot run a stage: {why}")
            (mine.folder / "filling").unlink()
            made.done += 1
