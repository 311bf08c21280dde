# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup that reads the cables of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.run_playbooks import HEAD, keep, play

CALL = "{{ lookup('rack.recipes.cables', '%s') }}"


def test_each_host_gets_its_cables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("cabling.yml").write_text("- {a: 'r1:e1', b: 'spine1:e1'}\n- {a: 'spine1:e2', b: 'r2:e1'}\n")
    Path("faulty.yml").write_text("- {a: 'r1:e1', b: 'r1:e1'}\n")
    other = "{{ lookup('rack.recipes.cables', 'cabling.yml', host='spine1.dc.example') }}"
    Path("full.yml").write_text("- {a: 'r1.dc:e1', b: 'spine1.dc:e1'}\n- {a: 'r2.a:e2', b: 'r2.b:e1'}\n")
    Path("others.yml").write_text("- {a: 'leaf1:e1', b: 'leaf2:e1'}\n")
    tasks = [
        keep("full", CALL % "full.yml"),
        keep("others", CALL % "others.yml"),
        keep("own", CALL % "cabling.yml"),
        keep("other", other),
        keep("faulty", CALL % "faulty.yml"),
        keep("role", "{{ lookup('rack.recipes.cables', cabling_plan) }}"),
    ]
    ended = play(HEAD.replace("tasks:", "vars: {cabling_plan: none.yml}\n  tasks:") + "".join(tasks))
    assert ended.found["r1"]["own"] == {"e1": "spine1:e1"}
    assert ended.found["r2"]["own"] == {"e1": "spine1:e2"}
    assert ended.found["r1"]["other"] == {"e1": "r1:e1", "e2": "r2:e1"}
    assert ended.found["r1"]["full"] == {"e1": "spine1.dc:e1"}
    assert ended.found["r2"]["full"] == {}  # two devices may be meant
    assert (
        "others.yml: no host of the inventory is in the plan: it names leaf1, leaf2, the inventory r1"
        in (ended.found["r1"]["others"])
    )
    said = "faulty.yml:1:3: expected another port at the other end of r1:e1, got a cable to itself"
    assert said in ended.found["r1"]["faulty"]
    assert ended.found["r1"]["role"].endswith("got no such file; set the role's variable `cabling_plan` to its path")
