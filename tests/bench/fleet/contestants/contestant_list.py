# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of all contestants."""

from __future__ import annotations

from importlib.metadata import version

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import MANY, Contestant
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import (
    ansible_variants,
    plain_ssh,
    pyinfra_deploy,
    rack_recipes,
)
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.unset_python import unset

ANSIBLE = f"ansible-core=={version('ansible-core')}"
"""The rivals that are Ansible get the release that this project runs with, and so a like start."""
CORE = ("python", "ansible-core")
OURS = (*CORE, "rack-recipes", "sqlalchemy")

_OURS = Contestant("ours", "this project", rack_recipes.ours, rack_recipes.check, packages=OURS)
_PLAIN = Contestant("plain", "plain Ansible", ansible_variants.plain, ansible_variants.recap_check, (ANSIBLE,), CORE)
_MITOGEN = Contestant(
    "mitogen",
    "Ansible with Mitogen",
    ansible_variants.mitogen,
    ansible_variants.recap_check,
    (ANSIBLE, "mitogen"),
    (*CORE, "mitogen"),
)

CONTESTANTS = (
    _OURS,
    Contestant(
        "each",
        "this project, a process for each host",
        rack_recipes.each,
        rack_recipes.check,
        packages=OURS,
        environment="ours",
    ),
    unset(_OURS),
    _PLAIN,
    unset(_PLAIN),
    Contestant(
        "ara",
        "Ansible with ARA",
        ansible_variants.ara,
        ansible_variants.ara_check,
        (ANSIBLE, "ara[server]"),
        (*CORE, "ara"),
    ),
    _MITOGEN,
    unset(_MITOGEN),
    Contestant("pyinfra", "pyinfra", pyinfra_deploy.pyinfra, pyinfra_deploy.check, ("pyinfra",), ("python", "pyinfra")),
    Contestant("floor", "`ssh HOST sh`", plain_ssh.floor, plain_ssh.check),
    Contestant(
        "recorder",
        "this project, its recorder measured",
        rack_recipes.recorder,
        rack_recipes.check,
        packages=OURS,
        recorder_cpu=rack_recipes.recorder_cpu,
    ),
    Contestant(
        MANY,
        "`rack-recipes run`, which chooses how many hosts it takes at once",
        rack_recipes.many,
        rack_recipes.check,
        packages=OURS,
        at_once=rack_recipes.at_once,
    ),
    Contestant(
        "noop", "a playbook of nothing", ansible_variants.noop, ansible_variants.noop_check, packages=CORE, works=False
    ),
)

NAMED = {contestant.name: contestant for contestant in CONTESTANTS}
