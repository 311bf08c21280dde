# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from rack_recipes.cli import inventory_hosts
from rack_recipes.cli.running import dry_run
from rack_recipes.integrations.across.split_inventory import part_inventory

SLOW = "#!/bin/sh\necho $$ >writing && mv writing asked\nexec sleep 600\n"


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_hosts_of_patterns_under_a_limit(project: Path):
    (project / "lab.yml").write_text("lab: {hosts: {leaf1: , leaf2: , leaf3: }}\n")
    found = inventory_hosts.inventory_hosts(["lab.yml"], "!leaf3", ["lab", "leaf3"])
    assert (found.of("lab"), found.of("leaf3"), found.problem) == (("leaf1", "leaf2"), (), "")


def exported(source: str, limit: str | None = None) -> inventory_hosts.InventoryHosts:
    with inventory_hosts.asking_for_hosts([source], limit, ["lab"], inventory=True) as answer:
        return answer()


def test_the_inventory_that_ansible_cfg_names_is_told(project: Path):
    Path("ansible.cfg").write_text("[defaults]\ninventory = lab\n")
    Path("lab").mkdir()
    Path("lab/hosts.yml").write_text("lab: {hosts: {leaf1: }}\n")
    with inventory_hosts.asking_for_hosts([], None, ["lab"], inventory=True) as answer:
        assert answer().inventory["sources"] == [str(project / "lab")]


def test_a_list_of_hosts_may_be_longer_than_a_path(project: Path):
    names = [f"host{number:04}" for number in range(60)]
    found = exported(f"{','.join(names)},").inventory
    assert (found["sources"], [*found["hosts"]]) == ([], names)


def test_an_inventory_with_the_variables_beside_it_and_what_is_encrypted(project: Path):
    vault = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"
    lab = {"vars": {"ansible_group_priority": 3}, "hosts": {"leaf1": {"pw": vault}, "leaf2": {"t": "{{ x }}"}}}
    Path("lab.yml").write_text(
        f"lab: {json.dumps(lab)}\nother: {{hosts: {{jump: }}}}\n".replace('"pw": ', '"pw": !vault ')
    )
    for folder, name in (("group_vars", "lab"), ("host_vars", "leaf2")):
        Path(folder).mkdir()
        Path(folder, f"{name}.yml").write_text("beside: 1\n")
    found = exported("lab.yml", "leaf1")
    assert found.inventory["sources"] == [str(project / "lab.yml")]
    assert found.inventory["hosts"] == {
        "leaf1": {"pw": {"__ansible_vault": vault}},
        "leaf2": {"t": "{{ x }}", "beside": 1},
        "jump": {},
    }
    assert found.inventory["groups"]["lab"] == {
        "vars": {"ansible_group_priority": 3, "beside": 1},
        "hosts": ["leaf1", "leaf2"],
        "children": [],
    }
    assert (found.of("lab"), found.inventory["matched"]["lab"]) == (("leaf1",), ["leaf1", "leaf2"])
    Path("part.json").write_text(json.dumps(part_inventory(found.inventory, ["leaf2"])))
    again = exported("part.json").inventory
    assert again["hosts"] == {"leaf1": {"pw": {"__ansible_vault": vault}}, "jump": {}}
    Path("group_vars/lab.yml").write_text(vault)
    assert "is encrypted as a whole" in exported(str(project / "lab.yml")).refusal


def test_a_process_that_reads_no_inventory_is_a_problem_and_no_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    (project / "dies.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(inventory_hosts, "PROGRAM", project / "dies.py")
    found = inventory_hosts.inventory_hosts([], None, ["all"])
    assert found.problem == "the inventory cannot be read: the process that reads it ended with -9"


def test_an_inventory_that_is_slow_holds_up_nobody_who_has_given_up(project: Path):
    """A dynamic inventory may ask a server for minutes, and whoever asks for it may be interrupted."""
    (project / "slow.sh").write_text(SLOW)
    (project / "slow.sh").chmod(0o755)

    def interrupt() -> None:
        while not (project / "asked").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        inventory_hosts.inventory_hosts(["slow.sh"], None, ["all"])
    script = int((project / "asked").read_text())
    while is_alive(script):  # it was killed, and takes a moment to end
        time.sleep(0.05)


def test_whoever_does_not_wait_leaves_nothing_running(project: Path):
    before = {child.pid for child in psutil.Process().children()}
    with inventory_hosts.asking_for_hosts([], None, ["all"]):
        pass
    assert {child.pid for child in psutil.Process().children()} <= before


def test_ansible_is_not_imported_twice(project: Path):
    """The process that is asked for hosts imports it; the one that waits for them saves that time."""
    program = f"import sys, {dry_run.__name__}; sys.exit('ansible.template' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
