# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what it costs to ask many devices for one value each through one delegate, which is this machine.

    python tests/bench/delegates.py [DEVICES [ROUNDS]]

Three contestants ask DEVICES (1000) devices, in turns: a delegated step of this project, with recorder and store;
`ansible.builtin.uri` with `delegate_to`; and `bare`, an action of Ansible's that runs once and asks with 32 threads in
its own process, which records nothing. `uri` asks a fifth of the devices, since it takes minutes and its cost grows
with their number; its figures are for each device, as all are. A small HTTP server answers for all devices. The CPU
time is that of a command with all that it starts, without the server. Goals: a fortieth of `uri`'s time on the CPU, and
at most three times that of `bare`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MEASURE = Path(__file__).parent / "fleet" / "measuring" / "measure_command.py"
LEAST_OF_URI = 40.0
MOST_OF_BARE = 3.0
TIMEOUT = 1800  # seconds
WAYS = ("ours", "uri", "bare")
PART_OF_URI = 5
CFG = """\
[defaults]
{callbacks}
inject_facts_as_vars = false
forks = 20
[ssh_connection]
pipelining = true
"""
RECORDER = "callbacks_enabled = rack.recipes.recorder"
SERVER = """\
import http.server, json, socketserver
class Device(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"power": "On", "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_words): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    request_queue_size = 512
    daemon_threads = True
server = Server(("127.0.0.1", 0), Device)
print(server.server_port, flush=True)
server.serve_forever()
"""
SCRIPTLET = """\
import http.client
import json
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Power(Scriptlet):
    options = {"port": {"type": "int", "required": True}, "name": {"type": "str", "required": True}}

    def run(self, ctx, params):
        connection = http.client.HTTPConnection("127.0.0.1", params["port"], timeout=30)
        connection.request("GET", "/" + params["name"])
        ctx.set("device.power_v1", json.loads(connection.getresponse().read())["power"])
"""
RECIPE = {
    "test_meta": {"test_id": "POWER"},
    "hosts": "devices",
    "steps": [
        {
            "name": "power",
            "module": "scriptlets.power",
            "function": "Power",
            "args": {"port": "{{ port }}", "name": "{{ inventory_hostname }}"},
            "delegate_to": "localhost",
            "success": {"values": [{"value": "${device.power_v1}", "eq": "On"}]},
        }
    ],
}
URI = """\
- hosts: devices
  gather_facts: false
  tasks:
    - ansible.builtin.uri: {url: "http://127.0.0.1:{{ port }}/{{ inventory_hostname }}", return_content: true}
      delegate_to: localhost
      register: got
      failed_when: got.json.power != "On"
"""
BARE = """\
- hosts: devices
  gather_facts: false
  tasks:
    - power: {}
      run_once: true
"""
ACTION = """\
import http.client, json
from concurrent.futures import ThreadPoolExecutor
from ansible.plugins.action import ActionBase

def ask(device):
    name, port = device
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    connection.request("GET", "/" + name)
    return json.loads(connection.getresponse().read())["power"]

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        hosts = task_vars["hostvars"]
        devices = [(str(name), int(hosts[name]["port"])) for name in task_vars["ansible_play_hosts"]]
        with ThreadPoolExecutor(32) as pool:
            found = list(pool.map(ask, devices))
        return {"failed": found != ["On"] * len(devices), "msg": f"{len(found)} devices"}
"""


class Spent(NamedTuple):
    """Seconds, and milliseconds of CPU time for each device."""

    wall: float
    cpu: float


@contextmanager
def project(devices: int) -> Iterator[Path]:
    """A folder with everything that the contestants need, and a server that answers for the devices."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
        try:
            assert server.stdout
            port = int(server.stdout.readline())
            for way, callbacks in (("ours", RECORDER), ("uri", ""), ("bare", "")):
                own = folder / way
                own.mkdir()
                (own / "ansible.cfg").write_text(CFG.format(callbacks=callbacks))
                asked = max(1, devices // PART_OF_URI) if way == "uri" else devices
                lines = [f"device{number:05}" for number in range(asked)]
                (own / "inventory").write_text("\n".join(["[devices]", *lines, "[devices:vars]", f"port={port}", ""]))
            (folder / "ours/scriptlets").mkdir()
            (folder / "ours/scriptlets/power.py").write_text(SCRIPTLET)
            (folder / "ours/recipe.yml").write_text(json.dumps(RECIPE))
            (folder / "uri/play.yml").write_text(URI)
            (folder / "bare/play.yml").write_text(BARE)
            (folder / "bare/action_plugins").mkdir()
            (folder / "bare/action_plugins/power.py").write_text(ACTION)
            (folder / "bare/library").mkdir()
            (folder / "bare/library/power.py").write_text("")
            yield folder
        finally:
            server.kill()
            server.communicate()


def run(folder: Path, way: str, devices: int) -> Spent:
    """Run a contestant once. Raises RuntimeError where it did not end well."""
    bin_folder = Path(sys.executable).parent
    own = ("rack.recipes.run", "-e", "recipe=recipe.yml")
    words = [bin_folder / "ansible-playbook", "-i", "inventory", *(own if way == "ours" else ("play.yml",))]
    env = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_LOCALHOST_WARNING": "0"}
    told = ["--stdout", "stdout", "--stderr", "stderr", "--timeout", str(TIMEOUT)]
    done = subprocess.run(
        [sys.executable, MEASURE, *told, "--", *words], cwd=folder / way, env=env, capture_output=True, check=True
    )
    figures = json.loads(done.stdout)
    if figures["exit_code"] or figures["timed_out"]:
        said = "".join((folder / way / name).read_text() for name in ("stdout", "stderr"))
        raise RuntimeError(f"{way} ended with {figures['exit_code']}: {said[-2000:]}")
    asked = max(1, devices // PART_OF_URI) if way == "uri" else devices
    return Spent(figures["wall"], figures["cpu"] * 1000 / asked)


def compared(devices: int, rounds: int) -> dict[str, list[Spent]]:
    """The figures of each contestant, in turns, after one run of each that does not count."""
    with project(devices) as folder:
        for way in WAYS if rounds > 1 else ():
            run(folder, way, devices)
        found: dict[str, list[Spent]] = {way: [] for way in WAYS}
        for _round in range(rounds):
            for way in WAYS:
                found[way].append(run(folder, way, devices))
    return found


def cpu(found: dict[str, list[Spent]], way: str) -> float:
    """The median of a contestant's CPU time for each device, in milliseconds."""
    return statistics.median(spent.cpu for spent in found[way])


def main() -> None:
    """Measure, and print the medians and ratios."""
    devices, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "3")[len(sys.argv) - 1 :]))
    found = compared(devices, rounds)
    for way in WAYS:
        wall = statistics.median(spent.wall for spent in found[way])
        asked = max(1, devices // PART_OF_URI) if way == "uri" else devices
        print(f"{way:<5} {asked:>6} devices {wall:8.2f} s {cpu(found, way):8.1f} ms of CPU a device")
    print(f"uri / ours {cpu(found, 'uri') / cpu(found, 'ours'):.1f} (goal: at least {LEAST_OF_URI:g})")
    print(f"ours / bare {cpu(found, 'ours') / cpu(found, 'bare'):.2f} (goal: at most {MOST_OF_BARE:g})")


if __name__ == "__main__":
    main()
