# SPDX-License-Identifier: GPL-3.0-or-later

"""A server beside a run: who may write what, and what both see."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.server.server_process import TIMEOUT, Server, served
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


ME = pwd.getpwuid(os.getuid()).pw_name
POLICY = f"""\
rules:
  - {{users: [{ME}], may: [read, write]}}
  - {{users: [nobody], may: [read], keys: [link.*]}}
  - {{users: [daemon], may: [read, write], keys: [link.*]}}
  - {{users: ["*"], may_not: [write], keys: [link.fixed_v1]}}
"""
ASK = """\
import http.client, json, os, pwd, socket, sys
user = pwd.getpwnam(sys.argv[2])
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
found = []
for method, target, body in json.loads(sys.argv[3]):
    client = http.client.HTTPConnection("ctx")
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.connect(sys.argv[1])
    client.request(method, target, body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    found.append([answer.status, json.loads(answer.read())])
print(json.dumps(found))
"""


def asked_as(user: str, server: Server, *requests: tuple[str, str, str | None]) -> Any:
    """The answers to requests of another user."""
    words = [sys.executable, "-I", "-c", ASK, server.socket, user, json.dumps(requests)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_have_the_rights_that_the_policy_gives(project):
    (project / "policy.yml").write_text(POLICY)
    with (project / "ansible.cfg").open("a") as file:
        file.write("\n[rack_recipes]\npolicy = policy.yml\n")
    with served() as server:
        Path(server.socket).parent.chmod(0o755)
        for key in ("link.a_v1", "power_v1"):
            assert server.ask("PUT", f"/ctx/{key}", 1).status == 200
        listed, forbidden, written = asked_as(
            "nobody", server, ("GET", "/ctx", None), ("GET", "/ctx/power_v1", None), ("PUT", "/ctx/link.a_v1", "2")
        )
        assert [row["key"] for row in listed[1]["context"]] == ["link.a_v1"]
        assert forbidden[1]["detail"] == "policy.yml: nobody may not read power_v1: no rule says that they may"
        assert written[1]["detail"] == "nobody has the role viewer, PUT /ctx/{key} needs author"
        fixed, written = asked_as("daemon", server, ("PUT", "/ctx/link.fixed_v1", "2"), ("PUT", "/ctx/link.a_v1", "2"))
        assert (fixed[0], fixed[1]["detail"]) == (403, "policy.yml:5: daemon may not write link.fixed_v1")
        assert written[0] == 200
        assert server.ask("GET", "/ctx/link.a_v1/history").data["changes"][-1]["who"] == "daemon"
        assert asked_as("bin", server, ("GET", "/ctx", None))[0][1]["detail"] == "user bin may not use this socket"
        own = server.ask("PUT", "/ctx/link.fixed_v1", 1)
        assert own.data["detail"] == f"policy.yml:5: {ME} may not write link.fixed_v1", "it holds for everybody"
