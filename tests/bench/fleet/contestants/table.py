# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who takes part."""

from __future__ import annotations

from importlib.metadata import version

from ansible_collections.rack.recipes.tests.bench.fleet.contestants import floor, ours, playbooks, pyinfra_deploy
from ansible_collections.rack.recipes.tests.bench.fleet.model import Contestant

ANSIBLE = f"ansible-core=={version('ansible-core')}"
"""The rivals that are Ansible get the release that this project runs with, and so a like start."""
CORE = ("python", "ansible-core")
OURS = (*CORE, "rack-recipes", "sqlalchemy")

CONTESTANTS = (
    Contestant("ours", "this project", ours.ours, ours.check, packages=OURS),
    Contestant("plain", "plain Ansible", playbooks.plain, playbooks.recap_check, (ANSIBLE,), CORE),
    Contestant("ara", "Ansible with ARA", playbooks.ara, playbooks.ara_check, (ANSIBLE, "ara[server]"), (*CORE, "ara")),
    Contestant(
        "mitogen",
        "Ansible with Mitogen",
        playbooks.mitogen,
        playbooks.recap_check,
        (ANSIBLE, "mitogen"),
        (*CORE, "mitogen"),
    ),
    Contestant("pyinfra", "pyinfra", pyinfra_deploy.pyinfra, pyinfra_deploy.check, ("pyinfra",), ("python", "pyinfra")),
    Contestant("floor", "`ssh HOST sh`", floor.floor, floor.check),
    Contestant(
        "recorder",
        "this project, its recorder measured",
        ours.recorder,
        ours.check,
        packages=OURS,
        recorder_cpu=ours.recorder_cpu,
    ),
    Contestant("noop", "a playbook of nothing", playbooks.noop, playbooks.noop_check, packages=CORE, works=False),
)

NAMED = {contestant.name: contestant for contestant in CONTESTANTS}
