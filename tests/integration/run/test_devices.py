# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories of devices that have no Python: a switch with a command line, a BMC with an address on the web.

The collection test.net stands for those of the vendors, which are large: its connection is a persistent one of
Ansible's that talks to a real sshd, and its modules answer in the shapes that the vendors' modules do.
"""

from __future__ import annotations

import json
import shutil
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import Done, rack_recipes, results, write_recipe

CASES = Path(__file__).parent / "cases" / "devices"
SECRET = "s3cret-word"
NO_PROGRAMS = (
    "the connection test.net.cli starts no programs on a device, so this step would run on the controller: "
    "name a host that runs it (delegate_to: HOST), or use a module of Ansible's (type: ansible)"
)
RULES = """\
errors:
  - {modules: [test.net.cli_command], at: stdout, text: '1\\.2'}
no_errors:
  - {modules: [test.net.redfish_info], at: redfish_facts.firmware, fields: {ret: false}}
"""


class Bmc(BaseHTTPRequestHandler):
    """A BMC that has one system and no firmware inventory."""

    def do_GET(self) -> None:
        found = self.path == "/redfish/v1/Systems"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"PowerState": "On"}).encode())

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def bmc() -> Iterator[str]:
    """The address of a BMC."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Bmc) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def closed() -> Iterator[int]:
    """A port at which nobody listens."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler, bind_and_activate=False) as server:
        server.server_bind()
        yield server.server_address[1]


@pytest.fixture
def devices(project: Path, rack: Any, bmc: str, closed: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose inventory has two switches and two BMCs; the second of each is away."""
    shutil.copytree(CASES / "net", project / "collections/ansible_collections/test/net")
    shutil.copytree(CASES / "scriptlets", project / "scriptlets")
    host = rack.members["r01"]
    shutil.copy(CASES / "cli", rack.folder / "r01" / "cli")
    common = {"ansible_host": host.address, "ansible_ssh_private_key_file": str(rack.folder / "id")}
    switches = {"sw1": {"ansible_port": host.port}, "sw2": {"ansible_port": closed}}
    bmcs = {"b1": {"url": bmc}, "b2": {"url": f"http://127.0.0.1:{closed}"}}
    inventory = {
        "switches": {"hosts": switches, "vars": {"ansible_connection": "test.net.cli", **common}},
        "bmcs": {"hosts": bmcs},
    }
    (project / "inventory.yml").write_text(yaml.safe_dump(inventory))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(project / "collections"))
    monkeypatch.setenv("STARTED", str(project / "started"))
    return project


def cli(name: str, command: str, **fields: Any) -> dict[str, Any]:
    args = {"command": command}
    return {
        "name": name,
        "type": "ansible",
        "hosts": "switches",
        "module": "test.net.cli_command",
        "args": args,
        **fields,
    }


def redfish(name: str, resource: str, **fields: Any) -> dict[str, Any]:
    args = {"url": "{{ url }}", "resource": resource}
    module = {"type": "ansible", "hosts": "bmcs", "module": "test.net.redfish_info", "args": args}
    return {"name": name, "delegate_to": "localhost", **module, **fields}


STEPS = [
    cli("version", "show version", writes=["sw.version_v1"]),
    cli("unknown", "show nonsense"),
    cli("masked", "show secret"),
    redfish("systems", "Systems", success={"values": [{"value": "${bmc.v_v1.redfish_facts.systems.ret}", "eq": True}]})
    | {"writes": ["bmc.v_v1"]},
    redfish("firmware", "Firmware", retry={"max": 2, "delay_sec": 0, "on": ["error"]}),
    {"name": "where", "type": "shell", "module": "where", "hosts": "sw1"},
    {"name": "where_to", "type": "shell", "module": "where", "hosts": "sw1", "when": False},
]
AWAY = "ssh connection failed: ssh connect failed: ssh: connect to host {0} port {1}: Connection refused"


