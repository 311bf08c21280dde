# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run keeps of its hosts out of the inventory, and what it never keeps."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible import context
from ansible.inventory.host import Host
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.plugins.loader import vars_loader
from ansible.plugins.vars import host_group_vars
from ansible.template import trust_as_template
from ansible.vars.manager import VariableManager

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import means, play, task
from rack_recipes.errors import UsageError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.current_run import Run
from rack_recipes.run.recorder.ansible_api import AnsibleApi, ansible_api_of
from rack_recipes.run.recorder.begin_run import begin_run
from rack_recipes.run.recorder.hosts_of_run import (
    LONGEST_LIST,
    LONGEST_TEXT,
    aliases_of_one_host,
    check_turns,
    host_attributes,
    start_warnings,
    steps_elsewhere,
    unmatched_patterns,
)
from rack_recipes.run.recorder.play_outline import outline
from rack_recipes.run.unmatched_hosts import no_match
from rack_recipes.settings import Settings

CASES = json.loads(Path(__file__).with_name("host_attributes.json").read_text())
SECRETS = [("default", VaultSecret(b"the password of the vault"))]
MILLISECONDS = 0.2  # of CPU time for a host


def test_a_vault_without_its_password_is_told_before_anything_runs(tmp_path: Path) -> None:
    files = {"hosts.json": {"all": {"hosts": {"r1": {}}}}, "group_vars/all.yml": {}}
    api, inventory = an_api(tmp_path, files)
    inventory._loader.set_vault_secrets([])
    (tmp_path / "group_vars/all.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3132\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^the variables of r1: .* no vault secrets found: name the file with "):
        begin_run([play(task(1, {"name": "a"}))], Settings(), api)


@pytest.fixture(autouse=True)
def _found_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible remembers which folders have no variables, by path."""
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())
    monkeypatch.setattr(host_group_vars, "FOUND", {})
    monkeypatch.setattr(host_group_vars, "NAK", set())
    list(vars_loader.all(class_only=True))
    vars_loader.get("host_group_vars")


def an_api(folder: Path, files: dict[str, Any]) -> tuple[AnsibleApi, InventoryManager]:
    """Ansible with an inventory of these files below `folder`; the one named hosts.json is the inventory."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else json.dumps(text).encode())
    loader = DataLoader()
    loader.set_basedir(str(folder / "beside_playbook"))
    loader.set_vault_secrets(SECRETS)
    inventory = InventoryManager(loader, [str(folder / "hosts.json")])
    made = play(variables=VariableManager(loader, inventory))
    made._loader = loader
    return ansible_api_of(made), inventory


def attributes(folder: Path, variables: dict[str, Any], mask: Mask | None = None, **settings: Any) -> dict[str, Any]:
    api, _inventory = an_api(folder, {"hosts.json": {"all": {"hosts": {"r1": variables}}}})
    return host_attributes(["r1"], Settings(**settings), api, mask or Mask(())).get("r1", {})


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_what_is_kept_of_a_host(case: dict[str, Any], tmp_path: Path):
    kept = attributes(tmp_path, case["variables"], Mask(case.get("secrets", ())), **case.get("settings", {}))
    assert kept == case["kept"]
    assert json.loads(json.dumps(kept)) == kept


@pytest.mark.parametrize(
    ("value", "is_kept"),
    [
        ("x" * LONGEST_TEXT, True),
        ("x" * (LONGEST_TEXT + 1), False),
        (["x"] * LONGEST_LIST, True),
        (["x"] * (LONGEST_LIST + 1), False),
    ],
)
def test_what_is_long_is_no_attribute(value: Any, is_kept: bool, tmp_path: Path):
    assert attributes(tmp_path, {"rack": value}) == ({"rack": value} if is_kept else {})


