# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example in the documentation does what it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.docs.markdown_examples import (
    Example,
    commands,
    examples,
    missing,
)
from ansible_collections.rack.recipes.tests.integration.docs.markdown_links import dead_links
from ansible_collections.rack.recipes.tests.integration.docs.stand_ins import needs_rack, provide, values_for, whole
from call_rack_recipes import CHECKOUT, COMMAND, TIMEOUT, Done, call, environment, rack_recipes
from rack_recipes.cli.command_table import parse_command_line
from rack_recipes.plan.compile.playbook_file import playbook_of

DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
REFERENCE = "commands.md"  # its commands are those of the help: for projects that are not this one
BLOCKS = [(document, example) for document in DOCUMENTS for example in examples(document)]
PLUGIN = "rack_recipes.programs.pytest_plugin.plugin"
PYTEST = ("-p", "no:rack_recipes", "-p", "no:cacheprovider")
NO_OTHER_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
OWN_COMMAND = re.compile(r"rack-recipes (.*?)(?=\s+(?:[|&]|\d?>)|\)?$)")
ADDRESS = re.compile(r"192\.0\.2\.\d+")
OUTPUT = re.compile(r'"\$\(.*\)"')  # of a command, as a word of another one
KINDS = ("yaml", "task", "python", "notebook", "json", "envelope", "console", "typed", "shown")
INVENTORY = """\
all:
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    pdu: p1
    site_name: lab
  children:
    leafs: {hosts: {leaf1: {}, leaf2: {}}}
    spines: {hosts: {spine1: {}}}
    spares: {hosts: {}}
    bmcs: {hosts: {bmc1: {site: a, bmc_address: 192.0.2.1}}}
    jump_a: {hosts: {jump1: {}}}
"""


def name_of(document: Path) -> str:
    return document.relative_to(CHECKOUT).as_posix()


def id_of(block: tuple[Path, Example]) -> str:
    document, example = block
    return f"{name_of(document)}:{example.line}"


def is_file(block: tuple[Path, Example]) -> bool:
    """Whether it is nothing but a file: what is called a recipe is run, too."""
    return bool(block[1].file) and block[1].kind != "yaml"


def of_kind(*kinds: str) -> Any:
    return pytest.mark.parametrize("block", chosen(*kinds), ids=id_of)


def chosen(*kinds: str) -> list[tuple[Path, Example]]:
    return [block for block in BLOCKS if block[1].kind in kinds and not (block[0].name == REFERENCE or is_file(block))]


def run_in_part(block: tuple[Path, Example]) -> Any:
    """A block of commands: those that run recipes as tests run only in `make soak`."""
    repeats = pytest.mark.repeats if "$ pytest" in block[1].text else pytest.mark.repeats(one_in=7)
    return pytest.param(block, id=id_of(block), marks=repeats)


def on_this_machine(text: str) -> str:
    """A file with the addresses of a document's hosts, which are all this machine, and logged in to by nobody."""
    return ADDRESS.sub("127.0.0.1", text).replace("ansible_user: root", "ansible_connection: local")


@pytest.fixture
def documented(project: Path) -> Iterator[Any]:
    """A function that makes the project of a document: what we ship, an inventory, and the document's own files."""

    def make(document: Path) -> Path:
        for folder in ("recipes", "data", "scriptlets"):
            shutil.copytree(CHECKOUT / folder, project / folder)
        (project / "inventory.yml").write_text(INVENTORY)
        for example in examples(document):
            if example.file:
                path = project / example.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(on_this_machine(example.text))
                if example.kind == "yaml":
                    provide(whole(example.text), project)
        return project

    return make


def run(recipe: Mapping[str, Any], *words: str) -> Done:
    Path("example.yml").write_text(json.dumps(recipe))
    Path("values.json").write_text(json.dumps(values_for(recipe)))
    return rack_recipes("run", "example.yml", "--param-file", "values.json", *words)


@pytest.mark.parametrize("block", BLOCKS, ids=id_of)
def test_it_says_what_it_is(block):
    _document, example = block
    assert example.file or example.kind in KINDS, f"say behind {example.language!r} what this example is"


def completed(block: tuple[Path, Example], project: Path) -> dict[str, Any]:
    """The recipe of an example, with all that it needs in the project."""
    recipe = whole(block[1].text)
    provide(recipe, project)
    return recipe


@of_kind("yaml")
def test_a_recipe_compiles(block, documented):
    Path("example.yml").write_text(json.dumps(completed(block, documented(block[0]))))
    assert playbook_of("example.yml")


