# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves: rows in the store, whether or not that can be reached, packs, and compressed journals."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from call_rack_recipes import COMMAND, call, environment, rack_recipes, results, run_recipe, shell, write_recipe

NOWHERE = "mysql://rack:secret-word@127.0.0.1:1/rack"


def test_a_store_that_is_away_ends_with_5_and_flush_brings_the_results_later(steps: Path):
    recipe = write_recipe([shell("ok"), shell("fail")])
    done = run_recipe(recipe, RACK_RECIPES_DB=NOWHERE, RACK_RECIPES_STORE_TIMEOUT=2)
    assert done.code == 5
    assert done.answer["status"] == "not stored"
    assert Path(done.answer["journal"]).is_file()
    assert "rack-recipes flush" in done.stderr
    assert "secret-word" not in done.stdout + done.stderr
    run_id = done.answer["run_id"]
    assert all(b"secret-word" not in path.read_bytes() for path in Path(".rack-recipes").rglob("*") if path.is_file())
    flushed = rack_recipes("flush", run_id)
    assert (flushed.code, flushed.answer["status"]) == (0, "ok")
    assert results(run_id).verdicts() == {("ok", "localhost"): "passed", ("fail", "localhost"): "failed"}
    assert rack_recipes("flush", run_id).answer["rows"] == 0


def test_under_plain_ansible_the_exit_code_is_5_too(steps: Path):
    Path("play.yml").write_text(rack_recipes("compile", write_recipe([shell("ok")])).stdout)
    command = ("ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml")
    assert call(*command, RACK_RECIPES_DB=NOWHERE, RACK_RECIPES_STORE_TIMEOUT=2).code == 5


def test_without_the_recorder_a_stage_says_what_to_do(steps: Path):
    Path("ansible.cfg").write_text("[defaults]\n")
    Path("play.yml").write_text(rack_recipes("compile", write_recipe([shell("ok")])).stdout)
    done = call("ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml")
    assert done.code == 2
    assert "callbacks_enabled = rack.recipes.recorder" in done.stdout


def test_progress_is_drawn_on_a_terminal(steps: Path):
    recipe = write_recipe([shell("ok"), shell("fail"), shell("wait", args={"seconds": 2})])
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", COMMAND, "run", recipe]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment())
    os.close(theirs)
    drawn = b""
    while True:
        try:
            drawn += os.read(ours, 65536)
        except OSError:
            break
    assert running.wait(180) == 1
    assert b"stage 1 of 1" in drawn
    assert b"waiting for localhost" in drawn
    assert b"\x1b[K" in drawn


def test_a_question_for_a_password_stays_on_the_terminal(steps: Path):
    recipe = write_recipe([shell("ok")])
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", COMMAND, "run", recipe, "-K"]
    running = subprocess.Popen(command, env=environment(), preexec_fn=lambda: os.login_tty(theirs))  # noqa: PLW1509
    os.close(theirs)
    asked = b""
    while b"password: " not in asked:
        asked += os.read(ours, 65536)
    assert asked == b"BECOME password: "
    assert select.select([ours], [], [], 1) == ([], [], [])
    os.write(ours, b"any\n")
    with suppress(OSError):
        while os.read(ours, 65536):
            pass
    assert running.wait(180) == 0


def test_a_killed_worker_leaves_no_green_gap(steps: Path):
    """Every planned step has a row, also where the process that ran its stage was killed."""
    recipe = write_recipe([shell("kill", "killer"), shell("after", "ok")])
    done = run_recipe(recipe)
    assert done.code == 1
    verdicts = results().verdicts()
    assert set(verdicts) == {("kill", "localhost"), ("after", "localhost")}
    assert set(verdicts.values()) == {"error"}


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


def test_a_run_and_its_pack_and_how_it_is_resumed_once_it_is_compressed(steps: Path):
    write_project()
    given = ("--param", f"password={SECRETS[0]}")
    done = run_recipe("whole.yml", *given, on="inventory.json")
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

    pruned = rack_recipes("prune", "--compress", "--json").answer
    assert [run["run_id"] for run in pruned["compressed"]] == [run_id]
    assert not (RUNS / run_id / "journal.jsonl").exists()
    done = rack_recipes("run", "--resume", run_id, *given, "-i", "inventory.json")
    assert done.code == 1, done.stderr
    assert results(done.answer["run_id"]).steps["ok", "leaf1"]["source_run"] == run_id
    assert (RUNS / run_id / "journal.jsonl").exists()
    assert not (RUNS / run_id / "journal.jsonl.gz").exists()


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