def test_the_nearest_file_counts_as_in_ansible(tmp_path: Path):
    """Groups before files of groups, the inventory's before the playbook's, and the host's own last."""
    group = {"hosts": {"r1": {"pdu": "host"}}, "vars": dict.fromkeys(("row", "rack", "leaf", "u", "pdu"), "group")}
    api, inventory = an_api(
        tmp_path,
        {
            "hosts.json": {
                "all": {"vars": {"site": "all", "row": "all"}, "children": {"pod": {"children": {"leaf2": group}}}}
            },
            "group_vars/all.json": {"spine": "file of all", "rack": "file of all", "u": "file of all"},
            "group_vars/leaf2.json": {"leaf": "file of leaf2", "u": "file of leaf2"},
            "beside_playbook/group_vars/leaf2.json": {"u": "beside the playbook"},
            "host_vars/r1.json": {"position": 3, "pdu": "file of r1"},
            "beside_playbook/host_vars/r1.json": {"model": "beside the playbook"},
        },
    )
    found = host_attributes(["r1", "gone"], Settings(), api, Mask(()))
    assert found == {
        "r1": {
            "groups": ["leaf2", "pod"],
            "site": "all",
            "row": "group",
            "rack": "file of all",
            "position": 3,
            "u": "beside the playbook",
            "model": "beside the playbook",
            "leaf": "file of leaf2",
            "spine": "file of all",
            "pdu": "file of r1",
        }
    }
    manager = VariableManager(inventory._loader, inventory)
    asked = manager.get_vars(host=inventory.get_host("r1"), include_hostvars=False)
    assert {name: asked[name] for name in found["r1"] if name != "groups"} == {
        name: value for name, value in found["r1"].items() if name != "groups"
    }


def test_what_comes_out_of_a_vault_is_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However short it is; a template that brings it in is left out, too."""
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(SECRETS))
    told = {"rack": "r1", "leaf": ["l2"], "site": "vaulted-site", "u": 7, "row": "a"}
    api, _inventory = an_api(
        tmp_path,
        {
            "hosts.json": {"all": {"hosts": {"r1": {"model": "{{ site }}", "class": "{{ rack }}"}}}},
            "host_vars/r1/secret.yml": VaultLib(SECRETS).encrypt(json.dumps(told)),
        },
    )
    mask = Mask(api.vaulted(["r1"])[0]["r1"])
    assert host_attributes(["r1"], Settings(), api, mask) == {}


def test_they_are_in_the_first_record_of_a_run(tmp_path: Path, project: Path):
    hosts = {"r1": {"rack": "{{ place }}", "place": "R 7", "bmc_password": "no"}, "r2": {}}
    api, _inventory = an_api(tmp_path, {"hosts.json": {"all": {"hosts": hosts}}})
    run = begin_run([play(task(1, {"name": "a"}))], Settings(host_attributes=("rack", "bmc_password")), api)
    [record] = JournalReader(run.path).records()
    assert record
    assert record["attributes"] == {"r1": {"rack": "R 7"}}


def test_a_thousand_hosts_cost_little(tmp_path: Path):
    """Beside Ansible's own function, which takes 0.6 ms a host."""
    own = {f"v{n}": n for n in range(20)}
    hosts = {f"r{n:04}": {**own, "position": n % 40, "uplinks": [f"leaf{n // 20}:{n % 20}"]} for n in range(1000)}
    leaves: dict[str, Any] = {
        f"leaf{n}": {"hosts": {name: {} for name in [*hosts][20 * n : 20 * n + 20]}, "vars": {"leaf": f"leaf{n}"}}
        for n in range(50)
    }
    api, _inventory = an_api(tmp_path, {"hosts.json": {"all": {"hosts": hosts, "children": leaves}}})
    started = time.process_time()
    found = host_attributes(hosts, Settings(), api, Mask(["a secret"]))
    assert time.process_time() - started < 1000 * MILLISECONDS / 1000
    assert len(found) == 1000
    assert found["r0021"] == {"groups": ["leaf1"], "position": 21, "uplinks": ["leaf1:1"], "leaf": "leaf1"}


