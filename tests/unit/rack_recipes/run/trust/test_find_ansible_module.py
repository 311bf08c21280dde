# SPDX-License-Identifier: GPL-3.0-or-later

"""By which names a module of Ansible's counts, and which files it is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.plugins import loader as loaders
from ansible.release import __version__

from rack_recipes.run.trust import find_ansible_module
from rack_recipes.run.trust.find_ansible_module import Code, code_of, full_name, names_of

CORE = f"ansible-core {__version__}"
COLLECTIONS = Path("collections/ansible_collections")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose ansible.cfg names a folder for each kind of a module's files, and one for collections."""
    monkeypatch.chdir(tmp_path)
    for kind, folder in (("module", "library"), ("action", "action_plugins"), ("module_utils", "module_utils")):
        loader = getattr(loaders, f"{kind}_loader")
        monkeypatch.setattr(loader, "config", [str(tmp_path / folder)])
        monkeypatch.setattr(loader, "_paths", None)
    monkeypatch.setattr(
        find_ansible_module, "_folders", lambda: iter((Path("absent"), Path("collections"), Path("installed")))
    )
    find_ansible_module._routes.cache_clear()


def put(*paths: str) -> tuple[Path, ...]:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("#")
    return tuple(Path(path).absolute() for path in paths)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("ping", "ansible.builtin.ping"),
        ("ansible.legacy.shell", "ansible.builtin.shell"),
        ("ansible.builtin.shell", "ansible.builtin.shell"),
        ("cisco.ios.ios_command", "cisco.ios.ios_command"),
        ("probe", "ansible.legacy.probe"),
        ("ansible.legacy.probe", "ansible.legacy.probe"),
        ("ansible.legacy.old", "ansible.legacy.old"),
        ("ansible.legacy.deep", "ansible.legacy.deep"),
        ("ansible.legacy.gone", "ansible.builtin.gone"),
        ("ansible.legacy.acting", "ansible.legacy.acting"),
    ],
)
def test_a_module_has_one_name(module: str, name: str):
    put("library/probe.py", "library/_old.py", "library/disk/deep.py", "action_plugins/acting.py")
    assert full_name(module) == name
    assert names_of(module) == (name,)


def test_what_hides_a_module_of_ansible_core_counts_too():
    """Its actions run `ansible.legacy.command`, so that this is what an `ansible.builtin.shell` really runs."""
    put("library/command.py", "module_utils/common/text/converters.py", "module_utils/other.py")
    assert names_of("ansible.builtin.shell") == (
        "ansible.builtin.shell",
        "ansible.legacy.command",
        "ansible.legacy.converters",
    )
    assert names_of("ansible.legacy.command")[0] == "ansible.legacy.command"


def test_ansible_core_is_known_by_its_version():
    assert code_of("ansible.builtin.ping") == Code((CORE,))
    put("library/probe.py", "module_utils/other.py", "library/README.md")
    assert code_of("ansible.builtin.ping") == Code((CORE,))


def test_the_files_of_a_module_of_the_project():
    own = put("action_plugins/net_probe.py", "library/net_probe.py", "module_utils/a.py", "module_utils/b/c.py")
    shared = put("action_plugins/net.py")
    put("library/other.py", "library/net_probe.pyc", "module_utils/__pycache__/a.pyc")
    assert code_of("ansible.legacy.net_probe") == Code((CORE,), (*shared, *own))


def test_what_hides_a_module_of_ansible_core_is_a_part_of_all():
    hiding = put("action_plugins/normal.py", "library/command.py", "module_utils/basic/__init__.py")
    for module in ("ansible.builtin.ping", "cisco.ios.ios_command", "ansible.legacy.command"):
        assert code_of(module).parts == hiding


def test_the_version_of_a_collection():
    assert code_of("cisco.ios.ios_command") == Code(("cisco.ios, which is not here",))
    manifest = Path("installed/ansible_collections/cisco/ios/MANIFEST.json")
    put(str(manifest))
    manifest.write_text('{"collection_info": {"version": "9.8.7"}}')
    assert code_of("cisco.ios.ios_command") == Code(("cisco.ios 9.8.7",))
    manifest.write_text("[]")
    assert code_of("cisco.ios.ios_command") == Code(("cisco.ios",))


def test_the_folder_of_a_collection_without_a_version():
    """Also where it hides an installed one."""
    manifest = Path("installed/ansible_collections/my/coll/MANIFEST.json")
    put(str(manifest), f"{COLLECTIONS}/my/coll/plugins/modules/probe.py")
    manifest.write_text(json.dumps({"collection_info": {"version": "1.0.0"}}))
    folder = COLLECTIONS / "my/coll"
    assert code_of("my.coll.probe") == Code(("my.coll",), (folder / "plugins",))
    put(f"{folder}/meta/runtime.yml")
    assert code_of("my.coll.probe") == Code(("my.coll",), (folder / "meta/runtime.yml", folder / "plugins"))


@pytest.mark.parametrize("kind", ["modules", "action"])
def test_a_module_that_has_moved(kind: str):
    moved = COLLECTIONS / "my/coll/meta/runtime.yml"
    put(str(moved), f"{COLLECTIONS}/your/coll/plugins/modules/b.py")
    moved.write_text(f"plugin_routing: {{{kind}: {{a: {{redirect: your.coll.b}}, b: {{redirect: my.coll.b}}}}}}")
    found = code_of("my.coll.a")
    assert found.packages == ("my.coll", "your.coll")
    assert found.parts == (moved, COLLECTIONS / "your/coll/plugins")
    assert code_of("my.coll.b").packages == ("my.coll",)


@pytest.mark.parametrize("text", ["", "[", "- a", "plugin_routing: 1", "plugin_routing: {modules: {a: {redirect: b}}}"])
def test_a_list_of_moved_modules_that_leads_nowhere(text: str):
    moved = COLLECTIONS / "my/coll/meta/runtime.yml"
    put(str(moved))
    moved.write_text(text)
    assert code_of("my.coll.a").packages == ("my.coll",)


def test_a_module_that_ansible_core_has_given_away():
    assert code_of("ansible.builtin.timezone").packages == (CORE, "community.general, which is not here")


def test_a_folder_is_read_whole(tmp_path: Path):
    put("plugins/modules/a.py", "plugins/modules/a.pyc", "plugins/__pycache__/b.py", "shared/c.py")
    Path("plugins/utils").symlink_to(tmp_path / "shared")
    Path("shared/again").symlink_to(tmp_path / "plugins")
    found = [str(path.relative_to("plugins")) for path in find_ansible_module.files_below(Path("plugins"))]
    assert found == ["modules/a.py", "utils/c.py"]


def test_collections_are_looked_for_where_ansible_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    assert Path("/usr/share/ansible/collections") in [*find_ansible_module._folders()]
