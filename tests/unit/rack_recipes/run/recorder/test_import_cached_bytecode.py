# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import check_library, scriptlet_imports, verdicts
from rack_recipes.collection_path import COLLECTION
from rack_recipes.run.recorder.import_cached_bytecode import OURS, BytecodeFinder, import_cached_bytecode

PLUGINS = COLLECTION / "plugins"
# Prints how our modules were loaded that are there once Ansible has loaded the callback.
IN_ANSIBLE = """
import json, sys
from ansible.plugins.loader import callback_loader, init_plugin_loader
init_plugin_loader()
callback_loader.get("rack.recipes.recorder")
ours = {name: module.__spec__ for name, module in sys.modules.items() if name.startswith(sys.argv[1])}
print(json.dumps({name: [type(spec.loader).__name__, spec.cached] for name, spec in ours.items() if spec}))
"""


def test_ansible_loads_our_files_compiled():
    done = subprocess.run([sys.executable, "-c", IN_ANSIBLE, OURS], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    files = {name: cached for name, (loader, cached) in loaded.items() if loader == "SourceFileLoader"}
    by_ansible = {name for name, (loader, _cached) in loaded.items() if loader.startswith("_Ansible")}
    assert len(files) > 10
    assert all(Path(cached).exists() for cached in files.values() if cached)
    before = {check_library.__name__, scriptlet_imports.__name__}  # what leads to the finder itself
    folders = {name for name in by_ansible if PLUGINS.joinpath(*name.removeprefix(OURS).split(".")).is_dir()}
    assert folders | before == by_ansible


def test_the_finder_is_asked_right_before_ansible_s_and_once(monkeypatch: pytest.MonkeyPatch):
    first, ansible, last = object(), type("Finder", (), {"__module__": "ansible.utils"})(), object()
    monkeypatch.setattr(sys, "meta_path", [first, ansible, last])
    import_cached_bytecode()
    import_cached_bytecode()
    assert sys.meta_path == [first, BytecodeFinder, ansible, last]


def test_without_ansible_nothing_changes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "meta_path", [before := object()])
    import_cached_bytecode()
    assert sys.meta_path == [before]


def test_only_files_of_this_collection_are_found():
    folder = str(Path(verdicts.__file__).parent)
    found = BytecodeFinder.find_spec(verdicts.__name__, [folder])
    assert found is not None
    assert found.origin == verdicts.__file__
    assert BytecodeFinder.find_spec(f"{OURS}module_utils.nothing", [folder]) is None
    assert BytecodeFinder.find_spec(f"{OURS}module_utils.executor", [folder]) is None
    assert BytecodeFinder.find_spec("ansible_collections.another.one.plugins.module_utils.verdicts", [folder]) is None
    assert BytecodeFinder.find_spec("verdicts") is None


def test_no_file_has_the_name_of_a_folder_beside_it():
    """Ansible takes the folder then, and the finder the file."""
    assert [path for path in PLUGINS.rglob("*.py") if path.with_suffix("").is_dir()] == []
