# SPDX-License-Identifier: GPL-3.0-or-later

"""Which scriptlets have the library for shell, awk and C sent, and what that changes in a request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import program_by_scriptlet_kind
from rack_recipes.collection_path import COLLECTION
from rack_recipes.run.host import zip_payload
from rack_recipes.run.host.host_request import StageInputs, make_request
from rack_recipes.run.host.zip_payload import FOLDER, FOR_SCRIPTS, INSIDE, library_files


@pytest.mark.parametrize(
    ("name", "text", "files"),
    [
        ("a.sh", '. "$RACK_SH"\n', FOR_SCRIPTS),
        ("a.sh", ". ${RACK_SH}\n", FOR_SCRIPTS),
        ("a.sh", 'ps | awk -f "$RACK_AWK" -f own.awk\n', FOR_SCRIPTS),
        ("a.sh", 'echo "$RACK_SHELF" "$RACK_PARAM_X"\n', ()),
        ("a.awk", 'BEGIN { rack_check("a", 1, "", "max=3") }\n', FOR_SCRIPTS),
        ("a.awk", 'function rack_number(x) { return x }\nBEGIN { print "{}" }\n', ()),
        ("a.c", '#include "rack.h"\n', ("rack.h",)),
        ("a.c", '  #  include "rack.h" /* */\n', ("rack.h",)),
        ("a.c", "#include <rack.h>\n", ()),
        ("program", "RACK_SH", ()),
        ("a.py", "RACK_SH", ()),
    ],
)
def test_what_is_sent_is_what_the_text_names(name, text, files):
    found = library_files(f"scriptlets/{name}", text.encode())
    assert found == {f"{INSIDE}/{file}": COLLECTION / FOLDER / file for file in files}
    assert all(path.is_file() for path in found.values())


def test_the_live_bus_is_sent_with_its_client():
    found = library_files("scriptlets/a.sh", b'. "$RACK_SH"\nrack_live wait x\n')
    assert {*found} == {f"{INSIDE}/{file}" for file in (*FOR_SCRIPTS, "rack_live.py", "live_client.py")}
    assert all(path.is_file() for path in found.values())


def test_every_function_of_awk_is_a_sign_of_the_library():
    lines = (COLLECTION / FOLDER / "rack.awk").read_text().splitlines()
    defined = {line.split("(")[0].removeprefix("function rack_") for line in lines if line.startswith("function rack_")}
    assert set(zip_payload.CALLS.split("|")) == defined


@pytest.mark.parametrize(
    ("file", "defined"),
    [
        ("rack.sh", r"(?m)^(rack_\w+)\(\)"),
        ("rack.awk", r"(?m)^function (rack_\w+)\("),
        (
            "rack.h",
            r"(?m)^static (?:inline|void __attribute__\(\(noreturn\)\)) .*?\*?(rack_\w+)\((?!const char \*status)",
        ),
    ],
)
def test_every_function_is_on_the_page(file, defined):
    page = (COLLECTION / "docs" / "authoring.md").read_text()
    found = re.findall(defined, (COLLECTION / FOLDER / file).read_text())
    assert len(found) > 10
    assert [name for name in found if name not in page] == []


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A function that gives the request of a step whose script has this text."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scriptlets" / "t"
    folder.mkdir(parents=True)
    (folder / "step.yml").write_text("description: A step\n")
    (folder / "other.py").write_text("")

    def ask(text, suffix=".sh"):
        (folder / f"step{suffix}").write_text(text)
        for cached in (zip_payload.library_of, zip_payload.digest_with_imports):
            cached.cache_clear()
        kind = "native" if suffix == ".c" else "shell"
        steps = [{"name": "s", "type": kind, "module": "t.step"}]
        around = StageInputs(run_id="R1", host="r1", folders=(tmp_path / "scriptlets",), slots=1, lease=60.0)
        request = make_request(1, steps, around)
        (folder / f"step{suffix}").unlink()
        return request

    return ask


def library_of(request):
    return sorted(Path(name).name for name, _path in request.files if name.startswith(INSIDE))


def test_a_step_that_does_not_use_it_has_nothing_of_it(asked):
    request = asked("echo '{}'\n")
    assert library_of(request) == []
    assert "library" not in request.message["steps"][0]
    assert request.message["files"] == ["scriptlets/t/step.sh"]


def test_a_step_that_uses_it_has_its_files_unpacked(asked):
    request = asked('. "$RACK_SH"\n# other\n')
    assert library_of(request) == [*FOR_SCRIPTS]
    assert request.message["steps"][0]["library"] == INSIDE
    assert {Path(name).name for name in request.message["files"]} == {"step.sh", *FOR_SCRIPTS}
    assert library_of(asked('#include "rack.h"\n', ".c")) == ["rack.h"]


def test_another_library_is_another_step(asked, tmp_path, monkeypatch):
    """Its results are not used again, and its program is compiled again."""
    text = '#include "rack.h"\nint main(void) { return 0; }\n'
    before = asked(text, ".c").message["steps"][0]["digest"]
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "rack.h").write_text("/* another */\n")
    monkeypatch.setattr(zip_payload, "ROOT", tmp_path)
    monkeypatch.setattr(zip_payload, "SHIPPED", f"{tmp_path}/plugins/")
    from rack_recipes.run.host import host_request

    host_request._found.cache_clear()
    assert asked(text, ".c").message["steps"][0]["digest"] != before
    host_request._found.cache_clear()


def test_the_executor_starts_scripts_by_the_library():
    assert program_by_scriptlet_kind._with_library(["sh", "a.sh"], "/l") == ["/bin/sh", "/l/envelope.sh", "sh", "a.sh"]
    assert program_by_scriptlet_kind._with_library(["awk", "-f", "a.awk"], "/l")[-2:] == ["-f", "/l/rack.awk"]
