# SPDX-License-Identifier: GPL-3.0-or-later

"""What is locked of a recipe, and that nothing else is let pass."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible.release
import pytest
from ansible.plugins.loader import module_loader

from call_rack_recipes import COMMAND
from rack_recipes.errors import CatalogError, TrustError
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.run.host import zip_payload
from rack_recipes.run.host.host_request import PayloadFiles
from rack_recipes.run.host.project_files import pin
from rack_recipes.run.trust import find_ansible_module
from rack_recipes.run.trust.check_trust import check_run
from rack_recipes.run.trust.lock_file import differences, lock_of, read_lock, write_lock
from rack_recipes.run.trust.trust_request import TrustRequest, request_of_plan
from rack_recipes.settings import Settings
from rack_recipes.version import VERSION

STEP = "from scriptlets.t import helper\nclass Step(Scriptlet):\n    writes = ('t.step_v1',)\n"
HOOK = "class Hook(Scriptlet):\n    pass\n"
PART = "test_meta: {test_id: P}\nsteps: [{name: inner, type: shell, module: disk.usage}]\n"
MIDDLE = "test_meta: {test_id: M}\nsteps: [{name: middle, include: part.yml}]\n"
RECIPE = """\
test_meta: {test_id: T}
hooks: {pre_step: [{module: t.hook}]}
context: {merge: {"t.*": hook t.merging}}
steps:
  - {name: a, module: t.step}
  - {name: b, type: ansible, module: ansible.builtin.ping}
  - {name: c, include: recipes/middle.yml}
"""
FILES = {
    "r.yml": RECIPE,
    "recipes/middle.yml": MIDDLE,
    "recipes/part.yml": PART,
    "scriptlets/t/step.py": STEP,
    "scriptlets/t/helper.py": "A = 1\n",
    "scriptlets/t/hook.py": HOOK,
    "scriptlets/t/merging.py": "def merge(key, base, theirs, ours):\n    return ours\n",
}
LOCKED = Settings(locked=True)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    forget()
    for path, text in FILES.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def forget() -> None:
    """What a process reads once, another one reads anew."""
    for cached in (zip_payload._imported, zip_payload._ends):
        cached.cache_clear()


def asked(recipe: str = "r.yml") -> TrustRequest:
    forget()
    return request_of_plan(plan_of(recipe, LOCKED), LOCKED)


def write() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_lock(lock_of([asked()])).read_text())
    return found


def refusal(recipe: str = "r.yml") -> str:
    with pytest.raises(TrustError) as caught:
        check_run(asked(recipe), LOCKED)
    assert caught.value.exit_code == 2
    return str(caught.value)


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_file_has_all_that_a_recipe_is_made_of():
    held = write()
    usage = {
        name: digest(zip_payload.ROOT / name) for name in ("scriptlets/disk/usage.sh", "scriptlets/disk/usage.yml")
    }
    assert held == {
        "version": 1,
        "recipes": {
            "r.yml": {
                "digest": asked().digest,
                "files": {name: digest(name) for name in ("r.yml", "recipes/middle.yml", "recipes/part.yml")},
            }
        },
        "scriptlets": {
            "disk.usage (shell)": {"origin": f"rack.recipes {VERSION}", "files": usage},
            "t.hook (python)": {
                "origin": "scriptlets",
                "files": {"scriptlets/t/hook.py": digest("scriptlets/t/hook.py")},
            },
            "t.merging (merge hook)": {
                "origin": "scriptlets",
                "files": {"scriptlets/t/merging.py": digest("scriptlets/t/merging.py")},
            },
            "t.step (python)": {
                "origin": "scriptlets",
                "files": {name: digest(name) for name in ("scriptlets/t/helper.py", "scriptlets/t/step.py")},
            },
        },
        "modules": {"ansible.builtin.ping": f"ansible-core {ansible.release.__version__}"},
        "plugins": {},
    }


def test_the_same_project_gives_the_same_bytes():
    write()
    first = Path("rack-recipes.lock").read_bytes()
    write()
    assert Path("rack-recipes.lock").read_bytes() == first
    lines = first.decode().splitlines()
    assert json.dumps(json.loads(first), indent=2, sort_keys=True).splitlines() == lines
    assert not list(Path().glob(".rack-recipes.lock*"))


def test_what_is_as_it_was_locked_passes():
    write()
    pins = check_run(asked(), LOCKED)
    assert pins is not None
    assert pins["scriptlets/t/helper.py"] == {digest("scriptlets/t/helper.py")}
    assert check_run(asked(), Settings()) is None
    assert [*differences(read_lock(), lock_of([asked()]))] == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("r.yml", "recipe r.yml has changed: r.yml"),
        ("recipes/middle.yml", "recipe r.yml has changed: recipes/middle.yml"),
        ("recipes/part.yml", "recipe r.yml has changed: recipes/part.yml"),
        ("scriptlets/t/step.py", "scriptlet t.step (python) has changed: scriptlets/t/step.py"),
        ("scriptlets/t/helper.py", "scriptlet t.step (python) has changed: scriptlets/t/helper.py"),
        ("scriptlets/t/hook.py", "scriptlet t.hook (python) has changed: scriptlets/t/hook.py"),
        ("scriptlets/t/merging.py", "scriptlet t.merging (merge hook) has changed: scriptlets/t/merging.py"),
    ],
)
def test_a_changed_file_is_refused_by_its_name(path: str, said: str):
    write()
    with Path(path).open("a") as file:
        file.write("# one more\n")
    assert refusal().splitlines() == [
        f"not as rack-recipes.lock has it: {said}",
        "look at it, and if it is as it should be: rack-recipes lock r.yml",
    ]


SUITES = """\
test_meta: {test_id: S}
steps:
  - {name: folder, module: suite.pytest, args: {src: checks/}}
  - {name: file, module: suite.tap, args: {src: fans.sh}}
  - {name: later, module: suite.tap, args: {src: "{{ suite }}"}}
  - {name: of_host, module: suite.tap, args: {src: /opt/fans.sh}}
