# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps between hosts: pairs, groups, a search for who is to blame; nothing of the serving side is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.run.test_host_failures import processes
from call_rack_recipes import COMMAND, answer, environment, results, run_recipe, shell, write_recipe

HOSTS = ("r01", "r02", "r03", "r04")
HELD = "sleep 4322"  # what the serving side starts
ARGS = {"name": "${own.name}", "peer": "${peer.address}", "peer_name": "${peer.name}", "port": "${peer.port}"}


def between(
    name: str, scope: str = "pair", *, dying: tuple[str, ...] = (), args: Any = None, **more: Any
) -> dict[str, Any]:
    """A step between hosts."""
    serve = {"module": "t.serve", "args": {"name": "${own.name}", "port": "${own.port}", "dying": [*dying]}}
    return {
        "name": name,
        "scope": scope,
        "module": "t.measure",
        "args": {**ARGS, **(args or {})},
        "serve": serve,
        **more,
    }


# A link is waived by the name of its step, on either of its hosts.
WAIVERS = """\
waivers:
  - {step: known, hosts: "r02:r03", reason: the old cable, who: alice, until: 2099-12-31}
  - {step: search, hosts: r04, reason: RMA 1, who: alice, until: 2099-12-31}
"""
STEPS = [
    between("link", args={"slow": ["r02"]}),
    between("group", "group", members="all", args={"slow": ["r03"]}),
    between("search", isolate=True, args={"slow": ["r04"]}, continue_on_fail=True),
    between("dying", dying=HOSTS, members={"random": 1}, retry={"max": 2}),
    between("fine", members={"pairs": "all", "at_once": 1}),
    between("known", args={"slow": ["r02", "r03"]}, members={"random": 1, "rounds": 1}),
    shell("needs_known", "ok", depends_on=["known"]),
    shell("needs_fine", "ok", depends_on=["fine"]),
    shell("needs_link", "ok", depends_on=["link"]),
]


@pytest.fixture(scope="module")
def done(rack: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One run of all of them."""
    folder = tmp_path_factory.mktemp("between")
    shutil.copytree(Path(__file__).parent / "cases" / "scriptlets", folder / "scriptlets")
    (folder / "waivers.yml").write_text(WAIVERS)
    before = Path.cwd()
    os.chdir(folder)
    try:
        run = run_recipe(STEPS, on=rack, hosts=HOSTS)
        yield run, run.results, answer("analyse")["findings"], folder
    finally:
        os.chdir(before)


def of(found: Any, step: str) -> dict[str, str]:
    """The verdicts of the results of a step between hosts."""
    return {name: row["verdict"] for (name, _host), row in found.steps.items() if row["parent"] == step}


def test_the_verdict_is_about_the_link_and_names_both_ends(done: Any):
    run, found, findings, folder = done
    assert run.code == 1
    links = of(found, "link")
    assert len(links) == 6
    assert {name for name, verdict in links.items() if verdict == "failed"} == {name for name in links if "r02" in name}
    assert found.steps["link", ""]["verdict"] == "failed"
    with closing(sqlite3.connect(folder / ".rack-recipes" / "results.db")) as store:
        rows = dict(store.execute("select step, members from steps where parent = 'link'").fetchall())
    assert rows["link[r01,r02]"] in ('["r01","r02"]', '["r02","r01"]')
    assert found.steps["needs_link", "r01"]["verdict"] == "blocked"
    assert any("3 failing pairs of link lead to or from r02" in one["title"] for one in findings)


def test_a_group_names_the_members_that_say_why(done: Any):
    _run, found, _findings, _folder = done
    assert of(found, "group") == {"group[all]": "failed"}
    assert found.steps["group[all]", ""]["reason"] == "r03: 10 Mbit/s, min 50"
    named = {name for step, _host, name, _value, _unit in found.measurements if step == "group[all]"}
    assert {"rate.r02", "rate.r03", "rate.r04"} <= named


def test_a_search_blames_the_slow_node(done: Any):
    _run, _found, findings, _folder = done
    blamed = [one for one in findings if "is to blame" in one["title"]]
    assert [one["title"].split()[0] for one in blamed] == ["r04"]
    assert "rate 10 Mbit/s, 100 between good hosts" in blamed[0]["title"]


def test_a_link_is_waived_by_the_name_of_its_step_and_a_search_goes_on(done: Any):
    _run, found, _findings, _folder = done
    rows = [row for row in found.steps.values() if row["parent"] == "known"]
    assert {row["verdict"] for row in rows} <= {"waived", "passed"}
    assert any(row["reason"].startswith("waived by alice until 2099-12-31: the old cable; failed: ") for row in rows)
    assert found.steps["known", ""]["verdict"] == "waived"
    assert found.steps["needs_known", "r02"]["verdict"] == "passed"
    assert "waived" in of(found, "search").values()
    assert "failed" not in of(found, "search").values()


def test_a_serving_side_that_ends_before_is_an_error_and_tried_again(done: Any):
    _run, found, _findings, _folder = done
    rows = [row for row in found.steps.values() if row["parent"] == "dying"]
    assert {row["verdict"] for row in rows} == {"error"}
    assert all("ended before the others began: no card to serve with" in row["reason"] for row in rows)


def test_what_passes_passes_and_leaves_nothing_behind(done: Any, rack: Any):
    _run, found, _findings, _folder = done
    assert set(of(found, "fine").values()) == {"passed"}
    assert len(of(found, "fine")) == 6
    assert found.steps["needs_fine", "r03"]["verdict"] == "passed"
    assert processes(rack, HELD) == []


def test_a_host_without_a_partner_makes_the_run_incomplete(steps: Path, rack: Any):
    step = between("link", members={"within": "rack"})
    Path("host_vars").mkdir()
    for host, place in zip(HOSTS, ("a", "a", "b"), strict=False):
        Path("host_vars", f"{host}.yml").write_text(f"rack: {place}\n")
    inventory = rack.inventory.read_text()
    Path("inventory.yml").write_text(inventory)
    run = run_recipe([step], on="inventory.yml", hosts=HOSTS)
    assert (run.code, run.answer["status"]) == (1, "incomplete")
    untested = {
        host for (name, host), row in run.results.steps.items() if name == "link" and row["verdict"] == "skipped"
    }
    assert untested == {"r03", "r04"}


def ansible_of(command: int) -> int:
    """The main process of Ansible that a command has started."""
    started = Path(f"/proc/{command}/task/{command}/children").read_text().split()
    return next(int(pid) for pid in started if b"ansible" in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_server(steps: Path, rack: Any, number: int):
    recipe = write_recipe([between("link", args={"seconds": 300})])
    command = [sys.executable, "-c", COMMAND, "run", recipe, "-i", str(rack.inventory), "--limit", "r01,r02"]
    around = environment(RACK_RECIPES_RECONNECT_TIMEOUT=3)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=around) as running:
        deadline = time.monotonic() + 120
        while not processes(rack, HELD):
            assert time.monotonic() < deadline, "nobody serves"
            time.sleep(0.1)
        time.sleep(2)
        main = running.pid if number == signal.SIGTERM else ansible_of(running.pid)
        os.kill(main, number)
        running.wait(60)
    deadline = time.monotonic() + 60
    while processes(rack, HELD):
        assert time.monotonic() < deadline, "a server is left"
        time.sleep(0.2)
    if number == signal.SIGTERM:
        assert results().run["status"] == "interrupted"
