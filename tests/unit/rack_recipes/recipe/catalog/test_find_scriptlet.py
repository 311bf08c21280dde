# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file a name means: scriptlets, Ansible modules, files that shadow folders."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog import find_scriptlet as module
from rack_recipes.recipe.catalog import scriptlet_files
from rack_recipes.recipe.catalog.find_scriptlet import (
    DEFAULT_FOLDERS,
    builtin_modules,
    find_scriptlet,
    is_missing_builtin,
    list_scriptlets,
    load_errors,
)


@pytest.fixture
def no_ansible(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which Ansible is not installed."""
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    builtin_modules.cache_clear()
    yield
    builtin_modules.cache_clear()


def test_modules_and_actions_are_known():
    assert {"ansible.builtin.command", "ansible.builtin.add_host", "ansible.builtin.ping"} <= {*builtin_modules()}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("ansible.builtin.comand", True),
        ("ansible.builtin.command", False),
        ("ansible.builtin.docker_container", False),  # it has moved, and Ansible finds it
        ("arista.eos.eos_comand", False),  # the collection may be where the recipe is run
    ],
)
def test_what_ansible_itself_does_not_have(name: str, missing: bool):
    assert is_missing_builtin(name) == missing


def test_nothing_is_known_without_ansible(no_ansible: None):
    assert builtin_modules() == ()
    assert not is_missing_builtin("ansible.builtin.comand")


CLASS = "class {0}(Scriptlet):\n    '''What {0} tests.'''\n    writes = ('{1}_v1',)\n"
SIDECAR = "description: What it tests\noptions: {device: {type: str}}\nreads: []\nwrites: [disk.sectors_v1]\n"
SCRIPT = "#!/bin/sh\n"


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """The `scriptlets` folder of a project, which is the working folder."""
    Path("scriptlets").mkdir()
    return Path("scriptlets")


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(
    module: str, kind: str = "python", function: str = "", folders: tuple[Path, ...] = (Path("scriptlets"),)
) -> str:
    with pytest.raises(CatalogError) as caught:
        find_scriptlet(module, function, kind, folders)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_published_scriptlet():
    found = find_scriptlet("rack.recipes.numbers_stats", "", "python", ())
    assert (found.name, found.kind, found.function, found.source) == (
        "rack.recipes.numbers_stats",
        "python",
        "NumbersStats",
        "collection",
    )
    assert found.inside == "ansible_collections/rack/recipes/plugins/modules/numbers_stats.py"
    assert found.options == {"src": {"type": "path", "required": True}}
    assert (found.reads, found.writes) == ((), ("numbers.stats_v1",))
    assert found.digest.startswith("sha256:")
    assert found.path.is_file()


def test_a_scriptlet_for_the_whole_run_says_so():
    assert find_scriptlet("rack.recipes.host_compare", "", "python", ()).scope == "run"


@pytest.mark.parametrize(
    "module",
    [
        "orchestrator.scriptlets.python.steps.compute_numbers",
        "orchestrator.scriptlets.steps.compute_numbers",
        "scriptlets.steps.compute_numbers",
        "steps.compute_numbers",
    ],
)
def test_any_tail_finds_a_drop_in(folder, module):
    write(folder / "steps/compute_numbers.py", CLASS.format("ComputeNumbers", "numbers.stats"))
    found = find_scriptlet(module, "ComputeNumbers", "python", [folder])
    assert found.name == "steps.compute_numbers"
    assert found.inside == "scriptlets/steps/compute_numbers.py"
    assert found.path == Path("scriptlets/steps/compute_numbers.py")
    assert (found.source, found.options, found.reads) == ("project", None, None)
    assert found.description == "What ComputeNumbers tests."


def test_the_longest_tail_wins_over_a_nearer_folder(folder):
    write(folder / "usage.sh", SCRIPT)
    write(folder / "usage.yml", SIDECAR)
    assert find_scriptlet("scriptlets.disk.usage", "", "shell", [folder]).source == "collection"
    assert find_scriptlet("x.usage", "", "shell", [folder]).source == "project"


def test_the_projects_folder_comes_before_the_collections(folder):
    write(folder / "disk/usage.sh", SCRIPT)
    write(folder / "disk/usage.yml", SIDECAR)
    found = find_scriptlet("scriptlets.disk.usage", "", "shell", [folder])
    assert (found.source, found.writes) == ("project", ("disk.sectors_v1",))


def test_the_first_of_several_folders_wins(folder):
    other = Path("more")
    for place in (folder, other):
        write(place / "a.py", CLASS.format("A", place.name))
    assert find_scriptlet("a", "", "python", [folder, other]).writes == ("scriptlets_v1",)
    assert find_scriptlet("a", "", "python", [other, folder]).writes == ("more_v1",)
    assert find_scriptlet("a", "", "python", [other]).inside == "scriptlets/a.py"


def test_the_collections_drop_ins_need_no_project(tmp_path):
    found = find_scriptlet("scriptlets.clock.jitter", "", "native", [tmp_path / "absent"])
    assert (found.kind, found.source, found.flags) == ("native", "collection", ("-O2",))
    assert found.inside == "scriptlets/clock/jitter.c"


@pytest.mark.parametrize(
    ("name", "content", "mode", "kind"),
    [
        ("sectors.sh", "echo", 0o644, "shell"),
        ("sectors.awk", "#!/usr/bin/awk -f\n", 0o644, "shell"),
        ("sectors.c", "int main(void) {}", 0o644, "native"),
        ("sectors.pl", "#!/usr/bin/perl\n", 0o644, "shell"),
        ("sectors", "#!/bin/sh\n", 0o755, "shell"),
        ("sectors", "\x7fELF", 0o755, "native"),
        ("sectors.bin", "\x7fELF", 0o755, "native"),
    ],
)
def test_a_sidecar_makes_a_file_a_scriptlet(folder, name, content, mode, kind):
    write(folder / "disk" / name, content, mode)
    write(folder / "disk/sectors.yml", SIDECAR)
    found = find_scriptlet("disk.sectors", "", kind, [folder])
    assert (found.kind, found.inside) == (kind, f"scriptlets/disk/{name}")
    assert found.description == "What it tests"
    assert found.options == {"device": {"type": "str"}}
    assert (found.reads, found.writes) == ((), ("disk.sectors_v1",))


def test_what_the_type_decides_is_no_ambiguity(folder):
    write(folder / "a.py", CLASS.format("A", "a"))
    write(folder / "a.sh", SCRIPT)
    write(folder / "a.c", "int main(void) {}")
    write(folder / "a.yml", SIDECAR)
    assert [find_scriptlet("a", "", kind, [folder]).path.name for kind in ("python", "shell", "native")] == [
        "a.py",
        "a.sh",
        "a.c",
    ]


@pytest.mark.parametrize(("first", "second", "kind"), [("a.sh", "a.awk", "shell"), ("a.c", "a", "native")])
def test_two_candidates_are_named(folder, first, second, kind):
    write(folder / first, "#!/bin/sh\n" if kind == "shell" else "", 0o755)
    write(folder / second, "#!/bin/sh\n" if kind == "shell" else "", 0o755)
    write(folder / "a.yml", SIDECAR)
    assert all(f"scriptlets/{name}" in refusal("a", kind) for name in (first, second))


@pytest.mark.parametrize("name", ["a.sh~", "a.md"])
def test_other_files_are_no_candidates(folder, name):
    write(folder / "a.sh", SCRIPT)
    write(folder / "a.yml", SIDECAR)
    write(folder / name, "text", 0o755 if name.endswith("~") else 0o644)
    assert find_scriptlet("a", "", "shell", [folder]).path.name == "a.sh"


def test_a_wrong_type_is_said(folder):
    assert refusal("rack.recipes.numbers_stats", "shell") == (
        "rack.recipes.numbers_stats has no scriptlet of type shell, but "
        f"{scriptlet_files.COLLECTION}/plugins/modules/numbers_stats.py (type: python)"
    )


@pytest.mark.parametrize(("name", "kind"), [("usage.sh", "shell"), ("usage.awk", "shell"), ("usage.c", "native")])
def test_without_an_envelope_a_script_needs_no_sidecar(folder, name, kind):
    write(folder / "site" / name, SCRIPT)
    found = find_scriptlet("site.usage", "", kind, [folder], "none")
    assert (found.patterns, found.options, found.reads, found.writes) == ({}, None, None, ())
    write(folder / "site" / name, f"{SCRIPT}# other")
    assert find_scriptlet("site.usage", "", kind, [folder], "none").digest != found.digest
    write(folder / "site" / name, "#!/bin/sh\r\n")
    with pytest.raises(CatalogError, match="expected Unix line ends"):
        find_scriptlet("site.usage", "", kind, [folder], "none")


def test_a_class_has_no_envelope_to_leave_out(folder):
    write(folder / "a.py", "x = 1\n")
    with pytest.raises(CatalogError, match="has no scriptlet class"):
        find_scriptlet("a", "", "python", [folder], "none")
    write(folder / "b.sh", SCRIPT)
    with pytest.raises(CatalogError, match="has no class 'B': only a Python scriptlet has a function"):
        find_scriptlet("b", "B", "shell", [folder], "none")


def test_a_sidecar_has_patterns_of_what_is_printed(folder):
    write(folder / "load.sh", SCRIPT)
    number = {"pattern": "load ([0-9.]+)", "optional": True, "type": "float"}
    said = {"a.load_v1": {**number, "description": "jobs"}, "a.text_v1": {"pattern": "x"}}
    write(folder / "load.yml", f"envelope: none\nwrites: {json.dumps(said)}\n")
    found = find_scriptlet("load", "", "shell", [folder])
    assert found.patterns == {"a.load_v1": number, "a.text_v1": {"pattern": "x"}}
    assert (found.writes, found.holds) == (("a.load_v1", "a.text_v1"), {"a.load_v1": "jobs", "a.text_v1": ""})
    write(folder / "load.yml", "envelope: none\n")
    assert find_scriptlet("load", "", "shell", [folder]).patterns == {}
    write(folder / "load.yml", "writes: {a.load_v1: jobs}\n")
    assert find_scriptlet("load", "", "shell", [folder]).patterns is None


def test_a_script_without_a_sidecar_hides_no_other(folder):
    write(folder / "disk/usage.sh", SCRIPT)
    told = refusal("scriptlets.disk.usage", "shell")
    assert "scriptlets/disk/usage.sh has no usage.yml beside it" in told
    assert "(a step runs a script as it is with envelope: none)" in told


@pytest.mark.parametrize(
    ("module", "near"),
    [
        ("rack.recipes.numbers_stat", "rack.recipes.numbers_stats"),
        ("scriptlets.disk.usge", "disk.usage"),
        ("orchestrator.scriptlets.steps.compute_number", "steps.compute_numbers"),
        ("scriptlets/steps/compute_numbers.py", "steps.compute_numbers"),
        ("steps.compute_numbers.py", "steps.compute_numbers"),
        ("disk/usage.sh", "disk.usage"),
    ],
)
def test_the_nearest_name_is_offered(folder, module, near):
    write(folder / "steps/compute_numbers.py", CLASS.format("A", "a"))
    assert refusal(module).endswith(f"(did you mean {near!r}?)")


@pytest.mark.parametrize("module", ["ansible.builtin.command", "vyos.vyos.vyos_facts"])
def test_a_module_of_ansible_s_asks_for_its_type(folder, module):
    assert refusal(module).endswith(" (a step with a module of Ansible's has type: ansible)")


def test_what_was_searched_is_said(folder):
    text = refusal("nothing.like_it", folders=(folder, Path("absent")))
    assert text == (
        "no scriptlet 'nothing.like_it' in scriptlets, absent (which does not exist), "
        f"{scriptlet_files.COLLECTION}/scriptlets, under any tail of its name"
    )


def test_the_folder_of_the_first_proposal_is_searched_after_the_project_s_own(folder):
    write(Path("orchestrator/scriptlets/python/steps/a.py"), CLASS.format("A", "a"))
    for name in ("orchestrator.scriptlets.python.steps.a", "python.steps.a"):
        found = find_scriptlet(name, "A", "python")
        assert (found.path, found.source) == (Path("orchestrator/scriptlets/python/steps/a.py"), "project")
    write(folder / "python/steps/a.py", CLASS.format("A", "a"))
    assert find_scriptlet("orchestrator.scriptlets.python.steps.a", "A", "python").path == folder / "python/steps/a.py"


def test_two_files_of_one_name_in_the_folder_of_the_first_proposal_are_ambiguous(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for suffix in ("sh", "awk"):
        write(Path(f"orchestrator/scriptlets/a.{suffix}"), SCRIPT, 0o755)
    text = refusal("orchestrator.scriptlets.a", "shell", folders=DEFAULT_FOLDERS)
    assert "orchestrator/scriptlets/a.awk and orchestrator/scriptlets/a.sh" in text


def test_a_project_s_own_scriptlet_comes_before_the_one_that_is_shipped(folder):
    module = "orchestrator.scriptlets.python.steps.compute_numbers"
    assert find_scriptlet(module, "ComputeNumbers", "python").source == "collection"
    write(folder / "steps/compute_numbers.py", CLASS.format("ComputeNumbers", "a"))
    assert find_scriptlet(module, "ComputeNumbers", "python").path == folder / "steps/compute_numbers.py"


def test_the_folder_of_the_first_proposal_is_named_only_where_it_is_there(folder):
    assert "orchestrator" not in refusal("nothing.like_it", folders=DEFAULT_FOLDERS)
    Path("orchestrator/scriptlets").mkdir(parents=True)
    assert "in scriptlets, orchestrator/scriptlets, /" in refusal("nothing.like_it", folders=DEFAULT_FOLDERS)


@pytest.mark.parametrize(
    "module", ["", ".", "..", "../steps.a", "/etc/a", "a..b", "a/b", "a b", ".a", "a.", "a\n", "é"]
)
def test_only_dotted_names_are_looked_for(folder, module):
    assert "expected a dotted name" in refusal(module)


def test_the_class_of_a_file(folder):
    write(folder / "one.py", CLASS.format("A", "a") + CLASS.format("_Base", "b"))
    write(folder / "two.py", CLASS.format("Bat", "a") + CLASS.format("Cat", "b"))
    write(folder / "none.py", "x = 1")
    assert find_scriptlet("one", "", "python", [folder]).function == "A"
    assert find_scriptlet("one", "_Base", "python", [folder]).function == "_Base"
    assert find_scriptlet("two", "Cat", "python", [folder]).writes == ("b_v1",)
    assert refusal("two") == "scriptlets/two.py has several scriptlet classes, name one as function: Bat, Cat"
    assert refusal("two", function="Batt").endswith("no scriptlet class 'Batt', but Bat, Cat (did you mean 'Bat'?)")
    assert "has no scriptlet class: derive one from Scriptlet" in refusal("none")
    assert "only a Python scriptlet has a function" in refusal("scriptlets.disk.usage", "shell", "main")


def test_what_no_kernel_would_run_is_refused(folder):
    write(folder / "a.sh", "#!/bin/sh\r\n")
    write(folder / "a.yml", SIDECAR)
    assert "scriptlets/a.sh:1:1: expected Unix line ends" in refusal("a", "shell")


def test_what_is_not_executable_is_refused(folder):
    program = write(folder / "disk/sectors", "\x7fELF")
    write(folder / "disk/sectors.yml", SIDECAR)
    expected = "scriptlets/disk/sectors is not executable: chmod +x scriptlets/disk/sectors"
    assert refusal("disk.sectors", "native") == expected
    assert [*map(str, load_errors([folder]))] == [expected]
    program.chmod(0o755)
    assert find_scriptlet("disk.sectors", "", "native", [folder]).path == program


@pytest.mark.parametrize(
    ("name", "mode", "kind"), [("a.c", 0o644, "native"), ("a.sh", 0o644, "shell"), ("a", 0o755, "native")]
)
def test_an_object_file_beside_its_program_is_none(folder, name, mode, kind):
    write(folder / "a.o", "\x7fELF")
    write(folder / name, "", mode)
    write(folder / "a.yml", SIDECAR)
    assert find_scriptlet("a", "", kind, [folder]).path.name == name
    assert load_errors([folder]) == ()


def test_a_python_file_hides_a_folder_of_its_name(folder):
    write(folder / "a.py", CLASS.format("A", "a"))
    write(folder / "a/b.py", CLASS.format("B", "b"))
    write(folder / "a/c/d.py", CLASS.format("D", "d"))
    write(folder / "a/helper.py", "x = 1")
    expected = "scriptlets/a.py hides the folder scriptlets/a: rename one of them"
    assert [refusal(name) for name in ("a.b", "a.c.d", "scriptlets.a.b")] == [expected] * 3
    assert [*map(str, load_errors([folder]))] == [expected] * 2
    assert find_scriptlet("a", "", "python", [folder]).function == "A"


def test_only_python_imports(folder):
    write(folder / "a.sh", SCRIPT)
    write(folder / "a.yml", SIDECAR)
    write(folder / "a/b.py", CLASS.format("B", "b"))
    write(folder / "c.py", CLASS.format("C", "c"))
    write(folder / "c/d.sh", SCRIPT)
    write(folder / "c/d.yml", SIDECAR)
    assert find_scriptlet("a.b", "", "python", [folder]).function == "B"
    assert find_scriptlet("c.d", "", "shell", [folder]).name == "c.d"
    assert load_errors([folder]) == ()


def test_errors_in_a_sidecar_have_their_place(folder):
    write(folder / "a.sh", SCRIPT)
    write(folder / "a.yml", "writes: [Nothing]")
    assert refusal("a", "shell").startswith("scriptlets/a.yml:1:10: expected a context key")


@pytest.mark.parametrize("part", ["scriptlets/steps/a.sh", "scriptlets/steps/a.yml"])
def test_what_everyone_can_write_to_is_refused(folder, part):
    write(folder / "steps/a.sh", SCRIPT)
    write(folder / "steps/a.yml", SIDECAR)
    path = Path(part)
    path.chmod(path.stat().st_mode | 0o002)
    text = refusal("steps.a", "shell")
    assert f"{part} is not trusted: everyone can write to it (chmod o-w {part})" in text


def test_links_inside_the_folder_are_followed(folder):
    write(folder / "real/a.py", CLASS.format("A", "a"))
    (folder / "steps").symlink_to("real")
    assert find_scriptlet("steps.a", "", "python", [folder]).name == "steps.a"


def test_the_folder_itself_may_be_a_link(folder, tmp_path):
    write(folder / "a.py", CLASS.format("A", "a"))
    (tmp_path / "linked").symlink_to("scriptlets")
    assert find_scriptlet("a", "", "python", [Path("linked")]).path == Path("linked/a.py")


def test_a_folder_is_no_scriptlet(folder):
    (folder / "a.py").mkdir()
    assert refusal("a") == "scriptlets/a.py is not a file"


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "a")
    write(folder / "a.yml", SIDECAR)
    assert "no scriptlet 'a'" in refusal("a", "shell")


def test_the_digest_covers_code_and_sidecar(folder):
    code, sidecar = write(folder / "a.sh", SCRIPT), write(folder / "a.yml", SIDECAR)
    digests = {find_scriptlet("a", "", "shell", [folder]).digest}
    write(code, SCRIPT + "true\n")
    digests.add(find_scriptlet("a", "", "shell", [folder]).digest)
    write(sidecar, SIDECAR + "flags: [-O2]\n")
    digests.add(find_scriptlet("a", "", "shell", [folder]).digest)
    assert len(digests) == 3


def test_changes_are_seen(folder):
    write(folder / "a.py", CLASS.format("A", "a"))
    assert find_scriptlet("a", "", "python", [folder]).function == "A"
    write(folder / "a.py", CLASS.format("B", "b"))
    assert find_scriptlet("a", "", "python", [folder]).function == "B"
    (folder / "a.py").unlink()
    assert "no scriptlet" in refusal("a")


def test_a_thousand_steps_cost_milliseconds(folder):
    names = [f"steps.step_{number}" for number in range(20)]
    for number in range(20):
        write(folder / f"steps/step_{number}.py", CLASS.format("A", "a"))
    started = time.process_time()
    for step in range(1000):
        find_scriptlet(f"orchestrator.scriptlets.python.{names[step % 20]}", "A", "python", [folder])
    assert time.process_time() - started < 0.5


def test_the_list_holds_everything_once(folder):
    write(folder / "disk/usage.sh", SCRIPT)
    write(folder / "disk/usage.yml", SIDECAR)
    write(folder / "two.py", CLASS.format("Bat", "a") + CLASS.format("Cat", "b"))
    write(folder / "helper.py", "x = 1")
    write(folder / "helper.sh", "true")
    write(folder / ".hidden/a.py", CLASS.format("A", "a"))
    found = [(entry.name, entry.function, entry.source) for entry in list_scriptlets([folder])]
    assert found == sorted(found)
    assert ("disk.usage", "", "project") in found
    assert ("disk.usage", "", "collection") not in found
    assert {("two", "Bat", "project"), ("two", "Cat", "project")} <= set(found)
    assert ("rack.recipes.numbers_stats", "NumbersStats", "collection") in found
    assert ("clock.jitter", "", "collection") in found
    assert not [name for name, _function, _source in found if "helper" in name or "hidden" in name]
    assert load_errors([folder]) == ()


def test_faulty_files_are_left_out_of_the_list_and_told(folder):
    write(folder / "broken.py", "def f(:")
    write(folder / "open.py", CLASS.format("A", "a"), 0o666)
    write(folder / "two.sh", SCRIPT)
    write(folder / "two.awk", "#!/usr/bin/awk -f\n")
    write(folder / "two.yml", SIDECAR)
    assert {entry.name for entry in list_scriptlets([folder])} & {"broken", "open", "two"} == set()
    assert [str(fault).partition(" ")[0] for fault in load_errors([folder])] == [
        "scriptlets/broken.py:1:7:",
        "scriptlets/open.py",
        "two",
    ]


def test_versions_stand_side_by_side(folder):
    write(folder / "probe.py", CLASS.format("Probe", "a").replace("writes", "deprecated = 'use probe_v2'\n    writes"))
    write(folder / "probe_v2.py", CLASS.format("Probe", "b"))
    old, new = (find_scriptlet(name, "", "python", [folder]) for name in ("steps.probe", "steps.probe_v2"))
    assert (old.name, old.function, old.writes, old.deprecated) == ("probe", "Probe", ("a_v1",), "use probe_v2")
    assert (new.name, new.function, new.writes, new.deprecated) == ("probe_v2", "Probe", ("b_v1",), "")


def test_a_sidecar_can_say_deprecated(folder):
    write(folder / "probe.sh", SCRIPT)
    write(folder / "probe.yml", SIDECAR + "deprecated: ' use probe_v2 '\n")
    assert find_scriptlet("probe", "", "shell", [folder]).deprecated == "use probe_v2"


def test_programs_without_a_sidecar_are_told(folder):
    write(folder / "a.sh", SCRIPT)
    write(folder / "b.awk", "#!/usr/bin/awk -f\n")
    write(folder / "c.c", "int main(void) {}")
    assert [str(fault).partition(",")[0] for fault in load_errors([folder])] == [
        "scriptlets/a.sh has no a.yml beside it",
        "scriptlets/b.awk has no b.yml beside it",
        "scriptlets/c.c has no c.yml beside it",
    ]


@pytest.mark.parametrize(
    ("place", "odd"),
    [
        ("größe.sh", "größe"),
        ("spa ce.sh", "spa ce"),
        ("a.b.py", "a.b"),
        ("t/a.b.awk", "a.b"),
        ("my steps/a.py", "my steps"),
    ],
)
def test_what_no_recipe_can_name_is_told(folder, place, odd):
    path = folder / place
    write(path, CLASS.format("A", "a") if path.suffix == ".py" else SCRIPT)
    if path.suffix != ".py":
        write(path.with_suffix(".yml"), SIDECAR)
    assert [*map(str, load_errors([folder]))] == [
        f"{path}: expected a name of ASCII letters, digits, '_' and '-', got {odd!r}"
    ]
    assert {entry.source for entry in list_scriptlets([folder])} == {"collection"}


@pytest.mark.parametrize("folders", ["rack/recipes", "rack.recipes"])
def test_what_has_a_name_of_the_collection_s_is_told(folder, folders):
    write(folder / folders / "numbers_stats.py", CLASS.format("A", "a"))
    write(folder / folders / "helper.py", "x = 1")
    [fault] = load_errors([folder])
    assert str(fault).startswith(f"scriptlets/{folders}/numbers_stats.py: ")
    [entry] = [entry for entry in list_scriptlets([folder]) if entry.name == "rack.recipes.numbers_stats"]
    assert entry.source == "collection"


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("__init__.py", ""),
        ("conftest.py", "import pytest\n"),
        ("test_a.py", "def test_it():\n    pass\n"),
        ("odd name.py", "x = 1"),
        ("old name.py", "print 'Python 2'"),
        ("library.sh", "say() { echo; }\n"),
        ("odd library.sh", "say() { echo; }\n"),
        ("README.md", "# Read me"),
        ("table.csv", "1,2"),
        ("table.yml", "rows: [1, 2]"),
        (".a.b.sh", SCRIPT),
        ("__pycache__/a.cpython-313.pyc", "\x7fELF"),
    ],
)
def test_what_is_no_scriptlet_is_not_told(folder, place, content):
    write(folder / place, content)
    if place == "table.csv":
        write(folder / "table.yml", "rows: [1, 2]")
    assert load_errors([folder]) == ()


def test_none_that_we_ship_is_hidden():
    assert [
        entry.name for entry in list_scriptlets([]) if entry.kind == "python" and entry.inside.startswith("scriptlets/")
    ]
    assert load_errors([]) == ()
