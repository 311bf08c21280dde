# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of a group that meet at a context server: what needs all hosts is judged as in a run with one controller."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

import pytest

from ansible_collections.rack.recipes.tests.integration.server.certificates import Authority
from ansible_collections.rack.recipes.tests.integration.server.network_client import new_token
from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, served
from call_rack_recipes import Done, rack_recipes, run_recipe
from controller_process import Controller, wait_for

CASES = Path(__file__).parent / "cases" / "group_at_server"
SLICES = {"a": "h1,h2", "b": "h3,h4"}
PATIENCE = 600.0  # seconds, for a machine that does other things, too
LEASE = 8  # seconds after which a part that is killed counts as dead


@pytest.fixture
def hall(project: Path) -> Path:
    """A hall with four hosts, which are all this machine."""
    shutil.copytree(CASES, project, dirs_exist_ok=True)
    return project


class Group:
    """The parts of a group, each with a controller of its own, and one store."""

    def __init__(self, name: str, server: Server, recipe: str = "recipe.yml", **env: object) -> None:
        self.name = name
        self.recipe = recipe
        self.server = server
        self._env = {"RACK_RECIPES_DB": f"sqlite:///{Path.cwd()}/results.db", **env}
        self.parts: dict[str, Controller] = {}

    def words(self, hosts: str, parts: int = 2) -> list[str]:
        """The options of a part."""
        group = ["--group", self.name, "--parts", str(parts), "--server", self.server.socket]
        return ["-i", "inventory.yml", "--limit", hosts, "--param", f"folder={Path.cwd()}", *group, "--json"]

    def start(self, name: str, hosts: str, way: str = "rack-recipes") -> Controller:
        """Start a part."""
        words = self.words(hosts)
        if way == "ansible-playbook":
            told = {"group": self.name, "parts": 2, "server": self.server.socket}
            extra = [f"rack_recipes_{key}={value}" for key, value in told.items()]
            words = ["-i", "inventory.yml", "--limit", hosts, "-e", f"folder={Path.cwd()}", *_each("-e", extra)]
        self.parts[name] = Controller.start(name, way, self.recipe, None, (), *words, **self._env)
        return self.parts[name]

    def run(self, hosts: str, **more: Any) -> Done:
        """Run a part to its end."""
        return run_recipe(self.recipe, *self.words(hosts, **more), **self._env)

    def show(self) -> dict[str, Any]:
        """The results of the group."""
        found = rack_recipes("show", self.name, "--json", **self._env)
        assert found.code == 0, found.stderr
        return dict(found.answer)

    def started_totals(self) -> list[str]:
        """A line for each time that the step of the run was started."""
        path = Path("totals")
        return path.read_text().splitlines() if path.exists() else []

    def runner(self) -> Controller:
        """The part that runs stage 3 for all."""
        place = self.server.ask("GET", f"/ctx/group.runner_v1?host={self.name}/stage%203").data["value"]
        name = self.server.ask("GET", f"/ctx/group.member_v1?host={self.name}/{place}").data["value"]["name"]
        return next(part for part in self.parts.values() if part.run_id == name)


