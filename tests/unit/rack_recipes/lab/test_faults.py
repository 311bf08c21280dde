# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults and the drawing, without a rack; tests/integration/rack/test_virtual_rack.py has a real one."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import RackError, UsageError
from rack_recipes.lab import faults, rack_state, start_rack
from rack_recipes.lab.faults import FAULTS, break_rack, heal_rack, name_of, remove_groups
from rack_recipes.lab.inventory_and_cabling import cabling_plan, make_inventory
from rack_recipes.lab.node_files import files_of
from rack_recipes.lab.rack_first_process import BOOT_ID, PIDS
from rack_recipes.lab.rack_state import Broken, RackState
from rack_recipes.lab.start_rack import NEEDED
from rack_recipes.lab.topology import Port, build


class Told:
    """What a rack was told to run, by node; nodes in `silent` refuse."""

    def __init__(self) -> None:
        self.scripts: list[tuple[str, str]] = []
        self.silent: set[str] = set()

    def run(self, _state: RackState, node: str, script: str, *, check: bool = True) -> str:
        if node in self.silent:
            raise RackError(f"{node}: no answer")
        self.scripts.append((node, script))
        return ""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the racks of this test are told to run."""
    found = Told()

    def run(*words: Any, **options: Any) -> str:  # a method, and so it gets the state
        return found.run(*words, **options)

    monkeypatch.setattr(RackState, "run", run)
    return found


def rack(folder: Path, counts: Mapping[str, int] | None = None, *broken: Broken) -> RackState:
    return RackState(folder, 1, 2, counts or {"spine": 2, "leaf": 4, "server": 8}, broken)


@pytest.mark.parametrize("name", FAULTS)
def test_every_word_of_a_script_stands_for_something_at_every_place(name: str) -> None:
    fault, topology = FAULTS[name], build()
    words = {
        word for script in (fault.make, fault.heal) for _text, word, *_more in string.Formatter().parse(script) if word
    }
    places = faults.places_of(fault, topology)
    assert places
    for place in places:
        details = faults.details_of(place, topology, Path("rack"))
        assert not [word for word in words if details.get(word) in (None, "")], place


@pytest.mark.parametrize(
    ("name", "where", "says"),
    [
        ("link-dwn", "", "expected one of the faults swapped-cables, .*, got 'link-dwn', did you mean 'link-down'?"),
        ("link-down", "leaf1", "link-down cannot be at 'leaf1'.*expected a port such as spine1:swp1"),
        ("link-down", "leaf1:swp11", "cannot be at 'leaf1:swp11', did you mean 'leaf1:swp1'?"),
        ("full-disk", "leaf1", "full-disk cannot be at 'leaf1'.*expected a node such as server1"),
        ("wrong-peer-as", "leaf1:swp3", "cannot be at 'leaf1:swp3'"),
        ("link-down", "leaf1:swp2", "leaf1:swp2 has a fault already: `rack-recipes rack heal` first"),
    ],
)
def test_what_cannot_be_broken(told: Told, tmp_path: Path, name: str, where: str, says: str) -> None:
    state = rack(tmp_path, None, Broken("slow-link", "leaf1:swp2"))
    with pytest.raises(UsageError, match=says):
        break_rack(state, name, where)
    assert told.scripts == []


def test_a_fault_that_needs_a_second_server_at_the_leaf(tmp_path: Path) -> None:
    small = {"spine": 1, "leaf": 1, "server": 1}
    with pytest.raises(UsageError, match="every place that can have it has a fault already"):
        break_rack(rack(tmp_path, small), "duplicate-address")
    with pytest.raises(UsageError, match="duplicate-address needs more nodes"):
        break_rack(rack(tmp_path, small), "duplicate-address", "server1")


def test_the_first_place_without_a_fault_is_taken(told: Told, tmp_path: Path) -> None:
    state = rack(tmp_path, None, Broken("slow-link", "spine1:swp1"))
    broken = break_rack(state, "link-down")[1]
    assert broken == Broken("link-down", "spine1:swp2")
    assert told.scripts == [("spine1", "ip link set swp2 down")]


def test_a_fault_that_only_a_bmc_sees_needs_one(told: Told, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bmc-sensor needs BMCs: rack-recipes rack down, then"):
        break_rack(rack(tmp_path), "bmc-sensor")
    state = break_rack(replace(rack(tmp_path), has_bmcs=True), "bmc-sensor", "server2")[0]
    heal_rack(state)
    assert told.scripts == [
        ("", f"cd {tmp_path}\necho 51 >bmc/server2/inlet_temperature"),
        ("", f"cd {tmp_path}\necho 24 >bmc/server2/inlet_temperature"),
    ]


def test_a_part_of_a_server_is_changed_from_outside_and_stays_so_when_it_starts_anew(
    told: Told, tmp_path: Path
) -> None:
    state, broken = break_rack(rack(tmp_path), "lost-lanes", "server2")
    assert broken.boot == ""
    heal_rack(state)
    file = "files/server2/srv/parts/sys/bus/pci/devices/0000:17:00.0/current_link_width"
    assert told.scripts == [("", f"cd {tmp_path}\necho '{lanes}' >{file}") for lanes in (8, 16)]


def test_faults_are_healed_in_the_opposite_order_and_noted_one_by_one(told: Told, tmp_path: Path) -> None:
    first, second = Broken("link-down", "leaf1:swp1"), Broken("host-away", "server1")
    state = rack(tmp_path, None, first, second)
    assert heal_rack(state)[1] == [second, first]
    outside = f"cd {tmp_path}\nip link set m-server1 up"
    assert told.scripts == [("", outside), ("leaf1", "ip link set swp1 up")]
    told.silent.add("leaf1")
    with pytest.raises(RackError, match="leaf1: no answer"):
        heal_rack(state)
    assert json.loads((tmp_path / "state.json").read_text())["broken"] == [
        {"fault": "link-down", "where": "leaf1:swp1", "boot": ""}
    ]


def booted(folder: Path, node: str, boot: str) -> None:
    for name, text in ((f"{PIDS}/{node}", "7"), (f"files/{node}/{BOOT_ID}", f"{boot}\n")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_fault_in_a_node_ends_with_the_node(told: Told, tmp_path: Path) -> None:
    booted(tmp_path, "server1", "first")
    state, hog = break_rack(rack(tmp_path), "cpu-hog", "server1")
    state, away = break_rack(state, "host-away", "server2")
    assert (hog.boot, away.boot) == ("first", "")
    assert rack_state.without_ended(state).broken == (hog, away)
    (tmp_path / PIDS / "server1").write_text("")
    assert rack_state.without_ended(state).broken == (away,)
    booted(tmp_path, "server1", "second")
    del told.scripts[:]
    healed, found = heal_rack(state)
    assert found == [away]
    assert [node for node, _script in told.scripts] == [""]
    assert healed.broken == ()
    with pytest.raises(UsageError, match="there is no cpu-hog in the rack"):
        heal_rack(state, "cpu-hog")


def test_what_is_not_broken_cannot_be_healed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no link-down in the rack"):
        heal_rack(rack(tmp_path), "link-down")
    with pytest.raises(UsageError, match="expected one of the faults"):
        heal_rack(rack(tmp_path), "link-up")
    assert heal_rack(rack(tmp_path))[1] == []


def test_the_drawing_names_what_is_down(tmp_path: Path) -> None:
    state = rack(tmp_path, {"spine": 1, "leaf": 2, "server": 2}, Broken("link-down", "leaf2:swp1"))
    seen = rack_state.RackStatus(frozenset({"server1"}), frozenset({Port("leaf2", "swp1")}))
    assert rack_state.as_text(state, seen).splitlines() == [
        "1 spine, 2 leaves, 2 servers",
        "",
        "          spine1     servers",
        "leaf1     ✓ swp1     ✗ swp2 server1",
        "leaf2     ✗ swp1     ✓ swp2 server2",
        "",
        "broken: link-down at leaf2:swp1",
        "does not answer: server1",
    ]
    data = rack_state.as_data(state, seen)
    assert [each["up"] for each in data["cables"]] == [True, False, False, True]  # type: ignore[attr-defined]
    picture = rack_state.as_svg(state, seen)
    assert picture.count("stroke-dasharray") == 2
    assert "spine1:swp2 - leaf2:swp1" in picture


def test_ports_are_looked_at_in_every_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_state: RackState, node: str, _script: str, *, check: bool = True) -> str:
        if node == "leaf1":
            raise RackError("leaf1: no answer")
        return json.dumps([{"ifname": name, "operstate": "UP"} for name in ("swp1", "swp2", "swp3")])

    monkeypatch.setattr(RackState, "run", run)
    seen = rack_state.look_at_ports(RackState(tmp_path, 1, 1, {"spine": 1, "leaf": 2, "server": 2}))
    assert seen.silent == {"leaf1"}
    assert seen.down == {Port("server1", "eth1"), Port("server2", "eth1")}


def test_the_inventory_says_where_a_node_stands_and_what_it_hangs_on(tmp_path: Path) -> None:
    topology = build()
    found: dict[str, Any] = make_inventory(topology, tmp_path, 77)["all"]
    assert "nsenter -t 77 -n" in found["vars"]["ansible_ssh_common_args"]
    own = found["children"]["servers"]["hosts"]["server8"]
    assert (own["rack"], own["leaf"], own["uplinks"]) == ("rack2", "leaf4", ["leaf4:swp4"])
    assert len(cabling_plan(topology)) == 16


def test_only_the_owner_may_read_keys(tmp_path: Path) -> None:
    node = build().nodes["leaf1"]
    assert [path for path in files_of(node, build(), "public", "private") if "key" in path] == [
        "etc/rack/authorized_keys", "etc/ssh/rack_host_key",
    ]  # fmt: skip
    start_rack._write(tmp_path / "etc/ssh/rack_host_key", "x")
    assert (tmp_path / "etc/ssh/rack_host_key").stat().st_mode & 0o777 == 0o600


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_rack.os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="a virtual rack needs root"):
        start_rack.up(build())


def test_missing_programs_are_named_by_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(start_rack.os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        start_rack.shutil, "which", lambda name, **_path: None if name in ("ip", "tc", "lldpd") else name
    )
    with pytest.raises(UsageError, match="packages are missing: apt-get install iproute2 lldpd"):
        start_rack.up(build(), tmp_path / "rack")


def test_a_rack_that_was_killed_is_known_to_have_ended(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no rack here"):
        rack_state.load_running(tmp_path)
    rack_state.save_state(RackState(tmp_path, 2**22 + 1, 5, {"spine": 1}))
    with pytest.raises(UsageError, match="the rack here has ended"):
        rack_state.load_running(tmp_path)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(UsageError, match=r"state.json cannot be read: .* `rack-recipes rack down` removes it"):
        rack_state.load_running(tmp_path)
    assert start_rack.down(tmp_path) is False
    assert not tmp_path.exists()


def test_all_groups_of_a_rack_are_removed_and_no_other(tmp_path: Path) -> None:
    own, other = name_of(tmp_path / "rack", "server1"), name_of(tmp_path / "other", "server1")
    assert own.endswith("-server1")
    for path in (own, f"blkio/{own}", f"blkio/{other}", "memory/system"):
        (tmp_path / path).mkdir(parents=True)
    remove_groups(tmp_path / "rack", tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "blkio", f"blkio/{other}", "memory", "memory/system",
    ]  # fmt: skip


def test_a_group_that_has_processes_stays(tmp_path: Path) -> None:
    busy = tmp_path / name_of(tmp_path / "rack", "server1") / "cgroup.procs"
    busy.parent.mkdir()
    busy.touch()
    remove_groups(tmp_path / "rack", tmp_path)
    assert busy.exists()


PAGE = Path(__file__).resolve().parents[4] / "docs/virtual-rack.md"
START, END = "<!-- faults: ", "<!-- /faults -->"


def test_the_page_lists_the_faults_of_the_table(golden: Callable[[Path, str], None]) -> None:
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    comment = rest.partition("\n")[0]
    rows = "\n".join(f"| `{name}` | {fault.about} |" for name, fault in FAULTS.items())
    table = f"| fault | what it is |\n| --- | --- |\n{rows}"
    golden(PAGE, f"{head}{start}{comment}\n\n{table}\n\n{END}\n")


def test_the_page_names_the_packages_that_are_needed() -> None:
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("Debian packages:"))
    assert not {package for package in NEEDED.values() if package not in line} - {"util-linux", "e2fsprogs"}
