# SPDX-License-Identifier: GPL-3.0-or-later

"""The ready files for CI: valid by the schemas of their makers, and their commands do what docs/ci.md says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CI = ROOT / "docs" / "ci"
GITHUB, GITLAB, JENKINS = CI / "github-actions.yml", CI / "gitlab-ci.yml", CI / "Jenkinsfile"
ACTION, COMPONENT = ROOT / "action.yml", ROOT / "templates" / "recipe.yml"
OWN = ROOT / ".github" / "workflows" / "test.yml"
BIN = Path(sys.executable).parent
INSTALL = re.compile(r"venv|pip install|PATH")


def github_commands() -> list[str]:
    """The commands of the job, each run whatever became of those before it."""
    steps = yaml.safe_load(GITHUB.read_text())["jobs"]["rack"]["steps"]
    commands = [(step["run"], step.get("if")) for step in steps if "run" in step and step["name"] != "Install"]
    assert {condition for _command, condition in commands[1:]} == {"${{ !cancelled() && env.RUN }}"}
    run, *others = [command for command, _if in commands]
    after = "".join(f'if [ -n "$RUN" ]; then (set -e; {command}) || code=1; fi\n' for command in others)
    return [f"code=0\n(set -e; {run}) || code=1\n. ./github.env\n{after}exit $code"]


def gitlab_commands() -> list[str]:
    return ["set -e\n" + "\n".join(yaml.safe_load(GITLAB.read_text())["rack"]["script"])]


def jenkins_commands() -> list[str]:
    found = [one or two for two, one in re.findall(r"sh (?:\"\"\"(.+?)\"\"\"|'([^']+)')", JENKINS.read_text())]
    run, *others = [command for command in found if not INSTALL.search(command)]
    return [f"code=0\n({run}) || code=1\n" + "".join(f"({other}) || exit 1\n" for other in others) + "exit $code"]


def action_commands() -> list[str]:
    """The steps of the action, each run whatever became of those before it."""
    steps = [step for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if "run" in step][1:]
    run, *others = [step["run"] for step in steps]
    assert all("!cancelled() && steps.recipe.outputs.run" in step["if"] for step in steps[1:])
    begin = f'code=0\n(set -e; {run}) || code=1\nRUN=$(sed -n s/^run=//p "$GITHUB_OUTPUT")\nexport RUN\n'
    after = "".join(f'if [ -n "$RUN" ]; then (set -e; {command}) || code=1; fi\n' for command in others)
    return [f"{begin}{after}exit $code"]


def component_job(**inputs: object) -> dict[str, Any]:
    """The job of the component as GitLab makes it of these inputs and the defaults of the others."""
    spec, job = COMPONENT.read_text().split("\n---\n")
    values = {name: about.get("default") for name, about in yaml.safe_load(spec)["spec"]["inputs"].items()} | inputs
    (text,) = {re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: json.dumps(values[found[1]]).strip('"'), job)}
    return yaml.safe_load(text)


def component_commands() -> list[str]:
    (job,) = component_job(recipe="recipes/first.yml").values()
    assert job["variables"] == {"RECIPE": "recipes/first.yml", "OPTIONS": None, "PACKAGE": "rack-recipes"}
    return ["set -e\n" + "\n".join(job["script"])]


COMMANDS = {
    "github": github_commands,
    "gitlab": gitlab_commands,
    "jenkins": jenkins_commands,
    "action": action_commands,
    "component": component_commands,
}


def environment(project: Path) -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "RECIPE": "recipes/first.yml",
        "GITHUB_STEP_SUMMARY": str(project / "summary.md"),
        "GITHUB_ENV": str(project / "github.env"),
        "GITHUB_OUTPUT": str(project / "github.output"),
        "INVENTORY": "",
        "OPTIONS": "--tags 'disk' --limit \"localhost\"",
    }


def call(project: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=project, env=environment(project), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose recipe has passed once, and that run is the baseline."""
    project = tmp_path_factory.mktemp("lab")
    made = call(
        project, "rack-recipes new project . && rack-recipes run recipes/first.yml && rack-recipes baseline accept"
    )
    assert made.returncode == 0, made.stderr
    return project


