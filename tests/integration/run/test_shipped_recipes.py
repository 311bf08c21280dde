# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes that we ship, on hosts that are as they should be, and on hosts that are not."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import CHECKOUT, LOCAL, Results, rack_recipes, run_recipe, write_inventory

# What this machine may not have, or be slow, busy or broken in for reasons of its own.
SKIPPED = {
    "compute": "frequency",
    "golden_host": "services,kernel_log,sensors",
    "gpu_node": "processes,clock_source,kernel_log,mounts",
}
SMALL = ("-e", "memory_mib=4", "-e", "array_mib=4", "-e", "seconds=1")
SPOILED = {"memory_pattern": {"spoil_offset": 4099}, "memory_bandwidth": {"spoil_element": 9}}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="the recipe becomes root")
UNIT = CHECKOUT / "tests/unit/scriptlets"
TREE = yaml.safe_load((UNIT / "error_trees.yml").read_text(encoding="utf-8"))["node"]
NODE = ("pci_links", "pci_errors", "memory_errors", "gpus", "gpu_settings", "free_gpus", "diagnostics")
HERE = ("kernel", "cores")
CHECKS = ("comes_up", "port", "page", "command", "files", "same_on_all")


@pytest.fixture
def scriptlets(shipped: Path) -> Path:
    """A project with the recipes, the data and the scriptlets that we ship."""
    shutil.copytree(CHECKOUT / "scriptlets", shipped / "scriptlets")
    return shipped


def run(name: str, *words: str, **known: Any) -> Results:
    """The results of a recipe on this machine, for which the inventory has these variables."""
    inventory = write_inventory({"r1": {**LOCAL, **known}})
    done = run_recipe(f"recipes/{name}.yml", "--skip", SKIPPED[name], *words, on=inventory)
    return done.results


def change(name: str, args: dict[str, dict[str, Any]]) -> None:
    """Give steps of a recipe further arguments."""
    path = Path(f"recipes/{name}.yml")
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    for step in recipe["steps"]:
        step["args"] = {**step.get("args", {}), **args.get(step["name"], {})}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")


@pytest.mark.usefixtures("scriptlets")
def test_a_healthy_host_and_one_with_spoiled_memory():
    found = run("compute", *SMALL)
    judged = ("nodes", "memory_pattern", "memory_bandwidth", "stress")
    assert verdicts(found, judged) == dict.fromkeys(judged, "passed")
    assert found.context["memory.bandwidth_v1", "r1"]["triad_mb_s"] > 0
    assert found.context["cpu.stress_v1", "r1"]["bogo_ops"] > 0
    change("compute", SPOILED)
    found = run("compute", *SMALL)
    assert {name for name in judged if found.steps[name, "r1"]["verdict"] == "failed"} == set(SPOILED)
    assert "by walking_ones at offset 4096 of 4 MiB" in found.steps["memory_pattern", "r1"]["reason"]
    assert "the first is element 9 of array b" in found.steps["memory_bandwidth", "r1"]["reason"]


@AS_ROOT
@pytest.mark.usefixtures("scriptlets")
def test_the_hardware_of_a_run_is_the_golden_one_of_the_next():
    first = run("golden_host", "-e", "serials=true", hardware_golden={})
    assert first.steps["golden", "r1"]["verdict"] == "skipped"
    golden = json.loads(rack_recipes("ctx", "export").stdout)["hosts"]["r1"]["host.hardware_v1"]
    golden["memory"]["DIMM_Z9"] = {"size_mib": 32768}
    golden["cpu"]["threads"] += 1
    found = run("golden_host", "-e", "serials=true", hardware_golden=golden)
    assert found.steps["golden", "r1"]["verdict"] == "failed"
    told = found.context["host.golden_v1", "r1"]
    names = {kind: [each["name"] for each in parts] for kind, parts in told.items()}
    assert names == {"missing": ["memory.DIMM_Z9"], "additional": [], "different": ["cpu.threads"]}
    assert "memory.DIMM_Z9 is missing: reseat the module" in found.steps["golden", "r1"]["reason"]


def verdicts(found: Results, names: tuple[str, ...]) -> dict[str, str]:
    return {name: found.steps[name, "r1"]["verdict"] for name in names}