"""


@pytest.fixture
def suites() -> None:
    """A recipe with suites, which is locked."""
    for path in ("checks/test_a.py", "checks/deep/test_b.py", "fans.sh"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("# a test\n")
    Path("s.yml").write_text(SUITES)
    write_lock(lock_of([asked("s.yml")]))


@pytest.mark.usefixtures("suites")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("checks/deep/test_b.py", "checks/ (run by suite.pytest) has changed: checks/deep/test_b.py"),
        ("checks/conftest.py", "checks/ (run by suite.pytest) has changed: checks/conftest.py"),
        ("fans.sh", "fans.sh (run by suite.tap) has changed: fans.sh"),
    ],
)
def test_files_that_a_scriptlet_runs_are_locked(path: str, said: str):
    assert check_run(asked("s.yml"), LOCKED)
    with Path(path).open("a") as file:
        file.write("# one more\n")
    assert refusal("s.yml").splitlines()[0] == f"not as rack-recipes.lock has it: scriptlet {said}"


@pytest.mark.usefixtures("suites")
def test_files_that_a_scriptlet_runs_are_sent_only_where_they_are_locked():
    """A template may name another suite, and a file may be added while the run goes on."""
    Path("other.sh").write_text("# another\n")
    entry = find_scriptlet("suite.tap", "", "python", ())
    pin(check_run(asked("s.yml"), LOCKED))
    try:
        PayloadFiles().add(entry, {"src": "fans.sh"})
        with pytest.raises(CatalogError, match=r"other\.sh is not in the lock file of this run"):
            PayloadFiles().add(entry, {"src": "other.sh"})
    finally:
        pin(None)
    PayloadFiles().add(entry, {"src": "other.sh"})


MODULE = "test_meta: {{test_id: M}}\nsteps: [{{name: a, type: ansible, module: ansible.builtin.{}, args: {}}}]\n"


@pytest.mark.parametrize(
    ("module", "args", "name"),
    [
        ("script", "{cmd: 'fans.sh --all'}", "fans.sh"),
        ("script", "{cmd: fans.sh}", "files/fans.sh"),
        ("script", "{_raw_params: '{here}/tools/fans.sh 1'}", "tools/fans.sh"),
        ("script", "{cmd: '{here}/../elsewhere.sh'}", "{here}/../elsewhere.sh"),
        ("template", "{src: motd.j2, dest: /etc/motd}", "motd.j2"),
        ("template", "{src: motd.j2, dest: /etc/motd}", "templates/motd.j2"),
    ],
)
def test_what_a_module_runs_of_the_controller_is_locked(module: str, args: str, name: str, tmp_path: Path):
    """Jinja in a template runs on the controller."""
    file = Path(name.replace("{here}", str(tmp_path)))
    file.parent.mkdir(exist_ok=True)
    file.write_text("FIRST")
    named = os.path.normpath(file)
    try:
        Path("m.yml").write_text(MODULE.format(module, args.replace("{here}", str(tmp_path))))
        write_lock(lock_of([asked("m.yml")]))
        assert check_run(asked("m.yml"), LOCKED) == {named: {digest(str(file))}}
        file.write_text("SECOND")
        run_by = f"{named} (run by ansible.builtin.{module})"
        assert refusal("m.yml").splitlines()[0].endswith(f"scriptlet {run_by} has changed: {named}")
    finally:
        file.unlink()


def test_of_what_a_template_decides_nothing_is_known_before(tmp_path: Path):
    Path("m.yml").write_text(MODULE.format("script", "{cmd: '{{ which }}.sh'}"))
    write_lock(lock_of([asked("m.yml")]))
    assert check_run(asked("m.yml"), LOCKED) == {}


def test_a_file_that_hides_the_collection_s_is_refused():
    write()
    for name in ("usage.sh", "usage.yml"):
        Path("scriptlets/disk").mkdir(exist_ok=True)
        Path("scriptlets/disk", name).write_bytes((zip_payload.ROOT / "scriptlets/disk" / name).read_bytes())
    said = f"scriptlet disk.usage (shell) has changed: it comes from scriptlets, not from rack.recipes {VERSION}"
    assert said in refusal()


def test_what_was_never_locked_is_refused():
    write()
    Path("other.yml").write_text("test_meta: {test_id: O}\nsteps: [{name: a, type: shell, module: memory.usage}]\n")
    said = refusal("other.yml").splitlines()[0]
    assert said == (
        "not as rack-recipes.lock has it: recipe other.yml is not locked; scriptlet memory.usage (shell) is not locked"
    )


def test_another_version_of_ansible_is_refused():
    held = write()
    held["modules"]["ansible.builtin.ping"] = "ansible-core 1.2.3"
    Path("rack-recipes.lock").write_text(json.dumps(held))
    here = f"ansible-core {ansible.release.__version__}"
    assert f"module ansible.builtin.ping has changed: it is of {here}, not of ansible-core 1.2.3" in refusal()


def test_a_playbook_knows_only_the_digest_of_its_recipe():
    write()
    made = asked()
    compiled = TrustRequest("run", "r.yml", digest=made.digest, entries=made.entries)
    assert check_run(compiled, LOCKED)
    other = TrustRequest("run", "r.yml", digest="sha256:0")
    with pytest.raises(TrustError, match=r"recipe r\.yml has changed: what it was compiled from"):
        check_run(other, LOCKED)


def test_paths_are_the_project_s(tmp_path: Path):
    write()
    assert check_run(asked(str(tmp_path / "r.yml")), LOCKED)
    assert check_run(asked("./recipes/../r.yml"), LOCKED)


def test_no_lock_file(tmp_path: Path):
    assert refusal() == f"there is no rack-recipes.lock in {tmp_path}: rack-recipes lock RECIPE makes one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rack-recipes.lock:1:1: expected a mapping with version, recipes, scriptlets and modules, got an empty"),
        ("<<<<<<< ours\n{}", "rack-recipes.lock:"),
        ('{"version": 1', "rack-recipes.lock:1:"),
        ("[]", "expected a mapping with version, recipes, scriptlets and modules, got an empty list"),
        ("{}", "rack-recipes.lock:1:1: expected version 1, which this rack-recipes knows, got nothing; rack-recipes"),
        ('{"version": 2}', "expected version 1, which this rack-recipes knows, got the number 2"),
        ('{"version": 1, "recipes": []}', "expected a mapping recipes, got an empty list"),
        (
            '{"version": 1, "recipes": {"r.yml": {"digest": 1, "files": {}}}, "scriptlets": {}, "modules": {}}',
            "rack-recipes.lock:1:37: expected a mapping with digest and files, got a mapping with digest, files",
        ),
        (
            '{"version": 1, "recipes": {}, "scriptlets": {"a": {"origin": "b", "files": {"c": 1}}}, "modules": {}}',
            "expected a mapping with origin and files, got a mapping with origin, files",
        ),
        (
            '{"version": 1, "recipes": {}, "scriptlets": {}, "modules": {}, "plugins": []}',
            "expected a mapping plugins, got an empty list",
        ),
        (
            '{"version": 1, "recipes": {}, "scriptlets": {}, "modules": {}, "plugins": {"a": 1}}',
            "expected its SHA-256, got the number 1",
        ),
        (
            '{"version": 1, "recipes": {}, "scriptlets": {}, "modules": {"a": 1}}',
            "rack-recipes.lock:1:66: expected its version, got the number 1; rack-recipes lock RECIPE makes it anew",
        ),
    ],
)
def test_a_broken_lock_file(text: str, said: str):
    Path("rack-recipes.lock").write_text(text)
    assert said in refusal()


def test_a_lock_file_that_everyone_can_write():
    write()
    Path("rack-recipes.lock").chmod(0o666)
    assert refusal() == "rack-recipes.lock is not trusted: everyone can write to it (chmod o-w rack-recipes.lock)"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_a_lock_file_of_a_stranger_s():
    write()
    os.chown("rack-recipes.lock", 54_321, -1)
    assert refusal() == "rack-recipes.lock is not trusted: it belongs to 54321, not to root"


def ask_for(module: str) -> str:
    """A recipe with nothing but a module."""
    Path("m.yml").write_text(f"test_meta: {{test_id: M}}\nsteps: [{{name: a, type: ansible, module: {module}}}]\n")
    return "m.yml"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A module of the project's, as `library = library` in ansible.cfg has it."""
    monkeypatch.setattr(module_loader, "config", [str(tmp_path / "library")])
    monkeypatch.setattr(module_loader, "_paths", None)
    probe = Path("library/probe.py")
    probe.parent.mkdir()
    probe.write_text("FIRST")
    return probe