def run(*steps: dict[str, Any], options: tuple[str, ...] = (), **env: object) -> Done:
    recipe = Path(write_recipe(steps))
    about = {"params": {"password": {"type": "str", "secret": True}}}
    recipe.write_text(json.dumps({**json.loads(recipe.read_text()), **about}))
    return rack_recipes("run", recipe, "-i", "inventory.yml", *options, "-e", f"password={SECRET}", **env)


def test_what_is_said_of_devices(devices: Path, rack: Any, closed: int):
    done = run(*STEPS)
    assert done.code == 1, done.stderr
    found = results(done.answer["run_id"])
    away = ("unreachable", AWAY.format(rack.members["r01"].address, closed))
    refused = "URL Error on GET request to 'http://127.0.0.1:{0}/redfish/v1/{1}': '[Errno 111] Connection refused'"
    verdicts = {place: (row["verdict"], row["reason"].partition(" (through")[0]) for place, row in found.steps.items()}
    missing = verdicts.pop(("firmware", "b1"))
    assert missing[0] == "failed"
    assert missing[1].startswith("redfish_facts.firmware: HTTP Error 404 on GET request to")
    assert verdicts == {
        ("version", "sw1"): ("passed", ""),
        ("unknown", "sw1"): ("failed", "stdout: % Unknown command: show nonsense"),
        ("masked", "sw1"): ("failed", "stdout: % Invalid input: ********"),
        **{(name, "sw2"): away for name in ("version", "unknown", "masked")},
        ("systems", "b1"): ("passed", ""),
        ("systems", "b2"): ("unreachable", refused.format(closed, "Systems")),
        ("firmware", "b2"): ("unreachable", refused.format(closed, "Firmware")),
        ("where", "sw1"): ("error", NO_PROGRAMS),
        ("where_to", "sw1"): ("skipped", "when: false"),
    }
    assert not Path("started").exists()
    assert len(found.steps["firmware", "b2"]["attempts"]) == 2  # what was away is tried again, whatever `on` says
    assert len(found.steps["firmware", "b1"]["attempts"]) == 1
    assert not any(SECRET in path.read_text(errors="replace") for path in Path(".rack-recipes/runs").rglob("*.jsonl"))


def test_a_run_in_which_devices_are_away_ends_with_the_code_for_that(devices: Path):
    assert run(cli("version", "show version"), redfish("systems", "Systems")).code == 3


def test_a_switch_whose_session_ended_before_the_command_is_tried_again(devices: Path):
    late = cli("late", "show version", hosts="sw1", retry={"max": 2, "delay_sec": 0, "on": ["error"]})
    late["args"]["late_sec"] = 2.5
    done = run(late, options=("-e", "ansible_connect_timeout=1"))
    row = results(done.answer["run_id"]).steps["late", "sw1"]
    assert (done.code, row["verdict"], len(row["attempts"])) == (3, "unreachable", 2)
    assert row["reason"].startswith("socket path ")


def test_a_project_has_rules_of_its_own(devices: Path):
    Path("answers.yml").write_text(RULES)
    steps = (cli("version", "show version", hosts="sw1"), redfish("firmware", "Firmware", hosts="b1"))
    done = run(*steps, RACK_RECIPES_MODULE_ERRORS="answers.yml")
    found = results(done.answer["run_id"]).steps
    assert (found["version", "sw1"]["verdict"], found["version", "sw1"]["reason"]) == (
        "failed",
        "stdout: Switch OS 1.2",
    )
    assert found["firmware", "b1"]["verdict"] == "passed"


def test_a_mistake_in_these_rules_is_told_before_anything_is_run(devices: Path):
    Path("answers.yml").write_text("errors: [{module: [test.net.*], text: a}]")
    done = run(cli("version", "show version"), RACK_RECIPES_MODULE_ERRORS="answers.yml")
    assert done.code == 2
    assert "answers.yml:1:11: expected one of modules, at, text, fields, reason, says, got 'module'" in done.stderr
    assert [*Path(".rack-recipes/runs").glob("*/journal.jsonl")] == []
