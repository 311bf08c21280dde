# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The execution environment: the image that AWX runs jobs in, as files of ansible-builder (version 3 of its format)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rack_recipes.integrations.awx.job_names import Job
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