@pytest.mark.parametrize("name", ["probe", "command"])
def test_a_module_of_the_project_is_locked_by_its_file(name: str, library: Path):
    """One with the name of ansible-core's is run in its place: so are all that ansible-core makes of it."""
    module = library.rename(library.with_stem(name))
    recipe = ask_for(f"ansible.legacy.{name}")
    held = json.loads(write_lock(lock_of([asked(recipe)])).read_text())
    here = f"ansible-core {ansible.release.__version__}"
    assert held["modules"] == {f"ansible.legacy.{name}": f"{here}, library/{name}.py sha256:{digest(str(module))}"}
    assert check_run(asked(recipe), LOCKED) == {}
    module.write_text("SECOND")
    said = f"not as rack-recipes.lock has it: module ansible.legacy.{name} has changed: library/{name}.py"
    assert refusal(recipe).splitlines()[0] == said


def test_a_module_of_the_project_that_hides_ansible_core_s_is_refused(library: Path):
    recipe = ask_for("ansible.builtin.shell")
    write_lock(lock_of([asked(recipe)]))
    assert check_run(asked(recipe), LOCKED) == {}
    library.rename(library.with_stem("command"))
    assert "module ansible.builtin.shell has changed: library/command.py\n" in refusal(recipe)


def test_a_collection_without_a_version_is_locked_by_its_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(find_ansible_module, "_folders", lambda: iter([Path("collections")]))
    plugins = Path("collections/ansible_collections/my/coll/plugins")
    for path in ("modules/probe.py", "module_utils/helper.py"):
        (plugins / path).parent.mkdir(parents=True)
        (plugins / path).write_text("FIRST")
    recipe = ask_for("my.coll.probe")
    held = json.loads(write_lock(lock_of([asked(recipe)])).read_text())
    assert held["modules"]["my.coll.probe"].startswith(f"my.coll, {plugins} sha256:")
    assert check_run(asked(recipe), LOCKED) == {}
    (plugins / "module_utils/helper.py").write_text("SECOND")
    said = refusal(recipe)
    assert f"module my.coll.probe has changed: {plugins}; plugin {plugins} has changed: what is in it\n" in said