HOSTS = ["leaf1", "leaf2", "spine1"]
NOBODY = "no host or group of the inventory is"


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("'leaves'", " (did you mean 'leafs'?)"),
        ("--limit 'spine:!lefs'", " (did you mean 'spines'?)"),
        ("'leafs:&spins'", " (did you mean 'spines'?)"),
        ("'leaf1x', 'other'", " (did you mean 'leaf1'?)"),
        ("'leafs:&spines'", ""),
        ("'other'", ""),
        ("--limit ''", ""),
    ],
)
def test_a_misspelt_group_is_told_with_the_one_that_was_meant(pattern: str, meant: str):
    told = no_match(pattern, HOSTS, ["all", "leafs", "spines"])
    known = "see the inventory and --limit; the inventory has leaf1, leaf2, spine1"
    assert told == f"no host matches {pattern} here{meant}, {known}"


def resolve(pattern: str) -> list[str]:
    return [host for host in HOSTS if pattern == "all" or fnmatchcase(host, pattern)]


@pytest.mark.parametrize(
    ("hosts", "limit", "told"),
    [
        ("all", "", []),
        ("leaf*,!spine9,&all", "leaf1,@retry.txt", []),
        ("{{ group }}", "leaf1", []),
        ("all", "leaf1,leaf9", [f"--limit: {NOBODY} leaf9 (did you mean 'leaf2'?)"]),
        ("all", "leaf1:xx:yy", [f"--limit: {NOBODY} xx, yy"]),
        ("leaf1,zz*", "leaf1", [f"the recipe's hosts: {NOBODY} zz*"]),
        (["leaf1", "zz"], "zz,leaf1", [f"the recipe's hosts: {NOBODY} zz", f"--limit: {NOBODY} zz"]),
        ("all", ",".join(map(str, range(11))), [f"--limit: {NOBODY} 0, 1, 2, 3, 4, 5, 6, 7 and 3 more"]),
    ],
)
def test_names_that_the_inventory_does_not_know(hosts: str | list[str], limit: str, told: list[str]):
    plays = [SimpleNamespace(hosts=hosts), SimpleNamespace(hosts=hosts)]
    assert [*unmatched_patterns(plays, limit, resolve)] == told


@pytest.mark.parametrize(
    ("hosts", "pattern", "left_out"),
    [
        ("leaf1", "leaf1:spine1", "spine1"),
        ("leaf1", "leaf*:!spine1", ""),  # a group of which some are the recipe's
        ("leaf1:leaf2", "spine*", "spine*"),
        ("leaf1", "leaf9", "leaf9 (did you mean 'leaf1'?)"),
        ("{{ group }}", "spine1", ""),
        ("leaf1", "{{ group }}", ""),
    ],
)
def test_hosts_of_a_step_that_are_none_of_the_recipes_are_told(hosts: str, pattern: str, left_out: str):
    here = play(task(1, {"name": "a"}, {"name": "b", "hosts": pattern}), hosts=hosts)
    told = [*steps_elsewhere([here], lambda text: [one for part in text.split(":") for one in resolve(part)], [])]
    start = "hosts of step b: not among the recipe's hosts, so it does not run there: "
    assert told == ([start + left_out] if left_out else [])


def host(name: str, **variables: Any) -> Host:
    made = Host(name)
    for key, value in variables.items():
        made.set_variable(key, value)
    return made


def test_names_of_one_address_are_found():
    hosts = [
        host("leaf1", ansible_host="10.0.0.1", ansible_port=22),
        host("leaf1-mgmt", ansible_ssh_host="10.0.0.1", ansible_ssh_port="22"),
        host("console", ansible_host="10.0.0.1", ansible_port=2022),
        host("10.0.0.2"),
        host("leaf2", ansible_host="10.0.0.2"),
        host("leaf3", ansible_host="10.0.0.3"),
    ]
    assert [*aliases_of_one_host(hosts)] == [
        ("10.0.0.1:22", ["leaf1", "leaf1-mgmt"]),
        ("10.0.0.2", ["10.0.0.2", "leaf2"]),
    ]