def _each(option: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def code_of(part: Controller) -> int:
    """The exit code of a part. Nothing of it is left."""
    code = part.child.wait(PATIENCE)
    wait_for("the end of all processes", lambda: not part.processes(), PATIENCE)
    return code


def kill(part: Controller) -> None:
    """End all processes of a part at once, as when its machine dies."""
    stopped = set[int]()
    while new := {*part.processes()} - stopped:  # a process may start another one before it is stopped, or end
        _tell(new, signal.SIGSTOP)
        stopped |= new
    _tell(stopped, signal.SIGKILL)
    part.child.wait(PATIENCE)


def _tell(processes: Iterable[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.usefixtures("hall")
@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("ways", [("rack-recipes", "ansible-playbook"), ("rack-recipes", "rack-recipes")])
def test_two_parts_are_judged_as_one_run(server: Server, ways: tuple[str, str]):
    group = Group(f"whole-{ways[1]}", server)
    for (name, hosts), way in zip(SLICES.items(), ways, strict=True):
        group.start(name, hosts, way)
    assert [code_of(part) for part in group.parts.values()] == [0, 0], [p.said() for p in group.parts.values()]
    assert len(group.started_totals()) == 1
    for part in group.parts.values():
        assert part.ends()["total", ""] == ("passed", "")
    shown = group.show()
    assert shown["run"]["counts"] == {"passed": 13}  # the condition of the last step needs the hosts of both parts
    keys = {(entry["key"], entry["host"]): entry["value"] for entry in shown["context"]}
    assert keys["hall.middle_v1", ""] == 4


def test_a_host_that_failed_in_another_part_blocks(server: Server, hall: Path):
    (hall / "bad-h3").touch()
    group = Group("bad", server)
    for name, hosts in SLICES.items():
        group.start(name, hosts)
    assert [code_of(part) for part in group.parts.values()] == [1, 1]
    verdict, reason = group.parts["a"].ends()["gate", "h1"]
    assert verdict == "blocked"
    where = rf"in part [12] of 2 \({group.parts['b'].run_id} on .*\)"
    assert re.fullmatch(rf"look on all hosts did not pass \(failed on h3 {where}\)", reason), reason
    assert group.parts["b"].ends()["gate", "h4"] == ("blocked", "look on all hosts did not pass (failed)")
    assert {part.ends()["total", ""][0] for part in group.parts.values()} == {"blocked"}
    assert group.started_totals() == []


def test_a_step_of_the_run_is_not_run_again_where_its_controller_is_killed(server: Server, hall: Path):
    (hall / "hang-total").touch()
    group = Group("killed-runner", server)
    for name, hosts in SLICES.items():
        group.start(name, hosts)
    wait_for("the step of the run", group.started_totals, PATIENCE)
    killed = group.runner()
    [ansible] = Path(f"/proc/{killed.child.pid}/task/{killed.child.pid}/children").read_text().split()
    os.kill(int(ansible), signal.SIGKILL)
    (hall / "hang-total").unlink()
    [other] = [part for part in group.parts.values() if part is not killed]
    assert code_of(other) == 1
    verdict, reason = other.ends()["total", ""]
    assert verdict == "error"
    assert re.fullmatch(
        r"part [12] of 2 \(.*\) began it and its controller ended without a word: no part runs it a second time", reason
    )
    assert len(group.started_totals()) == 1
    code_of(killed)


@pytest.mark.usefixtures("hall")
def test_a_lock_is_held_against_the_hosts_of_all_parts(server: Server):
    group = Group("locked", server, "locked.yml")
    for name, hosts in SLICES.items():
        group.start(name, hosts)
    assert [code_of(part) for part in group.parts.values()] == [0, 0], [p.said() for p in group.parts.values()]
    assert group.show()["run"]["counts"] == {"passed": 4}
    locks = server.ask("GET", "/ctx?key=lock.group_*").data["context"]
    assert {lock["value"]["owner"] for lock in locks} == {""}


def test_a_lock_is_free_once_its_holder_is_dead_for_long_enough(server: Server, hall: Path):
    (hall / "hang-h3").touch()
    group = Group("locked-killed", server, "locked.yml", RACK_RECIPES_RECONNECT_TIMEOUT=LEASE)
    holder = group.start("b", "h3")
    wait_for("the lock", (hall / "used-by-h3").exists, PATIENCE)
    waiting = group.start("a", "h1")
    kill(holder)
    assert code_of(waiting) == 0, waiting.said()


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(
    ("recipe", "canary", "part"), [("canary_count.yml", "h1", "a"), ("canary_hosts.yml", "h3", "b")]
)
def test_the_canary_holds_back_the_hosts_of_all_parts(server: Server, hall: Path, recipe: str, canary: str, part: str):
    (hall / f"bad-{canary}").touch()
    group = Group(f"bad-{canary}", server, recipe)
    first = group.start("a", SLICES["a"])
    wait_for("the first part", first.has_begun, PATIENCE)
    group.start("b", SLICES["b"])
    assert [code_of(each) for each in group.parts.values()] == [1, 1]
    ends = {place: end for each in group.parts.values() for place, end in each.ends().items()}
    assert ends.pop(("look", canary)) == ("failed", "it is bad")
    for (_step, host), end in ends.items():
        is_own = host in SLICES[part]
        place = f" in part {1 if part == 'a' else 2} of 2 ({group.parts[part].run_id} on {gethostname()})"
        assert end == ("blocked", f"canary {canary}{'' if is_own else place} did not pass")


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(("recipe", "canary"), [("canary_count.yml", "h1"), ("canary_hosts.yml", "h3")])
@pytest.mark.usefixtures("hall")
def test_hosts_of_all_parts_start_behind_the_canary(server: Server, recipe: str, canary: str):
    group = Group(f"good-{canary}", server, recipe)
    first = group.start("a", SLICES["a"])
    wait_for("the first part", first.has_begun, PATIENCE)
    group.start("b", SLICES["b"])
    assert [code_of(each) for each in group.parts.values()] == [0, 0]
    records = [record for each in group.parts.values() for record in each.records() if record["kind"] == "step"]
    started = {record["host"]: record["started"] for record in records}
    assert min(started, key=lambda host: started[host]) == canary
    assert len(started) == 4


@pytest.mark.usefixtures("hall")
def test_a_part_that_never_comes_and_those_that_do_not_fit(server: Server):
    """The latter are refused before anything runs."""
    group = Group("alone", server, RACK_RECIPES_GROUP_WAIT=1)
    done = group.run("h1,h2")
    assert done.code == 1, done.stderr
    reasons = {(row["step"], row["host"]): row["reason"] for row in group.show()["steps"]}
    never_came = (
        "part 2 of 2 did not come within 1 s: start all parts at the same time, in AWX with room for each slice, or "
        "let them wait longer (setting group_wait)"
    )
    assert (reasons["gate", "h1"], reasons["total", ""]) == (never_came, never_came)
    assert group.started_totals() == []
    other = group.run("h1", parts=3)
    assert other.code == 2
    assert re.search(r"part 1 of the group alone \(.*\) differs: it runs another recipe, or", other.stderr)
    assert group.run("h3,h4").code in (0, 1)
    third = group.run("h1")
    assert third.code == 2
    assert "the group alone has its 2 parts already" in third.stderr


@pytest.mark.usefixtures("hall")
def test_a_server_on_the_network_wants_a_token(tmp_path_factory: pytest.TempPathFactory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    here = authority.signed("localhost")
    words = ["--listen", "localhost:0", "--tls-cert", str(here.cert), "--tls-key", str(here.key)]
    with served(*words) as server:
        url = f"https://localhost:{urlsplit(server.ready['url']).port}"
        token = new_token("parts", "author", "--keys", "group.*")
        group = ["--group", "net", "--parts", "1", "--server", url]
        words = ["-i", "inventory.yml", "--limit", "h1", "--param", f"folder={Path.cwd()}", *group, "--json"]
        env = {"RACK_RECIPES_SERVER_CA": authority.pair.cert}
        refused = run_recipe("recipe.yml", *words, **env)
        assert refused.code == 2
        assert "--server: this request needs a valid token" in refused.stderr
        done = run_recipe("recipe.yml", *words, RACK_RECIPES_SERVER_TOKEN=token, **env)
        # the other hosts of the inventory are in no part
        assert done.code == 1, done.stderr
        assert done.answer["counts"] == {"blocked": 3, "passed": 1}
        assert token not in "".join(path.read_text() for path in Path(".rack-recipes/runs").glob("*/*.jsonl"))
        untrusted = run_recipe("recipe.yml", *words, RACK_RECIPES_SERVER_TOKEN=token)
        assert untrusted.code == 2
        assert "cannot be reached: " in untrusted.stderr


@pytest.mark.usefixtures("hall")
def test_a_server_that_is_not_there_is_told_before_anything_runs():
    words = ["-i", "inventory.yml", "--param", f"folder={Path.cwd()}", "--group", "g", "--parts", "2"]
    done = run_recipe("recipe.yml", *words, "--server", "none.sock")
    assert done.code == 2
    assert "--server: the context server none.sock cannot be reached: No such file or directory" in done.stderr
