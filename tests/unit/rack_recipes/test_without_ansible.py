# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs no Ansible can be imported where there is none: a page server, a report, a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[3] / "rack_recipes"
# What runs in Ansible's own processes, or asks it for the hosts of an inventory.
NEED_ANSIBLE = ("run/recorder/", "run/stage/", "run/host/", "cli/match_hosts.py")
RUNS_WHEN_IMPORTED = ("store/schema/migrations/",)  # by Alembic, which gives it a context
IMPORT_ALL = """
import importlib, json, sys
sys.modules["ansible"] = None
failed = {}
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)
print(json.dumps(failed))
"""


def test_all_else_is_imported_without_it():
    paths = (str(path.relative_to(LIBRARY)) for path in sorted(LIBRARY.rglob("*.py")))
    wanted = [
        path for path in paths if not path.startswith((*NEED_ANSIBLE, *RUNS_WHEN_IMPORTED)) and "templates/" not in path
    ]
    names = [f"rack_recipes.{path.removesuffix('.py').replace('/', '.')}" for path in wanted if path != "__init__.py"]
    assert len(names) > 300
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT_ALL], input=json.dumps(names), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}