@pytest.mark.repeats(one_in=9)
@of_kind("yaml")
def test_a_recipe_runs(block, documented):
    document, example = block
    recipe = completed(block, documented(document))
    done = run(recipe, *(("-i", "inventory.yml") if needs_rack(example.text) else ()))
    assert done.code == example.exit_code, done.stdout + done.stderr


@of_kind("json")
def test_json_is_json(block):
    assert json.loads(block[1].text)


@of_kind("envelope")
def test_an_envelope_is_taken(block, documented):
    document, example = block
    folder = documented(document) / "scriptlets" / "example"
    folder.mkdir()
    (folder / "printed.sh").write_text(f"cat <<'END'\n{example.text}END\n")
    (folder / "printed.yml").write_text("description: Prints an envelope\n")
    steps = [{"name": "printed", "type": "shell", "module": "example.printed"}]
    done = run({"test_meta": {"test_id": "T-1"}, "steps": steps})
    assert done.code == 0, done.stderr


@of_kind("task")
def test_tasks_run_in_a_playbook(block, documented):
    document, example = block
    documented(document)
    play = [{"hosts": "all", "gather_facts": False, "tasks": yaml.safe_load(example.text)}]
    Path("play.yml").write_text(json.dumps([{"import_playbook": "rack.recipes.run"}, *play]))
    done = call("ansible-playbook", "-i", "inventory.yml", "play.yml", "-e", "recipe=recipes/numbers.yml")
    assert done.code == 0, done.stdout + done.stderr


@of_kind("python")
def test_a_program_runs(block, documented):
    document, example = block
    documented(document)
    done = call(sys.executable, "-c", example.text)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize("document", sorted({document for document, _example in chosen("notebook")}), ids=name_of)
def test_notebooks_run(document, documented):
    """Those of one document look at one run."""
    documented(document)
    done = rack_recipes("run", "recipes/numbers.yml", "-i", "inventory.yml", "--limit", "leafs")
    assert done.code == 0, done.stderr
    for place, example in chosen("notebook"):
        if place == document:
            done = call(sys.executable, "-c", example.text)
            assert done.code == 0, f"{example.line}: {done.stderr}"


def own_words(line: str) -> list[list[str]]:
    """The words behind each `rack-recipes` of a command line, without what is for Ansible."""
    found = OWN_COMMAND.findall(OUTPUT.sub("WORD", line))
    return [shlex.split(words.partition(" -- ")[0]) for words in found]


@of_kind("console")
def test_commands_have_the_options_that_are_shown(block):
    for command in commands(block[1].text):
        found = own_words(command.line)
        assert len(found) == command.line.count("rack-recipes ")
        for words in found:
            assert parse_command_line(words), command.line


def test_the_tests_of_scriptlets_pass(documented):
    """In `make soak` the tests of recipes run, too: by the commands that docs/authoring.md shows."""
    documented(CHECKOUT / "docs" / "authoring.md")
    of_recipes = [path for path in Path("tests").iterdir() if "recipe" in path.name or "run_recipe" in path.read_text()]
    assert len(of_recipes) == 2
    others = sorted({*Path("tests").glob("test_*.py")} - {*of_recipes})
    strict = ("-W", "error::UserWarning")
    done = call(sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, *PYTEST, *strict, *others, **NO_OTHER_PLUGINS)
    assert done.code == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", [*map(run_in_part, chosen("console"))])
def test_commands_do_what_is_shown(block, documented):
    document, example = block
    documented(document)
    env = environment(PATH=f"{with_command(Path('bin'))}:{environment()['PATH']}", PYTEST_PLUGINS=PLUGIN)
    env |= {"PYTEST_ADDOPTS": " ".join(PYTEST), "COLUMNS": "200", **NO_OTHER_PLUGINS}
    for command in commands(example.text):
        done = subprocess.run(
            command.line, shell=True, env=env, text=True, check=False, timeout=TIMEOUT, capture_output=True
        )
        printed = done.stderr + done.stdout
        assert done.returncode == example.exit_code, f"{command.line}\n{printed}"
        assert missing(command, printed) == [], f"{command.line}\n{printed}"


def with_command(folder: Path) -> Path:
    """A folder with the command as an installed package has it."""
    folder.mkdir()
    script = folder / "rack-recipes"
    script.write_text(f"#!{sys.executable}\n{COMMAND}\n")
    script.chmod(0o755)
    return folder.absolute()


def test_every_link_is_relative_and_leads_somewhere():
    tops = (".github", "docs", "roles")
    inside = (page for top in tops for page in CHECKOUT.glob(f"{top}/**/*.md"))
    pages = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("tests/*/*.md"), *inside]
    assert [*dead_links(pages)] == []
