# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible has warned of, from its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.collection_path import ROOT
from rack_recipes.run.recorder.ansible_warnings import ansible_warnings

LOG = """\
[WARNING]: Invalid characters were found in group names but not replaced, use -vvvv to see details

PLAY [Run T] ****
[WARNING]: Found variable using reserved name 'environment'.
Origin: {here}/inventory.yml:6:14

5       hosts: {{leaf1: }}
6       vars: {{environment: x, password: hunter2-and-more}}
               ^ column 14

[WARNING]: Host 'leaf1' is using the discovered Python interpreter at '/usr/bin/python3.13', but future installation
[WARNING]: rack.recipes.recorder: leaf1, leaf2 are one host
[WARNING]: Module did not set no_log for token on leaf1.
[WARNING]: Module did not set no_log for token on leaf2.
[WARNING]: Module did not set no_log for token on leaf12.
ok: [leaf1] => {{"msg": "[WARNING]: not at the beginning of a line"}}
[WARNING]: Deprecation warnings can be disabled by setting `deprecation_warnings=False` in ansible.cfg.
[DEPRECATION WARNING]: Mapping as args is deprecated. It will be removed in 2.23.
Origin: {here}/tasks.yml:3:5

[DEPRECATION WARNING]: Ours to mend.
Origin: {ours}/playbooks/run.yml:1:1

\x1b[0;35m[DEPRECATION WARNING]: The setting foo is deprecated.\x1b[0m
"""
EXPECTED = """\
Ansible: Invalid characters were found in group names but not replaced, use -vvvv to see details
Ansible: Found variable using reserved name 'environment' (inventory.yml:6:14)
Ansible: Module did not set no_log for token on leaf1, 2 times
Ansible: Module did not set no_log for token on leaf12
Ansible: Mapping as args is deprecated. It will be removed in 2.23 (tasks.yml:3:5)
Ansible: The setting foo is deprecated
"""


@pytest.mark.parametrize(("log", "expected"), [(LOG, EXPECTED), ("", ""), (None, "")])
def test_each_warning_is_told_once_with_its_place(
    log: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    if log is not None:
        Path("ansible.log").write_text(log.format(here=tmp_path, ours=ROOT))
    assert [*ansible_warnings(Path("ansible.log"), ["leaf1", "leaf2"])] == expected.splitlines()
