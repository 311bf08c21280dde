# SPDX-License-Identifier: GPL-3.0-or-later

"""README and the pages Start, Install, Semaphore and Several nodes, typed as they stand, each in one folder."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.docs.markdown_examples import commands, examples, missing
from ansible_collections.rack.recipes.tests.integration.docs.test_documentation_examples import with_command
from ansible_collections.rack.recipes.tests.integration.test_packaging import environment_in
from call_rack_recipes import CHECKOUT, TIMEOUT, environment
from rack_recipes.lab.faults import break_rack
from rack_recipes.lab.start_rack import down, up
from rack_recipes.lab.topology import build
from run_ansible_test import known_files


def with_real_hosts(text: str, rack: Any) -> str:
    """The inventory of the page with addresses that answer; what else it says of a host stays."""
    told = yaml.safe_load(text)["all"]
    real = yaml.safe_load(rack.inventory.read_text())["all"]["children"]["rack"]
    hosts = {
        name: {**real["hosts"][name], **own, "ansible_host": real["hosts"][name]["ansible_host"]}
        for name, own in told["hosts"].items()
    }
    return yaml.safe_dump({"all": {"vars": real["vars"], "hosts": hosts}})


def type_page(name: str, folder: Path, env: Mapping[str, str], made: Callable[[str], str] = str) -> None:
    """Write the files and type the commands of a page in their order; `made` changes the text of an inventory.

    What is no file and no command is another example.
    """
    top, first = folder, ""
    for example in examples(CHECKOUT / "docs" / name):
        if example.file:
            path = top / example.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made(example.text) if path.name == "inventory.yml" else example.text)
            continue
        if example.language != "console" or example.kind == "shown":
            continue
        for command in (typed := commands(example.text)):
            if command.line.startswith("cd "):
                folder /= command.line.removeprefix("cd ")
                continue
            if command.line.startswith(". "):
                first = f". {folder / command.line.removeprefix('. ')} && "
                continue
            done = subprocess.run(
                ["/bin/sh", "-c", first + command.line],
                cwd=folder,
                env=env,
                text=True,
                check=False,
                timeout=TIMEOUT,
                capture_output=True,
            )
            printed = done.stderr + done.stdout
            assert done.returncode == (example.exit_code if command is typed[-1] else 0), f"{command.line}\n{printed}"
            assert missing(command, printed) == [], f"{command.line}\n{printed}"


def test_a_visitor_comes_from_a_checkout_and_an_empty_home_to_a_recipe_of_their_own(tmp_path: Path):
    checkout, home = tmp_path / "rack.recipes", tmp_path / "home"
    for name in known_files(()):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, checkout / name)
    home.mkdir()
    type_page("../README.md", checkout, environment_in(home))


def test_make_test_ends_with_the_sessions_that_are_shown():
    [shown] = [each.text for each in examples(CHECKOUT / "README.md") if each.text.startswith("$ make test\n")]
    _before, _name, listed = (CHECKOUT / "noxfile.py").read_text().partition("\nnox.options.sessions = ")
    sessions = ast.literal_eval(listed.partition("]")[0] + "]")
    assert f"Ran {len(sessions)} sessions" in shown
    assert len([name for name in sessions if f"* {name}: success" in shown]) == shown.count("* ")


def test_a_reader_comes_from_nothing_to_a_failure_and_its_end(project: Path, rack: Any):
    (project / "ansible.cfg").unlink()
    env = environment(PATH=f"{with_command(Path('bin'))}:{environment()['PATH']}", COLUMNS="200")
    type_page("start.md", project, env, lambda text: with_real_hosts(text, rack))


@pytest.mark.repeats(one_in=4)
def test_what_semaphore_does_leaves_a_report(project: Path):
    env = environment(PATH=f"{with_command(Path('bin'))}:{environment()['PATH']}", COLUMNS="200")
    type_page("semaphore.md", project, env)


@pytest.mark.repeats
def test_it_is_installed_also_without_network(tmp_path: Path):
    """The package is that of this checkout, as if it had been published."""
    published = tmp_path / "published"
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", published, CHECKOUT)
    subprocess.run(build, check=True)
    type_page("install.md", tmp_path, environment(PIP_FIND_LINKS=str(published)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a virtual rack")
def test_a_reader_comes_from_an_inventory_to_the_slow_link(project: Path):
    """The servers of the page are those of a virtual rack; the port of one sends slowly."""
    (project / "ansible.cfg").unlink()
    env = environment(PATH=f"{with_command(Path('bin'))}:{environment()['PATH']}", COLUMNS="200")
    folder = project / "rack"
    try:
        break_rack(up(build(), folder), "slow-link", "server5:eth1")
        real = yaml.safe_load((folder / "inventory.yml").read_text())["all"]

        def on_the_rack(text: str) -> str:
            told = yaml.safe_load(text)["all"]
            hosts = told["children"]["servers"]["hosts"]
            for name, own in hosts.items():
                there = real["children"]["servers"]["hosts"][name]
                own |= {word: there[word] for word in ("ansible_host", "fabric_address")}
            told["vars"] |= real["vars"]
            return yaml.safe_dump({"all": told})

        type_page("several-nodes.md", project, env, on_the_rack)
        assert (project / "links.svg").stat().st_size
    finally:
        down(folder)