@pytest.fixture
def project(accepted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(accepted, tmp_path / "lab", symlinks=True))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", (GITHUB, OWN)),
        ("vendor.gitlab-ci", (GITLAB,)),
        ("vendor.github-actions", (ACTION,)),
    ],
    ids=["github", "gitlab", "action"],
)
def test_the_files_are_valid(schema: str, paths: tuple[Path, ...]):
    assert_valid(schema, *paths)


def assert_valid(schema: str, *paths: Path) -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", schema, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_component_makes_a_valid_job(tmp_path: Path):
    made = tmp_path / "gitlab-ci.yml"
    made.write_text(
        json.dumps(component_job(recipe="recipes/night.yml", options="--limit 'rack7'", tags=["hall", "r"]))
    )
    (job,) = json.loads(made.read_text()).values()
    assert (job["tags"], job["variables"]["OPTIONS"]) == (["hall", "r"], "--limit 'rack7'")
    assert_valid("vendor.gitlab-ci", made)


@pytest.mark.parametrize("ci", ["action", "component"])
def test_options_are_words_and_no_commands(project: Path, ci: str):
    (command,) = COMMANDS[ci]()
    done = call(project, f"OPTIONS=\"--limit 'no such host' --param 'max_percent=\\$(touch ran)'\"\n{command}")
    assert done.returncode != 0
    assert "$(touch ran)" in done.stderr
    assert not (project / "ran").exists()


def test_the_devcontainer_sets_up_what_is_there():
    told = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    script = re.search(r"(\S+\.sh) test", told["postCreateCommand"])
    assert script
    assert os.access(ROOT / script[1], os.X_OK)
    assert all((ROOT / schema).is_file() for schema in told["customizations"]["vscode"]["settings"]["yaml.schemas"])


def has_its_context(project: Path) -> bool:
    """Whether the context of the run lies beside the report, as it was at its end."""
    shown = call(project, "rack-recipes ctx export")
    return json.loads((project / "report" / "context.json").read_text()) == json.loads(shown.stdout)


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("ci", COMMANDS)
def test_a_run_that_passes(project: Path, ci: str):
    (command,) = COMMANDS[ci]()
    done = call(project, command)
    assert done.returncode == 0, done.stderr
    suite = ET.parse(project / "report" / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    assert (project / "report" / "report.html").is_file()
    assert has_its_context(project)
    if ci in ("github", "action"):
        assert "passed" in (project / "summary.md").read_text()


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(
    "ci", ["gitlab", "github", "action", "jenkins", "component"]
)  # of the others more than of those above
def test_a_run_that_fails_has_its_report_and_fails_the_job(project: Path, ci: str):
    recipe = project / "recipes" / "first.yml"
    recipe.write_text(recipe.read_text().replace("default: 95", "default: 0"))
    (command,) = COMMANDS[ci]()
    done = call(project, command)
    assert done.returncode != 0
    suite = ET.parse(project / "report" / "junit.xml").getroot()[0]
    assert suite.get("failures") == "1"
    assert has_its_context(project)
    assert "localhost  disk  failed: used: " in done.stderr, "the log of the job says what failed"
    assert "worse: disk on localhost: passed -> failed" in done.stderr


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("ci", COMMANDS)
def test_where_nothing_was_run_no_older_run_is_reported(project: Path, ci: str):
    (project / "recipes" / "first.yml").write_text("nonsense: true\n")
    (command,) = COMMANDS[ci]()
    done = call(project, command)
    assert done.returncode != 0
    assert not (project / "report").exists()
    assert "worse" not in done.stderr


def test_the_jenkinsfile_is_balanced_and_in_the_order_of_the_others():
    text = re.sub(r"//[^\n]*", "", JENKINS.read_text())
    plain = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", "", text)
    assert "'" not in plain
    assert '"' not in plain
    opened = []
    for mark in re.findall(r"[(){}\[\]]", plain):
        if mark in "({[":
            opened.append(mark)
        else:
            assert opened.pop() + mark in ("()", "{}", "[]")
    assert not opened
    assert re.match(r"\s*pipeline \{", plain)
    order = ["agent", "options", "environment", "stages", "post"]
    assert re.findall(rf"  ({'|'.join(order)}) \{{", plain) == order
