# SPDX-License-Identifier: GPL-3.0-or-later

"""One run on two controllers by one command: this machine under two other HOMEs, over real ssh, or over a real mesh.

A controller is killed, its part is resumed on the other one, and all is stopped at once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from ansible_runner.utils.streaming import unstream_dir

from call_rack_recipes import COMMAND, Done, environment, rack_recipes
from controller_process import PATIENCE, running, wait_for
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.processes import RUN_ID
from rack_recipes.run.run_folders import MIRROR

CASES = Path(__file__).parent / "cases"
RECEPTORCTL = str(Path(sys.prefix, "receptor", "bin", "receptorctl"))
HOSTS = ("r01", "r02", "r03", "r04", "r05", "r06")
RUNS = Path(".rack-recipes/runs")
PATHS = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"
WAYS = ("ssh", pytest.param("receptor", marks=pytest.mark.skipif(not shutil.which("receptor"), reason="no receptor")))


@pytest.fixture
def across(project: Path, rack: Any) -> Iterator[Path]:
    """A project with a recipe whose step `look` hangs on some hosts, and two controllers: the hosts r07 and r08."""
    for name in ("parts", "across"):
        shutil.copytree(CASES / name, project, dirs_exist_ok=True)
    text = rack.inventory.read_text()
    given = yaml.safe_load(text)["all"]["children"]["rack"]
    login = f"{given['vars']['ansible_ssh_common_args']} -i {given['vars']['ansible_ssh_private_key_file']}"
    controllers = []
    for name, host in (("north", given["hosts"]["r07"]), ("south", given["hosts"]["r08"])):
        reach = f"ssh {login} -p {host['ansible_port']} {host['ansible_host']}"
        keeping = f"tee {project}/{name}.sent '|' {PATHS} {RUNNER}"  # a pipe of the shell there
        controllers.append({"name": name, "command": f"{reach} {keeping}"})
    write_controllers(controllers)
    Path("host_vars").mkdir()
    for host in HOSTS:
        Path("host_vars", f"{host}.yml").write_text(f"own: secret of {host}\n")
    (project / "inventory.yml").write_text(text)
    yield project
    for host in HOSTS:
        Path(rack.folder, host, "hang").unlink(missing_ok=True)


RUNNER = "ansible-runner worker"


def write_controllers(controllers: list[dict[str, str]]) -> None:
    """Write the file of controllers."""
    Path("controllers.yml").write_text(yaml.safe_dump({"controllers": controllers}))


def hang(rack: Any, *hosts: str) -> None:
    """The step `look` goes on on these hosts."""
    for host in hosts:
        Path(rack.folder, host, "hang").touch()


COMMON = ("-i", "inventory.yml", "--across", "controllers.yml", "--group", "night", "--json")


class Started:
    """The command, as it goes on."""

    def __init__(self, *more: str) -> None:
        words = [sys.executable, "-c", COMMAND, "run", "recipe.yml", *COMMON, *more]
        with Path("stdout").open("wb") as out, Path("stderr").open("wb") as err:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment())

    def wait_until(self, look: int) -> None:
        """Until this machine knows that the step `look` has passed on so many hosts."""
        wait_for(f"look on {look} hosts", lambda: self.process.poll() is not None or len(passed("look")) == look)
        wait_for("step trace", lambda: self.process.poll() is not None or len(passed("trace")) == len(HOSTS))
        assert self.process.poll() is None, self.ended().stderr

    def ended(self) -> Done:
        """How it ended."""
        code = self.process.wait(PATIENCE)
        return Done(code, Path("stdout").read_text(), Path("stderr").read_text())


def passed(step: str) -> list[str]:
    """The hosts on which a step has passed, as the journals here say."""
    found = (record for path in RUNS.glob("*/journal.jsonl") for record in JournalReader(path).records("step"))
    return [record["host"] for record in found if record["step"] == step and record["verdict"] == "passed"]


def kill_controller(run_id: str) -> None:
    """Kill Ansible and ansible-runner of a part, all at once."""
    mark = f"{RUN_ID}={run_id}".encode()
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    of_part = [pid for pid in pids if mark in read(pid, "environ")]
    parents = {int(read(pid, "stat").rpartition(b")")[2].split()[1]) for pid in of_part}
    workers = [pid for pid in parents if b"ansible-runner" in read(pid, "cmdline")]
    assert workers
    for pid in (*workers, *of_part):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def variables_sent(controller: str) -> tuple[str, ...]:
    """The hosts of whose variables a controller has got files with its part."""
    with Path(f"{controller}.sent").open("rb") as sent:
        size = next(found["zipfile"] for found in map(json.loads, sent) if "zipfile" in found)
        unstream_dir(sent, size, controller)
    return tuple(sorted(path.stem for path in Path(controller, "project", "host_vars").iterdir()))


def read(pid: int, name: str) -> bytes:
    """What the kernel says of a process."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b"() 0 0"