def tool(folder: Path, name: str, fixture: str) -> None:
    """A program that prints what a tool printed once."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\nexec cat '{UNIT}/captured/{fixture}'\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@AS_ROOT
@pytest.mark.usefixtures("scriptlets")
def test_a_node_with_two_gpus(tmp_path, monkeypatch):
    release = {"kernel_settings": {"kernel.osrelease": os.uname().release}}
    root = tmp_path / "node"
    for path, text in TREE["files"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n", encoding="utf-8")
    for path, target in TREE["links"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    tool(tmp_path / "tools", "nvidia-smi", "nvidia-smi-590-v13.xml")
    tool(tmp_path / "tools", "dcgmi", "dcgmi-diag-4.6.json")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools{os.pathsep}{os.environ['PATH']}")
    change("gpu_node", {name: {"root": str(root)} for name in NODE})
    expected = {"pci_expected": {"10de:2330": {"count": 1}}, "gpu_settings": {"driver": "590.*"}}
    healthy = run("gpu_node", "-e", "gpus=2", **expected, **release)
    assert verdicts(healthy, (*NODE, *HERE)) == {**dict.fromkeys((*NODE, *HERE), "passed"), "free_gpus": "failed"}
    assert "is held by /usr/bin/python3 (4242)" in healthy.steps["free_gpus", "r1"]["reason"]
    (root / "sys/devices/system/edac/mc/mc0/dimm4/dimm_ue_count").write_text("3\n", encoding="ascii")
    unlike = {"pci_expected": {"10de:2330": {"count": 8}}, "gpu_settings": {"driver": "550.*"}}
    broken = run("gpu_node", "-e", "gpus=8", **unlike, kernel_settings={"a.b": 1})
    bad = ("kernel", "pci_links", "memory_errors", "gpus", "gpu_settings")
    assert verdicts(broken, bad) == dict.fromkeys(bad, "failed")
    assert "the kernel has no setting a.b" in broken.steps["kernel", "r1"]["reason"]
    assert "2 GPUs are seen, expected 8" in broken.steps["gpus", "r1"]["reason"]


class Pages(http.server.SimpleHTTPRequestHandler):
    """The files of a folder, and at `/who` what the client says of itself."""

    def log_message(self, *words: object) -> None:
        """Nothing on stderr."""

    def do_GET(self) -> None:
        if self.path != "/who":
            return super().do_GET()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"is": self.headers["Authorization"]}).encode())
        return None


@pytest.fixture
def port(shipped: Path) -> Iterator[int]:
    """The port of a web server that has the page `health`."""
    shipped.joinpath("health").write_text("ready\n")
    pages = functools.partial(Pages, directory=str(shipped))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def checked(port: int, **params: object) -> tuple[int, dict[str, str], str]:
    """The exit code of a run, the verdict of each step, and what it said."""
    given = {"port": port, "url": f"http://127.0.0.1:{port}/health", **params}
    words = [word for name, value in given.items() for word in ("--param", f"{name}={_text(value)}")]
    done = run_recipe("recipes/service_checks.yml", *words)
    found = {step: verdict for (step, _host), verdict in done.results.verdicts().items()}
    return done.code, found, done.stderr


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_a_healthy_service(shipped: Path, port: int):
    digest = hashlib.sha256(b"ready\n").hexdigest()
    code, found, said = checked(port, page="^ready$", digests={str(shipped / "health"): digest})
    assert (code, found) == (0, dict.fromkeys(CHECKS, "passed")), said


def test_a_broken_service(shipped: Path, port: int):
    digests = {str(shipped / "health"): "0" * 64}
    code, found, said = checked(port, page="^done$", digests=digests, command=["sh", "-c", "echo no room; exit 3"])
    failed = dict.fromkeys(("page", "command", "files"), "failed")
    assert (code, found) == (1, {"comes_up": "passed", "port": "passed", **failed, "same_on_all": "blocked"})
    for reason in ("/health does not answer with '^done$'", "exit code 0: no room", "health has another content"):
        assert reason in said


def test_secrets_that_a_service_repeats_are_masked(shipped: Path, port: int):
    asked = {"module": "scriptlets.generic.http_check"}
    args = {"url": f"http://127.0.0.1:{port}/who", "json": "is"}
    given = {"token": {"token": "very-secret"}, "password": {"user": "joe", "password": "very-secret"}}
    steps = [{**asked, "name": name, "args": {**args, **own, "equals": "x"}} for name, own in given.items()]
    shipped.joinpath("who.yml").write_text(json.dumps({"test_meta": {"test_id": "WHO-1"}, "steps": steps}))
    done = run_recipe("who.yml")
    found = done.results
    assert found.verdicts() == {("token", "localhost"): "failed", ("password", "localhost"): "failed"}
    assert "has is 'Bearer ********', expected 'x'" in done.stderr
    hidden = (b"very-secret", base64.b64encode(b"joe:very-secret"))
    kept = [path for path in shipped.joinpath(".rack-recipes").rglob("*") if path.is_file()]
    kept = [path for path in kept if path.parent.name != "compiled"]  # a secret stands there as in the recipe
    assert {"journal.jsonl", "results.db"} <= {path.name for path in kept}
    assert not [path for path in kept if any(word in path.read_bytes() for word in hidden)]
