# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run on several controllers refuses before any of them is asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from call_rack_recipes import rack_recipes

RECIPE = """\
test_meta: {test_id: T-1}
steps: [{name: here, type: shell, module: disk.usage}]
"""
WITH_SECRET = f"{RECIPE}params: {{pw: {{type: str, secret: true}}}}\n"
NOBODY_TYPES = "with --across nobody could type a password"
CASES = {
    "-i lab.yml --across c.yml --parts 2": "--parts does not go with --across: there is one part for each controller",
    "-i lab.yml --across c.yml -K": "--ask-become-pass does not go with --across: nobody could type a password",
    "-i lab.yml --across c.yml -v": "--verbose does not go with --across: Ansible's output stays on the controllers",
    "-i lab.yml --across c.yml -- --ask-vault-pass": NOBODY_TYPES,
    "-i lab.yml --across c.yml --param-file secret.yml": "--across would write a secret parameter to files",
    "-i lab.yml --across c.yml -e @/etc/vars.yml": "--across sends this folder to the controllers, and -e /etc",
    "-i lab.yml --across c.yml --limit leav": "nothing was run: no host matches --limit 'leav' here (did you mean",
    "-i lab.yml --across c.yml --on nroth": "--on: c.yml has no controller 'nroth': did you mean 'north'?",
    "-i lab.yml --on north": "--on: expected --across FILE beside it",
    "--across c.yml": "--across: expected an inventory to split",
}


@pytest.mark.parametrize(("words", "said"), CASES.items(), ids=CASES)
def test_what_cannot_be_followed_is_refused(project: Path, words: str, said: str):
    Path("r.yml").write_text(WITH_SECRET if "secret" in words else RECIPE)
    Path("secret.yml").write_text("pw: hunter2\n")
    Path("c.yml").write_text("controllers: [{name: north, command: /nowhere/ansible-runner}]\n")
    Path("lab.yml").write_text("leaf: {hosts: {leaf1: , leaf2: }}\n")
    done = rack_recipes("run", "r.yml", *words.split())
    assert (done.code, done.answer["reason"][: len(said)]) == (2, said)
    assert "hunter2" not in done.stdout + done.stderr
    assert not Path(".rack-recipes/runs").exists()


@pytest.mark.parametrize(
    ("each", "why"),
    {
        "hosts: leaf*|hosts: spines": "none of its hosts is in this run",
        "|": "there are not enough hosts",
    }.items(),
)
def test_a_controller_without_hosts_is_told_with_the_reason(project: Path, each: str, why: str):
    Path("r.yml").write_text(RECIPE)
    north, south = each.split("|")
    Path("c.yml").write_text(
        f"controllers: [{{name: north, command: x, {north}}}, {{name: south, command: x, {south}}}]\n"
    )
    Path("lab.yml").write_text("leaf: {hosts: {leaf1: }}\n")
    done = rack_recipes("run", "r.yml", "-i", "lab.yml", "--across", "c.yml", "--dry-run")
    assert done.code == 0
    assert re.search(rf"^south +0 +has no part: {why}$", done.stdout, re.MULTILINE), done.stdout
