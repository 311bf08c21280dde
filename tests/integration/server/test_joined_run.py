# SPDX-License-Identifier: GPL-3.0-or-later

"""A server joins a run of a recipe that goes on: each reads what the other one has written."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.rack.recipes.tests.integration.server.server_process import TIMEOUT, served
from call_rack_recipes import COMMAND, environment, rack_recipes

WAITS = """\
touch "$RACK_PARAM_FOLDER/started"
until [ -e "$RACK_PARAM_FOLDER/go" ]; do sleep 0.1; done
echo '{"status": "ok", "outputs": []}'
"""
TELLS = """\
printf '{"status": "ok", "outputs": {"t.seen_v1": %s}}' "$RACK_PARAM_LIMIT"
"""


def write_project(folder: Path) -> None:
    scriptlets = folder / "scriptlets" / "t"
    scriptlets.mkdir(parents=True)
    (scriptlets / "waits.sh").write_text(WAITS)
    (scriptlets / "waits.yml").write_text("description: Waits\noptions: {folder: {type: path, required: true}}\n")
    (scriptlets / "tells.sh").write_text(TELLS)
    (scriptlets / "tells.yml").write_text(
        "description: Tells\noptions: {limit: {type: int, required: true}}\nwrites: [t.seen_v1]\n"
    )
    steps = [
        {"name": "waits", "type": "shell", "module": "t.waits", "args": {"folder": str(folder)}, "success": "none"},
        {
            "name": "tells",
            "type": "shell",
            "module": "t.tells",
            "args": {"limit": "${live.limit_v1}"},
            "scope": "run",
            "depends_on": ["waits"],
            "success": {"ctx_has_keys": ["t.seen_v1"]},
        },
    ]
    (folder / "live.yml").write_text(json.dumps({"test_meta": {"test_id": "T-1"}, "steps": steps}))


def test_a_client_and_a_run_share_one_context(project):
    write_project(project)
    line = [sys.executable, "-c", COMMAND, "run", "live.yml", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True) as run:
        until = time.monotonic() + TIMEOUT
        while not (project / "started").exists():
            assert time.monotonic() < until
            assert run.poll() is None, run.communicate()
            time.sleep(0.05)
        name = next((project / ".rack-recipes" / "runs").iterdir()).name
        with served("--run", name) as server:
            assert server.ask("PUT", "/ctx/live.limit_v1", 400).data["version"] == 1
            (project / "go").touch()
            assert server.ask("GET", f"/ctx/t.seen_v1?wait={TIMEOUT}").data["value"] == 400
            printed, _log = run.communicate(timeout=TIMEOUT)
            refused = server.ask("PUT", "/ctx/live.limit_v1", 100)
            assert (refused.status, refused.data["detail"]) == (403, f"run {name} is over")
    assert (run.returncode, json.loads(printed)["ctx_keys"]) == (0, ["live.limit_v1", "t.seen_v1"])
    found = rack_recipes("ctx", "show", "--json").answer["context"]
    assert {entry["key"]: entry["value"] for entry in found} == {"live.limit_v1": 400, "t.seen_v1": 400}
