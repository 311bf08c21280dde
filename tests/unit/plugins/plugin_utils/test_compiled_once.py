# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ansible_collections.rack.recipes.plugins import plugin_utils
from ansible_collections.rack.recipes.plugins.plugin_utils import CompiledOnce, errors

NAMES = ("plugin_utils.errors", "plugin_utils.run.run_ids", "module_utils.verdicts", "plugin_utils.run")
IN_ANSIBLE = f"""
import importlib, json
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
names = {NAMES!r}
found = [importlib.import_module("ansible_collections.rack.recipes.plugins." + name) for name in names]
print(json.dumps([[type(each.__loader__).__name__, each.__spec__.cached] for each in found]))
"""


def test_ansible_loads_our_files_from_python_s_cache():
    done = subprocess.run([sys.executable, "-c", IN_ANSIBLE], capture_output=True, text=True, check=True)
    *modules, package = json.loads(done.stdout)
    assert [loader for loader, _cached in modules] == ["SourceFileLoader"] * len(modules)
    assert all(Path(cached).exists() for _loader, cached in modules)
    assert package[0].startswith("_Ansible")


def test_where_python_finds_them_itself_nothing_is_added():
    assert CompiledOnce not in sys.meta_path


def test_only_files_of_this_collection_are_found():
    folder = str(Path(errors.__file__).parent)
    found = CompiledOnce.find_spec(errors.__name__, [folder])
    assert found is not None
    assert found.origin == errors.__file__
    assert CompiledOnce.find_spec(f"{plugin_utils.__name__}.nothing", [folder]) is None
    assert CompiledOnce.find_spec(f"{plugin_utils.__name__}.run", [folder]) is None
    assert CompiledOnce.find_spec("ansible_collections.another.one.plugins.plugin_utils.errors", [folder]) is None
    assert CompiledOnce.find_spec("errors") is None


def test_no_file_has_the_name_of_a_package_beside_it():
    """Ansible takes the package then, and the finder the file."""
    plugins = Path(plugin_utils.__path__[0]).parent
    assert [path for path in plugins.rglob("*.py") if path.with_suffix("").is_dir()] == []
