# SPDX-License-Identifier: GPL-3.0-or-later

"""A run by Ansible that is packed, compressed, and resumed."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from call_rack_recipes import call, rack_recipes, results, shell

RUNS = Path(".rack-recipes/runs")
SECRETS = ("canary-given-4711", "canary-inventory-1234")
INVENTORY = {
    "all": {
        "children": {
            "leafs": {
                "hosts": {
                    "leaf1": {
                        "ansible_connection": "local",
                        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                        "ansible_become_password": SECRETS[1],
                    }
                }
            }
        }
    }
}


def write_project() -> None:
    params = {"password": {"type": "str", "secret": True}}
    steps = [shell("ok"), shell("fail", args={"with": "${params.password}"})]
    inner = {"test_meta": {"test_id": "INNER"}, "steps": [{"success": "none", **shell("ok")}]}
    Path("parts").mkdir()
    Path("parts/inner.yml").write_text(json.dumps(inner))
    whole = [{"success": "none", **step} for step in steps]
    whole += [{"name": "part", "include": "parts/inner.yml"}]
    Path("whole.yml").write_text(json.dumps({"test_meta": {"test_id": "WHOLE"}, "params": params, "steps": whole}))
    Path("inventory.json").write_text(json.dumps(INVENTORY))


def test_a_run_and_its_pack(steps: Path):
    write_project()
    given = ("--param", f"password={SECRETS[0]}")
    done = rack_recipes("run", "whole.yml", "-i", "inventory.json", *given)
    assert done.code == 1, done.stderr
    run_id = done.answer["run_id"]
    made = rack_recipes("export", "--to", "pack", "--json")
    assert (made.code, made.answer["missing"]) == (0, {}), made.stderr
    pack = Path("pack")
    assert rack_recipes("verify", "pack").code == 0
    assert sorted(path.name for path in (pack / "recipe").rglob("*.yml")) == ["inner.yml", "whole.yml"]
    assert (pack / "recipe/parts/inner.yml").read_bytes() == Path("parts/inner.yml").read_bytes()
    compiled = rack_recipes("compile", "whole.yml").stdout
    assert (pack / "playbook.yml").read_text() == compiled
    hosts = json.loads((pack / "hosts.json").read_text())
    assert hosts == {"leaf1": {"groups": ["all", "leafs"], "ansible_connection": "local"}}
    versions = json.loads((pack / "versions.json").read_text())
    assert {*versions["programs"]} >= {"rack.recipes", "ansible-core", "python"}
    assert {*versions["scriptlets"]} == {"t.ok", "t.fail"}
    files = [path for path in pack.rglob("*") if path.is_file()]
    assert [path for path in files for secret in SECRETS if secret.encode() in path.read_bytes()] == []
    assert versions["recipe"]["digest"] == results(run_id).run["digest"]


def test_under_plain_ansible_too(steps: Path):
    write_project()
    Path("play.yml").write_text(rack_recipes("compile", "parts/inner.yml").stdout)
    done = call("ansible-playbook", "-i", "inventory.json", "play.yml")
    assert done.code == 0, done.stdout
    [folder] = RUNS.iterdir()
    begun = folder / "begun"
    assert (begun / "playbook.yml").read_bytes() == Path("play.yml").read_bytes()
    assert (begun / "recipe/parts/inner.yml").read_bytes() == Path("parts/inner.yml").read_bytes()
    digest = json.loads(rack_recipes("show", "--json").stdout)["run"]["digest"]
    assert digest == f"sha256:{sha256(Path('parts/inner.yml').read_bytes()).hexdigest()}"


def test_a_compressed_run_is_gone_on_with(steps: Path):
    write_project()
    given = ("--param", f"password={SECRETS[0]}", "-i", "inventory.json")
    first = rack_recipes("run", "whole.yml", *given).answer["run_id"]
    pruned = rack_recipes("prune", "--compress", "--json").answer
    assert [run["run_id"] for run in pruned["compressed"]] == [first]
    assert not (RUNS / first / "journal.jsonl").exists()
    done = rack_recipes("run", "--resume", first, *given)
    assert done.code == 1, done.stderr
    found = results(done.answer["run_id"])
    assert found.steps["ok", "leaf1"]["source_run"] == first
    assert (RUNS / first / "journal.jsonl").exists()
    assert not (RUNS / first / "journal.jsonl.gz").exists()
