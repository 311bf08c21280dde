# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from ansible.inventory.host import Host

from rack_recipes.run.current_run import Run
from rack_recipes.run.recorder.hosts_of_run import aliases_of_one_host, start_warnings


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
