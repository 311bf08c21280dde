# SPDX-License-Identifier: GPL-3.0-or-later

"""All files that a project needs for AWX, those of the execution environment among them, as texts by paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.errors import UsageError
from rack_recipes.integrations.awx.configuration_playbook import Job, check_names, configuring_play
from rack_recipes.plan.compile.yaml_text import to_yaml
from rack_recipes.settings import CONFIG, config_file, load, read_config
from rack_recipes.version import VERSION

DEFINITION, PYTHON, GALAXY, SYSTEM = "execution-environment.yml", "requirements.txt", "requirements.yml", "bindep.txt"
BASE_IMAGE = "quay.io/centos/centos:stream10"  # its Python is 3.12, the oldest one that controllers may have
INTERPRETER = {"package_system": "python3", "python_path": "/usr/bin/python3"}
ANSIBLE_CORE = "ansible-core>=2.20.0,<2.23"  # as in pyproject.toml
ANSIBLE_RUNNER = "ansible-runner>=2.4.1"
PACKAGES = (f"rack-recipes[postgresql]>={VERSION}",)
SYSTEM_PACKAGES = ("openssh-client [platform:dpkg]", "openssh-clients [platform:rpm]")
NO_COLLECTIONS = ("ansible.builtin", "ansible.legacy", "rack.recipes")  # they come with the packages


def definition(collections: Sequence[str]) -> dict[str, Any]:
    """The file execution-environment.yml as data; its paths are relative to it."""
    dependencies = {
        "python_interpreter": INTERPRETER,
        "ansible_core": {"package_pip": ANSIBLE_CORE},
        "ansible_runner": {"package_pip": ANSIBLE_RUNNER},
        "python": PYTHON,
        "system": SYSTEM,
        **({"galaxy": GALAXY} if collections else {}),
    }
    return {"version": 3, "images": {"base_image": {"name": BASE_IMAGE}}, "dependencies": dependencies}


def collections_of(jobs: Iterable[Job]) -> list[str]:
    """The collections whose modules the recipes use, beside Ansible's own and this one."""
    modules = (step.module.split(".") for job in jobs for step in job.recipe.steps if step.type == "ansible")
    names = {".".join(parts[:2]) for parts in modules if len(parts) > 2}
    return sorted(names.difference(NO_COLLECTIONS))


CONFIGURE = "configure.yml"
CALLBACK = "rack.recipes.recorder"
WANTED = f"""\
[defaults]
callbacks_enabled = {CALLBACK}
inject_facts_as_vars = false"""


def project_files(jobs: Sequence[Job], folder: Path) -> dict[Path, str]:
    """The files below `folder`, for these recipes. Raises UsageError for names that AWX would not keep apart."""
    check_names(jobs)
    collections = collections_of(jobs)
    texts = {
        DEFINITION: _document(definition(collections)),
        PYTHON: _lines(PACKAGES),
        SYSTEM: _lines(SYSTEM_PACKAGES),
        **({GALAXY: _document({"collections": [{"name": name} for name in collections]})} if collections else {}),
        CONFIGURE: _document([configuring_play(jobs, SecretNames(load().secret_keys))]),
    }
    return {**{folder / name: text for name, text in texts.items()}, **dict(_playbooks(jobs))}


OF_RECIPE = re.compile(r"lookup\('rack\.recipes\.playbook', '(.*)'\)")


def check_other_recipes(jobs: Sequence[Job]) -> None:
    """Raise UsageError where the playbook of another recipe of this project has the name of one: it would be replaced.

    That of a recipe which is gone may be.
    """
    for job in jobs:
        path = Path(job.playbook)
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        found = OF_RECIPE.search(text)
        other = found[1].replace("\\'", "'").replace("\\\\", "\\") if found else job.recipe.path
        if other != job.recipe.path and Path(other).is_file():
            raise UsageError(
                f"{path}: it runs {other}, and {job.recipe.path} would be {job.name!r} in AWX, too: copy the recipe "
                "into the project under another name, or choose another folder by --output (--force replaces)"
            )


def _playbooks(jobs: Sequence[Job]) -> Iterator[tuple[Path, str]]:
    for job in jobs:
        yield Path(job.playbook), _document([_run(job)])
        yield Path(job.ending_playbook), _document([_total(job)])


def _run(job: Job) -> Mapping[str, Any]:
    """The playbook of one import. AWX lists a file as a playbook if a line begins with `import_playbook:`."""
    path = job.recipe.path.replace("\\", "\\\\").replace("'", "\\'")
    return {"name": f"Run {job.name}", "import_playbook": f"{{{{ lookup('rack.recipes.playbook', '{path}') }}}}"}


def _total(job: Job) -> Mapping[str, Any]:
    """The playbook of the workflow's last node; it connects to no host.

    A play without hosts would pass. So its hosts are all, not those of the recipe, and localhost in an empty inventory.
    """
    role = {"name": "rack.recipes.report", "tasks_from": "total"}
    task = {
        "name": "Add up what the jobs of this workflow have told",
        "ansible.builtin.include_role": role,
        "vars": {"report_hosts": job.recipe.hosts},
    }
    return {"name": f"Total of {job.name}", "hosts": "all:localhost", "gather_facts": False, "tasks": [task]}


def _document(data: object) -> str:
    return f"---\n{to_yaml(data)}"


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def check_project() -> None:
    """Raise UsageError where the project lacks what every job reads: an ansible.cfg that turns the recorder on."""
    path = config_file()
    if path != Path(CONFIG):
        raise UsageError(f"{CONFIG}: there is none in this folder, and AWX's jobs read no other; write:\n{WANTED}")
    enabled = read_config().get("defaults", "callbacks_enabled", fallback="")
    if CALLBACK not in [name.strip() for name in enabled.split(",")]:
        got = f"got {enabled!r}" if enabled else "it is missing"
        raise UsageError(
            f"{CONFIG}: [defaults] callbacks_enabled: expected {CALLBACK} in it, {got}: "
            "without it no job records anything"
        )