def test_a_collection_of_the_project_is_locked_by_its_folder_whatever_it_says_of_its_version():
    folder = Path("collections/ansible_collections/my/coll")
    (folder / "plugins/filter").mkdir(parents=True)
    (folder / "plugins/filter/f.py").write_text("FIRST")
    recipe = ask_for("ansible.builtin.ping")
    write_lock(lock_of([asked(recipe)]))
    assert check_run(asked(recipe), LOCKED) == {}
    (folder / "MANIFEST.json").write_text('{"collection_info": {"version": "1.0.0"}}')
    assert check_run(asked(recipe), LOCKED) == {}
    (folder / "plugins/filter/f.py").write_text("SECOND")
    assert f"plugin {folder}/plugins has changed: what is in it\n" in refusal(recipe)


@pytest.mark.parametrize(
    "kind", ["filter", "test", "lookup", "callback", "vars", "inventory", "connection", "become", "shell", "strategy"]
)
def test_plugins_of_the_project_are_locked(kind: str):
    """A step need not name them: a template does, or Ansible loads them by itself."""
    write()
    plugin = Path(f"{kind}_plugins/deep/one.py")
    plugin.parent.mkdir(parents=True)
    plugin.write_text("FIRST")
    assert f"plugin {plugin} is not locked\n" in refusal()
    assert write()["plugins"] == {str(plugin): digest(str(plugin))}
    assert check_run(asked(), LOCKED)
    plugin.write_text("SECOND")
    assert f"plugin {plugin} has changed: what is in it\n" in refusal()