def test_a_killed_controller_is_named_and_its_part_goes_on_elsewhere(across: Path, rack: Any):
    planned = rack_recipes("run", "recipe.yml", *COMMON, "--dry-run").answer["parts"]
    assert {one["controller"]: one["hosts"] for one in planned} == {
        "north": ["r01", "r02", "r03"],
        "south": ["r04", "r05", "r06"],
    }
    hang(rack, "r04", "r03")
    started = Started("-e", "rack_recipes_reconnect_timeout=20")
    started.wait_until(look=4)
    watching = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", "night", "--json"],
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    part = next(path for path in RUNS.iterdir() if "r04" in (path / "journal.jsonl").read_text())
    assert (part / MIRROR).exists()
    kill_controller(part.name)
    (rack.folder / "r03" / "hang").unlink()
    done = started.ended()
    assert done.code == 1, done.stderr
    assert "run night has begun on 2 controllers\n" in done.stderr
    assert {name: variables_sent(name) for name in ("north", "south")} == {"north": HOSTS[:3], "south": HOSTS[3:]}
    assert {one["part"]: one["state"] for one in done.answer["parts"]} == {"north": "passed", "south": "died"}
    assert "controller south: its ansible-runner or the connection to it has ended" in done.stderr
    resume = f"--resume {part.name} --group night --across controllers.yml --on NAME"
    assert f"south: to go on from here: rack-recipes run -i inventory.yml {resume}" in done.stderr
    assert watching.wait(60) == 1, watching.communicate()
    watching.communicate()
    assert [path.name for path in RUNS.glob("*/begun/playbook.yml")] == ["playbook.yml"]  # of north alone

    (rack.folder / "r04" / "hang").unlink()
    words = resume.replace("NAME", "north").replace("--group night ", "").split()  # it is that of the part
    planned = rack_recipes("run", *words, "-i", "inventory.yml", "--json", "--dry-run").answer
    assert planned["preview"]["hosts"] == ["r04", "r05", "r06"]
    again = rack_recipes("run", *words, "-i", "inventory.yml", "--json", "--report")
    assert again.code == 0, again.stderr
    assert again.answer["counts"] == {"passed": 12}
    assert [one["name"] for one in again.answer["controllers"]] == ["north"]
    assert again.answer["controllers"][0]["hosts"] == 3
    shown = rack_recipes("show", "night", "--json").answer
    reused = [row["host"] for row in shown["steps"] if "reused from" in (row["reason"] or "")]
    assert {host: reused.count(host) for host in ("r05", "r06")} == {"r05": 2, "r06": 2}
    assert "r04" in reused
    assert len([*RUNS.glob("*/artifacts/*")]) == 2  # of north, and of what went on there
    assert Path(again.answer["report"][0]).exists()


@pytest.mark.parametrize("way", WAYS)
def test_all_parts_are_stopped_by_one_signal(across: Path, rack: Any, way: str, tmp_path_factory: Any):
    hang(rack, "r01", "r06")
    with ExitStack() as stack:
        if way == "receptor":
            stack.enter_context(Mesh(tmp_path_factory.mktemp("mesh")))
        started = Started()
        stack.callback(started.process.kill)
        started.wait_until(look=4)
        if way == "ssh":
            started.process.send_signal(signal.SIGINT)
        else:
            stopped = rack_recipes("stop", "night", "--json")
            assert len(stopped.answer["parts"]) == 2, stopped.stderr
        done = started.ended()
    assert done.code == 128 + (signal.SIGINT if way == "ssh" else signal.SIGTERM), done.stderr
    assert {one["part"]: one["state"] for one in done.answer["parts"]} == dict.fromkeys(
        ["north", "south"], "interrupted"
    )
    assert done.answer["counts"] == {"error": 2, "passed": 10}
    assert [len([*JournalReader(path).records("end")]) for path in RUNS.glob("*/journal.jsonl")] == [1, 1]
    assert not [*RUNS.glob(f"*/{MIRROR}")]
    assert not running("/bin/sh look.sh")


class Mesh:
    """A mesh of three receptor nodes: a hub, and a node for each controller, named as the controllers are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        hub = folder / "hub.sock"
        port = free_port()
        listener, peer = {"port": port, "bindaddr": "127.0.0.1"}, {"address": f"127.0.0.1:{port}"}
        work = {"work-command": {"worktype": "ansible-runner", "command": "ansible-runner", "params": "worker"}}
        self._nodes = {
            "hub": [{"tcp-listener": listener}],
            "north": [{"tcp-peer": peer}, work],
            "south": [{"tcp-peer": peer}, work],
        }
        submit = f"{RECEPTORCTL} --socket {hub} work submit --payload - --follow --rm"
        write_controllers(
            [{"name": name, "command": f"{submit} --node {name} ansible-runner"} for name in ("north", "south")]
        )

    def __enter__(self) -> Self:
        for name, parts in self._nodes.items():
            folder = self._folder / name
            folder.mkdir()
            config = self._folder / f"{name}.yml"
            node = {"id": name, "datadir": str(folder)}
            control = {"service": "control", "filename": str(self._folder / f"{name}.sock")}
            config.write_text(yaml.safe_dump([{"node": node}, {"control-service": control}, *parts]))
            with (self._folder / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(["receptor", "-c", config], stdout=log, stderr=log, env=environment())
            self._stack.callback(process.wait)
            self._stack.callback(process.terminate)
        ask = [RECEPTORCTL, "--socket", str(self._folder / "hub.sock"), "status"]
        routes = [re.compile(rf"^{name}\s+{name}$", re.MULTILINE) for name in ("north", "south")]
        wait_for("ways to both nodes", lambda: all(map(re.search, routes, 2 * [said(ask)])), 60)
        return self

    def __exit__(self, *_about: object) -> None:
        self._stack.close()


def said(words: list[str]) -> str:
    """What a command prints."""
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment()).stdout


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
