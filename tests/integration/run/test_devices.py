# SPDX-License-Identifier: GPL-3.0-or-later

"""Things without Python: switches with a command line, devices that SSH hosts ask, and BMCs behind their servers.

The collection test.net stands for those of the vendors, which are large: its connection is a persistent one of
Ansible's that talks to a real sshd, and its modules answer in the shapes that the vendors' modules do.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from bmc_simulators import BmcSimulators

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import no_sandbox
from call_rack_recipes import CHECKOUT, Done, rack_recipes, results, run_recipe, write_recipe

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
    cli("unknown", "show nonsense", hosts="sw1"),
    cli("masked", "show secret", hosts="sw1"),
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
    return run_recipe(recipe, *options, "-e", f"password={SECRET}", on="inventory.yml", **env)


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
        ("version", "sw2"): away,
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


DEVICES = ("bmc1", "bmc2", "bmc3")
JUMP = {"bmc1": "r01", "bmc2": "r01", "bmc3": "r02"}
UNDEFINED = "'gone' is undefined"


@pytest.fixture
def delegates(steps: Path) -> Path:
    """A project with the recipe and the inventory of these tests."""
    shutil.copytree(Path(__file__).parent / "cases" / "delegates", steps, dirs_exist_ok=True)
    return steps


def run_through(recipe: str, rack: Any, *options: object, **env: object) -> Done:
    return run_recipe(recipe, "-i", "inventory.yml", *options, on=rack, **env)


def write(*steps: dict[str, Any], name: str = "recipe.yml", **recipe: Any) -> str:
    visit = {"name": "visit", "type": "shell", "module": "t.visit", "delegate_to": "r01"}
    visit["success"] = {"ctx_has_keys": ["t.seen_v1"]}
    made = {"test_meta": {"test_id": "T-1"}, "hosts": "devices", **recipe}
    Path(name).write_text(json.dumps({**made, "steps": [{**visit, **step} for step in steps or ({},)]}))
    return name


@pytest.mark.skipif(bool(no_sandbox()), reason=no_sandbox())
def test_everything_that_a_delegated_step_can_do(delegates: Path, rack: Any):
    done = run_through("everything.yml", rack, "--report")
    assert done.code == 1, done.stderr
    found = results()
    for device in DEVICES:
        own = {step: row for (step, host), row in found.steps.items() if host == device}
        said = {step: (row["verdict"], row["through"], row["reason"]) for step, row in own.items()}
        jump = JUMP[device]
        passed = ("passed", jump, "")
        assert said.pop("a_group")[:2] == ("error", f"jump_{'b' if device == 'bmc3' else 'a'}")
        verdict, through, reason = said.pop("undefined")
        assert (verdict, through) == ("error", None)
        assert UNDEFINED in reason
        assert said == {
            **dict.fromkeys(("visit", "loop", "loop[1]", "loop[2]", "sandboxed", "closing", "one_at_a_time"), passed),
            **({"some": passed} if device == "bmc3" else {}),
            "left_out": ("skipped", None, "when: false"),
            "flaky": ("marginal", "r02", "passed only at try 3, before it failed: not yet (2 times)"),
            "slow": ("error", "r02", "timed out after 1 s (through r02)"),
            "bad": ("failed", "r02", "the link is down (through r02)"),
            "after_bad": ("blocked", None, "bad did not pass (failed)"),
            "module": ("passed", "r01", ""),
            "module_fails": ("failed", "r01", "no (through r01)"),
            "after_undefined": ("blocked", None, "undefined did not pass (error)"),
            "here": ("passed", "localhost", ""),
        }
        assert found.context["t.command_v1", device]["stdout"] == "r01"
        assert "********" in own["visit"]["stderr"]
    assert (found.steps["once", ""]["verdict"], found.steps["once", ""]["through"]) == ("passed", "r02")
    assert found.context["t.seen_v1", ""]["from"] == "r02"
    assert ("visit", "bmc1", "temperature", 21.5, "C") in found.measurements
    first, second = sorted(found.context["t.span_v1", device] for device in ("bmc1", "bmc2"))
    assert first[1] <= second[0]
    kept = [row for row in json.loads(rack_recipes("show", "--json").stdout)["artifacts"] if row["step"] == "visit"]
    assert [(row["host"], bool(row["path"])) for row in kept] == [(device, True) for device in DEVICES]
    files = [path.read_bytes() for path in Path(".rack-recipes").rglob("*") if path.is_file()]
    assert not any(b"password-of-the-devices" in data for data in files)
    assert {Path(path).suffix for path in done.answer["report"]} >= {".html", ".xlsx"}
    [verdicts] = Path(".rack-recipes").rglob("verdicts.csv")
    assert verdicts.read_text(encoding="utf-8-sig").startswith("host,through,step,verdict,")


def test_a_delegate_that_is_down_is_named_and_its_devices_go_on_later(delegates: Path, rack: Any):
    recipe = write({"delegate_to": "{{ groups['jump_' ~ site] | first }}"})
    rack.kill("r02")
    try:
        done = run_through(recipe, rack)
    finally:
        rack.revive("r02")
    assert (done.code, done.answer["status"]) == (3, "unreachable")
    found = results()
    assert found.verdicts() == {("visit", host): "unreachable" if host == "bmc3" else "passed" for host in DEVICES}
    assert "Connection refused" in found.steps["visit", "bmc3"]["reason"]
    assert found.steps["visit", "bmc3"]["reason"].endswith(" (through r02)")
    assert run_through(recipe, rack, "--resume", "last").code == 0
    again = results()
    assert [again.steps["visit", host]["source_run"] for host in DEVICES] == [found.run["run_id"]] * 2 + [None]
    assert [again.steps["visit", host]["through"] for host in DEVICES] == ["r01", "r01", "r02"]


def test_a_result_is_used_again_only_through_the_same_host(delegates: Path, rack: Any):
    """What a device is asked is its own, and a limit leaves the delegate alone."""
    recipe = write({"args": {"address": "{{ address }}"}, "cache_key": "seen", "delegate_to": "{{ jump }}"})
    found = []
    for jump in ("r01", "r02", "r01"):
        assert run_through(recipe, rack, "--limit", "bmc1", "--", "-e", f"jump={jump}").code == 0
        found.append(results().steps["visit", "bmc1"])
    assert [(row["verdict"], row["through"]) for row in found] == [
        ("passed", "r01"),
        ("passed", "r02"),
        ("cached", "r01"),
    ]
    assert results().context == {("t.seen_v1", "bmc1"): {"address": "192.0.2.1", "from": "r01"}}


@pytest.mark.skipif(bool(os.geteuid()), reason="becomes another user, which only root may without a password")
def test_a_step_becomes_the_user_of_the_recipe_and_not_that_of_the_device_s_variables(delegates: Path, rack: Any):
    shutil.copytree(
        CHECKOUT / "tests" / "integration" / "cases" / "scriptlets" / "s",
        delegates / "scriptlets" / "s",
    )
    success = {"values": [{"value": "${s.who_v1}", "eq": "nobody"}]}
    recipe = write({"module": "s.who", "become": "nobody", "success": success})
    done = run_through(recipe, rack, "--limit", "bmc1", "-e", "ansible_python_interpreter=/usr/bin/python3")
    assert done.code == 0, done.stderr


def test_a_canary_batches_only_and_check_mode(delegates: Path, rack: Any):
    recipe = write(
        {"delegate_to": "{{ groups['jump_' ~ site] | first }}"},
        {"name": "other", "delegate_to": "{{ gone }}"},
        canary={"count": 1},
        serial=[1],
    )
    assert run_through(recipe, rack).code == 1
    found = results()
    assert found.steps["other", "bmc1"]["verdict"] == "error"
    assert {place: row["verdict"] for place, row in found.steps.items() if place[0] == "visit"} == {
        ("visit", "bmc1"): "passed",
        ("visit", "bmc2"): "blocked",
        ("visit", "bmc3"): "blocked",
    }
    checked = run_through(recipe, rack, "--only", "visit", "--check")
    assert checked.answer["status"] == "rehearsed", checked.stdout


BMCS = ("bmc01", "bmc02", "bmc03")
SERVERS = ("r01", "r02", "r03")


@pytest.fixture(scope="module")
def bmcs() -> Iterator[BmcSimulators]:
    """BMCs of which no test changes anything."""
    with BmcSimulators(len(BMCS)) as started:
        yield started


@pytest.fixture
def servers(steps: Path, rack: Any, bmcs: BmcSimulators) -> Path:
    """A project with the recipe, and with the inventory of the servers and of their BMCs."""
    shutil.copytree(CHECKOUT / "tests/integration/run/cases/bmcs", steps, dirs_exist_ok=True)
    hosts = {bmc: {"redfish": bmcs.url(bmc), "server": server} for bmc, server in zip(BMCS, SERVERS, strict=True)}
    groups = {"bmcs": {"hosts": hosts}, "servers": {"hosts": dict.fromkeys(SERVERS)}}
    (steps / "bmcs.yml").write_text(json.dumps(groups))
    return steps


def test_in_one_run_and_one_report(servers: Path, rack: Any):
    done = run_recipe("recipe.yml", "-i", "bmcs.yml", "--report", on=rack)
    assert done.code == 0, done.stdout + done.stderr
    found = results()
    assert found.verdicts() == {
        **{("server", server): "passed" for server in SERVERS},
        **{("system", bmc): "passed" for bmc in BMCS},
        ("all_on", ""): "passed",
    }
    through = {bmc: found.steps["system", bmc]["through"] for bmc in BMCS}
    assert through == dict(zip(BMCS, SERVERS, strict=True))
    assert found.context["bmc.count_v1", ""] == len(BMCS)
    text = next(Path(path) for path in done.answer["report"] if path.endswith(".html")).read_text()
    assert all(name in text for name in (*BMCS, *SERVERS))