@pytest.mark.parametrize("name", ["ANSIBLE_FILTER_PLUGINS", ""])
def test_a_variable_or_the_home_that_brings_plugins_is_seen_from_outside(name: str, tmp_path: Path):
    """Ansible reads its settings when it is imported."""
    home = tmp_path / "home"
    folder = tmp_path / "elsewhere" if name else home / ".ansible/plugins/lookup"
    folder.mkdir(parents=True)
    (folder / "ping.py").write_text("FIRST")
    env = {**os.environ, "HOME": str(home), **({name: str(folder)} if name else {})}
    write()
    program = (sys.executable, "-P", "-c", COMMAND)
    done = subprocess.run([*program, "lock", "--check"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{folder.relative_to(tmp_path)}/ping.py" in done.stderr


def test_a_lock_file_of_an_earlier_rack_recipes_has_no_plugins():
    held = write()
    del held["plugins"]
    Path("rack-recipes.lock").write_text(json.dumps(held))
    assert check_run(asked(), LOCKED)
    Path("filter_plugins").mkdir()
    Path("filter_plugins/f.py").write_text("FIRST")
    assert refusal().splitlines() == [
        "not as rack-recipes.lock has it: plugin filter_plugins/f.py is not locked",
        "look at it, and if it is as it should be: rack-recipes lock r.yml",
    ]


@pytest.mark.parametrize(
    ("module", "locked", "said"),
    [
        ("ansible.legacy.probe", "ansible.builtin.probe", "module ansible.legacy.probe is not locked"),
        (
            "my.coll.probe",
            "my.coll.probe",
            "module my.coll.probe has changed: it is of my.coll, which is not here",
        ),
    ],
)
def test_a_module_that_was_locked_without_its_files_is_to_be_locked_anew(
    module: str, locked: str, said: str, library: Path
):
    recipe = ask_for(module)
    held = json.loads(write_lock(lock_of([asked(recipe)])).read_text())
    held["modules"] = {locked: "my.coll an unknown version"}
    Path("rack-recipes.lock").write_text(json.dumps(held))
    assert said in refusal(recipe)
    assert refusal(recipe).splitlines()[1].endswith("rack-recipes lock m.yml")


def test_a_module_that_cannot_be_read(library: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    recipe = asked(ask_for("ansible.legacy.probe"))
    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(CatalogError, match=r"library/probe\.py: cannot be read: Permission denied$"):
        lock_of([recipe])
