# SPDX-License-Identifier: GPL-3.0-or-later

"""Run small playbooks by Ansible, in a project of their own. The results of their tasks are returned as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

HEAD = "- hosts: all\n  gather_facts: false\n  tasks:\n"
LAST = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "{{ found | default({}) | to_json }}", dest: "{{ inventory_hostname }}.json"}
"""


class Ended(NamedTuple):
    """Ansible's exit code, what it printed, the variable `found` of each host, and the project's folder."""

    code: int
    output: str
    found: dict[str, dict[str, Any]]
    folder: Path


def keep(name: str, value: str) -> str:
    """A task that keeps a value, or the error that it ends with."""
    return f"""\
    - ansible.builtin.set_fact: {{kept: {json.dumps(value)}}}
      register: outcome
      ignore_errors: true
    - ansible.builtin.set_fact:
        found: "{{{{ found | default({{}}) | combine({{'{name}': outcome.msg if outcome is failed else kept}}) }}}}"
"""


def attempt(name: str, task: str) -> str:
    """A task that keeps the result of another task."""
    return f"""\
    - {task}
      register: outcome
      ignore_errors: true
    - ansible.builtin.set_fact:
        found: "{{{{ found | default({{}}) | combine({{'{name}': outcome.msg | default(outcome)}}) }}}}"
"""


def ansible(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One of Ansible's programs, with no settings but those of the project in the current folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "RACK_RECIPES_"))}
    return subprocess.run(
        [sys.executable, "-m", "ansible", *arguments],
        capture_output=True,
        check=False,
        env={**kept, "HOME": str(Path.cwd()), "ANSIBLE_COLUMNS": "500", **variables},
        text=True,
        timeout=120,
    )


def play(text: str, *arguments: str, hosts: str = "r1,r2,") -> Ended:
    """Run plays on hosts that all are this machine."""
    Path("play.yml").write_text(text + LAST)
    python = json.dumps({"ansible_python_interpreter": sys.executable})
    line = ["playbook", "-i", hosts, "-c", "local", "-e", python, *arguments, "play.yml"]
    done = ansible(*line)
    found = {path.stem: json.loads(path.read_text()) for path in Path.cwd().glob("*.json")}
    return Ended(done.returncode, done.stdout + done.stderr, found, Path.cwd())
