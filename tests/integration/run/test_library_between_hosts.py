# SPDX-License-Identifier: GPL-3.0-or-later

"""What the library measures between hosts, by the real programs: clocks, a shared file system, many senders to one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import run_recipe

FAKE = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
GOOD, BAD = ("r01", "r02", "r03"), "r04"
SIDES = {"peer": "${peer.address}", "port": "${peer.port}"}
MEMBERS = {"members": "${own.members}"}
FOLDER = {"folder": "${own.store}", "me": "${own.name}", **MEMBERS, "wait": 15}
FIO = {"size_mib": 2, "seconds": 1, "direct": False}


def step(name: str, module: str, scope: str, hosts: str, args: dict[str, Any], **more: Any) -> dict[str, Any]:
    rules = {} if scope == "pair" else {"members": "all"}
    return {"name": name, "module": module, "scope": scope, "hosts": hosts, "args": args, **rules, **more}


def incast(name: str, receiver_mbits: float, served: Any = MEMBERS) -> dict[str, Any]:
    args = {**SIDES, **MEMBERS, "rank": "${own.rank}", "seconds": 1, "back": True, "receiver_mbits": receiver_mbits}
    serve = {"module": "traffic.serve", "args": {"port": "${own.port}", **served}}
    return step(name, "fabric.incast", "group", ":".join(GOOD), args, serve=serve, retry={"max": 3})


STEPS = [
    step(
        "clocks", "clock.pairwise", "pair", "all", {**SIDES, "name": "${peer.name}", "max_offset": 0.5},
        serve={"module": "clock.serve", "args": {"port": "${own.port}"}},
    ),
    step("shared", "storage.shared", "group", ":".join(GOOD), {**FOLDER, **FIO}),
    step("slow", "storage.shared", "group", ":".join(GOOD), {**FOLDER, **FIO, "min_iops": 1e9}),
    step("apart", "storage.shared", "group", "all", {**FOLDER, **FIO, "wait": 45}),
    incast("incast", 1),
    incast("starved", 1e9),
    {**incast("narrow", 1, {}), "retry": {"max": 1}},
    step("nowhere", "storage.shared", "group", ":".join(GOOD), {**FOLDER, **FIO, "folder": "${own.store}/none"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def found(rack: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One run of all on four hosts, of which the last has another time, and another disk at the place of the share."""
    folder = tmp_path_factory.mktemp("between")
    for name in ("share", "disk"):
        (folder / name).mkdir()
    ahead = folder / "python-ahead"
    ahead.write_text(
        f'#!/bin/sh\nLD_PRELOAD={FAKE} FAKETIME=+5s DONT_FAKE_MONOTONIC=1 exec {rack.members[BAD].python} "$@"\n'
    )
    ahead.chmod(0o755)
    told = yaml.safe_load(rack.inventory.read_text())["all"]["children"]["rack"]
    hosts = {name: {**told["hosts"][name], "store": str(folder / "share")} for name in (*GOOD, BAD)}
    hosts[BAD] |= {"store": str(folder / "disk"), "ansible_python_interpreter": str(ahead)}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"vars": told.get("vars", {}), "hosts": hosts}}))
    before = Path.cwd()
    os.chdir(folder)
    try:
        run = run_recipe(STEPS, on="inventory.yml")
        yield run.results, folder, run.stderr
    finally:
        os.chdir(before)


def rows(found: Any, step: str) -> dict[str, tuple[str, str]]:
    return {
        name: (row["verdict"], row["reason"]) for (name, _host), row in found[0].steps.items() if row["parent"] == step
    }


@pytest.mark.skipif(not FAKE, reason="no faketime")
def test_a_clock_that_is_ahead_is_found_between_each_pair(found: Any):
    links = rows(found, "clocks")
    assert len(links) == 6, found[2]
    assert {name for name, (verdict, _) in links.items() if verdict != "passed"} == {n for n in links if BAD in n}
    reasons = [reason for verdict, reason in links.values() if verdict == "failed"]
    assert len(reasons) == 3, links
    for reason in reasons:
        who, seconds, way = re.search(r"the clock of (\S+) is ([\d.]+) s (ahead|behind), max 0.5", reason).groups()
        assert (who == BAD) == (way == "ahead")
        assert float(seconds) == pytest.approx(5, abs=0.4)


def test_a_shared_file_system_is_measured_from_all_and_left_clean(found: Any):
    assert rows(found, "shared") == {"shared[all]": ("passed", "")}, found[2]
    names = {name for step, _host, name, _value, _unit in found[0].measurements if step == "shared[all]"}
    assert {f"mbytes.{host}" for host in GOOD} <= names
    assert not [*(found[1] / "share").iterdir()]
    assert not [*(found[1] / "disk").iterdir()]
    verdict, reason = rows(found, "slow")["slow[all]"]
    assert verdict == "failed"
    assert all(f"{host}: {found[1]}/share: iops" in reason for host in GOOD)


def test_a_host_that_has_another_file_system_there_is_named(found: Any):
    verdict, reason = rows(found, "apart")["apart[all]"]
    assert verdict == "failed"
    assert f"r01: within 45 s {BAD} did not share {found[1]}/share with this host" in reason
    assert f"{BAD}: within 45 s {', '.join(GOOD)} did not share {found[1]}/disk" in reason


def test_many_senders_to_one_get_their_share_or_are_named(found: Any):
    assert rows(found, "incast") == {"incast[all]": ("passed", "")}, found[2]
    values = {name: value for step, _host, name, value, _unit in found[0].measurements if step == "incast[all]"}
    assert {f"mbits_{way}.{host}" for way in ("there", "back") for host in GOOD[1:]} <= values.keys()
    verdict, reason = rows(found, "starved")["starved[all]"]
    assert verdict == "failed"
    assert "% of an even share, min 50" in reason
    assert all(f"{host}: there: " in reason for host in GOOD[1:])


def test_what_is_written_wrongly_is_told_with_what_to_write(found: Any):
    """A serving side that listens for one sender only, and a folder that no host has."""
    verdict, reason = rows(found, "narrow")["narrow[all]"]
    assert verdict == "error"
    assert "r03: nobody listens for sender 2 at " in reason
    assert 'args: {port: "${own.port}", members: "${own.members}"}}' in reason
    verdict, reason = rows(found, "nowhere")["nowhere[all]"]
    assert verdict == "error"
    folder = f"{found[1]}/share/none"
    assert f"r01: {folder} is not there on r01: mount the shared file system on this host" in reason
    assert f"mkdir -p {folder}" in reason