def test_what_is_not_known_or_meant_is_not_told():
    template = "{{ inventory_hostname }}.example.com"
    here = {"ansible_host": "localhost", "ansible_connection": "local"}
    assert not [*aliases_of_one_host([host("a", ansible_host=template), host("b", ansible_host=template)])]
    assert not [*aliases_of_one_host([host("a", **here), host("b", **here)])]
    apis = [host(name, ansible_host="10.0.0.1", ansible_httpapi_port=port) for name, port in (("a", 8001), ("b", 8002))]
    assert not [*aliases_of_one_host(apis)]


def test_of_many_names_only_some_are_told():
    names = [f"leaf{number}" for number in range(1, 12)]
    hosts = [host(name, ansible_host="10.0.0.1") for name in names]
    inputs = SimpleNamespace(warnings=(), unknown_hosts=names, recipe={}, waivers=SimpleNamespace(over=()))
    steps = {name: SimpleNamespace(name=name, hosts=()) for name in names}
    told = [*start_warnings(cast("Run", SimpleNamespace(inputs=inputs, steps=steps)), hosts)]
    some = "leaf1, leaf2, leaf3, leaf4, leaf5, leaf6, leaf7, leaf8 and 3 more"
    assert told == [
        f"left out, as no host of this run is theirs: {some}",
        f"the given context has keys of hosts not in this run: {some}",
        f"{some} are one host, 10.0.0.1: their steps run beside each other",
    ]


APART: dict[str, dict[str, Any]] = {
    "serial": {"serial": [1]},
    "serial in percent": {"serial": ["50%", "100%"]},
    "a number as it is written": {"serial": 1},
    "a template": {"serial": trust_as_template("{{ 1 }}")},
    "free": {"strategy": "free"},
    "host_pinned": {"strategy": "ansible.builtin.host_pinned"},
}
TOGETHER: dict[str, dict[str, Any]] = {
    "linear": {},
    "serial of all": {"serial": [3]},
    "serial of 100 percent": {"serial": "100%"},
    "no number": {"serial": "some"},
    "one host": {"serial": [1], "strategy": "free", "hosts": "r1"},
}
FIRST = {"name": "a"}
WIDE: dict[str, tuple[dict[str, Any], str]] = {
    "once": ({"name": "b", "scope": "run"}, "step b runs once for all hosts (scope: run)"),
    "all": ({"name": "b", "depends_on": [{"step": "a", "hosts": "all"}]}, "step b needs a on all hosts"),
    "reads": ({"name": "b", "args": {"x": "${fan.rpm_v1@r2}"}}, "step b reads keys of other hosts"),
}


def check(step: dict[str, Any], **words: Any) -> None:
    made = play(task(1, FIRST), task(2, step), hosts=words.pop("hosts", "all"))
    for word, value in words.items():
        setattr(made, word, value)
    api = means()
    check_turns([made], outline([made], api.resolve), api)


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("apart", APART)
def test_what_needs_all_hosts_is_refused_where_they_take_turns(apart: str, wide: str):
    step, why = WIDE[wide]
    with pytest.raises(UsageError) as raised:
        check(step, **APART[apart])
    assert why in str(raised.value)
    assert str(raised.value).endswith("out of the play, or out of ansible.cfg")


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("together", TOGETHER)
def test_it_is_taken_where_they_run_together(together: str, wide: str):
    check(WIDE[wide][0], **TOGETHER[together])


@pytest.mark.parametrize("apart", APART)
def test_what_looks_at_its_own_host_may_take_turns(apart: str):
    check({"name": "b", "depends_on": ["a"]}, **APART[apart])
