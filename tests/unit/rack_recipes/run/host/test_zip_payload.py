# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports
from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.run.host import zip_payload
from rack_recipes.run.host.zip_payload import (
    COLLECTION,
    EXECUTOR,
    digest_with_imports,
    executor_code,
    is_code,
    pack_payload,
    sandbox_code,
)

TARGET = "ansible_collections/rack/recipes/plugins"


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for cached in (pack_payload, zip_payload._imported, zip_payload._ends):
        cached.cache_clear()


def write(path: str, text: str = "") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def packed(*files: tuple[str, Path]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(pack_payload(files)))


def drop_ins(*files: tuple[str, Path]) -> set[str]:
    return {name for name in packed(*files).namelist() if not name.startswith("ansible_collections/")}


def python(zipped: bytes, code: str) -> str:
    """What a Python prints that knows nothing but the payload."""
    Path("payload.zip").write_bytes(zipped)
    program = f"import sys; sys.path.insert(0, 'payload.zip'); {code}"
    done = subprocess.run([sys.executable, "-ISc", program], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_executor_runs_from_the_payload_alone():
    names = packed().namelist()
    assert f"{TARGET}/module_utils/runner/main.py" in names
    assert f"{TARGET}/module_utils/executor/stage_run.py" in names
    assert not [name for name in names if "rack_recipes" in name]
    assert python(pack_payload(()), f"import {EXECUTOR} as main; print(main.MARK)") == "rack.recipes answer"


def test_what_travels_is_compressed():
    inside = packed().infolist()
    assert sum(one.compress_size for one in inside) < sum(one.file_size for one in inside) / 2


def test_the_executor_that_a_host_may_keep_is_known_by_its_content():
    digest, files = executor_code()
    assert re.fullmatch("[0-9a-f]{16}", digest)
    assert files == (*packed().namelist(),)
    executor_code.cache_clear()
    assert executor_code() == (digest, files)


def test_only_a_stage_with_a_sandbox_brings_what_makes_it():
    [(name, path)] = sandbox_code().items()
    assert name == f"{TARGET}/module_utils/executor/child/sandbox.py"
    assert name not in packed().namelist()
    assert {*packed((name, path)).namelist()} - {*packed().namelist()} == {name}
    assert executor_code()[1] == (*packed().namelist(),)


def test_a_published_scriptlet_brings_what_it_imports():
    entry = find_scriptlet("rack.recipes.numbers_stats", "", "python", ())
    names = packed((entry.inside, entry.path)).namelist()
    assert f"{TARGET}/modules/numbers_stats.py" in names
    assert f"{TARGET}/module_utils/scriptlet_support/number_file.py" in names
    module = "ansible_collections.rack.recipes.plugins.modules.numbers_stats"
    code = f"from {module} import NumbersStats; print(NumbersStats.writes)"
    assert "numbers.stats_v1" in python(pack_payload(((entry.inside, entry.path),)), code)


def test_of_what_is_shipped_no_import_is_missed(monkeypatch: pytest.MonkeyPatch):
    places = ("plugins/module_utils", "plugins/modules", "scriptlets")
    shipped = [path for place in places for path in (zip_payload.ROOT / place).rglob("*.py")]

    def imports() -> dict[Path, set[str]]:
        zip_payload._imported.cache_clear()
        inside = {path: str(path.relative_to(zip_payload.ROOT.parents[2])) for path in shipped}
        return {path: {name for name, _path in zip_payload._imports(inside[path], path)} for path in shipped}

    quick = imports()
    monkeypatch.setattr(zip_payload, "OWN_IMPORT", re.compile(rb"(?s).+"))  # the whole file
    assert any(quick.values())
    assert quick == imports()


def test_the_same_files_give_the_same_bytes():
    files = (("data/b.csv", write("data/b.csv", "1\n")), ("scriptlets/s.sh", write("scriptlets/s.sh", "#!/bin/sh\n")))
    first = pack_payload(files)
    os.utime("data/b.csv", (1, 1))
    Path("scriptlets/s.sh").chmod(0o755)
    pack_payload.cache_clear()
    assert pack_payload((files[1], files[0])) == first
    names = packed(*files).namelist()
    assert names == sorted(names)


@pytest.mark.parametrize("folder", ["scriptlets", "tests/own steps"])
@pytest.mark.parametrize(
    "line",
    [
        "from scriptlets.common.helper import VALUE",
        "from scriptlets.common import helper; VALUE = helper.VALUE",
        "import scriptlets.common.helper; VALUE = scriptlets.common.helper.VALUE",
        "from ..common.helper import VALUE",
        "from ..common import helper; VALUE = helper.VALUE",
        "from .near import VALUE",
        "from . import near; VALUE = near.VALUE",
        "from .package import VALUE",
        "def later():\n    from scriptlets.common.helper import VALUE\n    return VALUE\nVALUE = later()",
    ],
)
def test_a_drop_in_brings_its_siblings(folder: str, line: str):
    write(f"{folder}/common/helper.py", "VALUE = 'found'\ndef circle():\n    from scriptlets.steps import main\n")
    write(f"{folder}/steps/near.py", "from ..common.helper import VALUE\n")
    write(f"{folder}/steps/package/__init__.py", "from ..near import VALUE\n")
    path = write(f"{folder}/steps/main.py", f"import json, os.path\n{line}\n")
    write(f"{folder}/steps/unused.py", "1 / 0\n")
    files = (("scriptlets/steps/main.py", path),)
    assert python(pack_payload(files), "from scriptlets.steps.main import VALUE; print(VALUE)") == "found"
    assert "scriptlets/steps/unused.py" not in drop_ins(*files)


@pytest.mark.parametrize(
    ("line", "brought"),
    [
        ("from rack_recipes import Failed, Scriptlet", set()),
        ("from rack_recipes import ShellScriptlet as Base", {"shell"}),
        (
            "def later():\n    from rack_recipes import (\n        run_program,\n        debug_trace,\n    )",
            {"shell"},
        ),
        ("import rack_recipes", {"read_proc_and_sys", "shell"}),
        ("from rack_recipes import *", {"read_proc_and_sys", "shell"}),
    ],
)
def test_a_short_name_brings_the_module_that_defines_it(line: str, brought: set[str]):
    path = write("scriptlets/s.py", f"{line}\n")
    more = {*packed(("scriptlets/s.py", path)).namelist()} - {*packed().namelist()}
    assert more == {
        "scriptlets/__init__.py",
        "scriptlets/s.py",
        *(f"{TARGET}/module_utils/{name}.py" for name in brought),
    }


@pytest.mark.parametrize("name", sorted(scriptlet_imports.MODULES))
def test_every_short_name_works_from_the_payload_alone(name: str):
    path = write("scriptlets/s.py", f"from rack_recipes import {name}\n")
    install = f"from {COLLECTION}plugins.module_utils import scriptlet_imports; scriptlet_imports.install()"
    code = f"{install}; import scriptlets.s as s; print(s.{name}.__name__)"
    assert python(pack_payload((("scriptlets/s.py", path),)), code) == name


def test_what_is_not_ours_is_left_to_the_host_s_python():
    path = write(
        "scriptlets/s.py", "import json, numpy\nimport scriptlets.absent\nfrom orchestrator.context import Context\n"
    )
    write("numpy.py")
    write("orchestrator/context.py")
    assert drop_ins(("scriptlets/s.py", path)) == {"scriptlets/__init__.py", "scriptlets/s.py"}


def test_data_is_not_read_as_code_and_hides_no_module():
    files = [
        ("statistics/numbers.csv", write("statistics/numbers.csv", "1\n")),
        ("data/not_python.py", write("data/not_python.py", "this is { not Python")),
        ("scriptlets/probe.awk", write("scriptlets/probe.awk", "#!/usr/bin/awk -f\n")),
    ]
    assert drop_ins(*files) == {"statistics/numbers.csv", "data/not_python.py", "scriptlets/probe.awk"}
    assert python(pack_payload((*files,)), "import statistics; print(statistics.mean([1, 3]))") == "2"


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("scriptlets/a/b.py", True),
        ("ansible_collections/rack/recipes/plugins/modules/m.py", True),
        ("scriptlets/a.sh", False),
        (f"{zip_payload.INSIDE}/rack_live.py", False),
        ("data/a.py", False),
        ("ansible_collections/other/x.py", False),
        ("my_scriptlets/a.py", False),
    ],
)
def test_what_is_code(inside: str, code: bool):
    assert is_code(inside) is code


def test_a_sibling_that_is_not_python_is_named():
    write("scriptlets/helper.py", "def broken(:\n")
    path = write("scriptlets/s.py", "from scriptlets.helper import x\n")
    with pytest.raises(CatalogError, match=r"^scriptlets/helper\.py: cannot be read as Python: .*line 1"):
        pack_payload((("scriptlets/s.py", path),))


def test_a_file_that_is_gone_is_named():
    write("data/other.csv")
    write("scriptlets/other.py")
    with pytest.raises(CatalogError, match=r"^data/gone\.csv: cannot be read: No such file"):
        pack_payload((("data/gone.csv", Path("data/gone.csv")),))
    with pytest.raises(CatalogError, match=r"^scriptlets/gone\.py: cannot be read: No such file"):
        pack_payload((("scriptlets/gone.py", Path("scriptlets/gone.py")),))


def test_the_digest_of_a_scriptlet_covers_what_it_imports():
    """But not the executor, which is there whatever is run."""
    step, helper = write("scriptlets/t/step.py"), write("scriptlets/t/helper.py")
    scriptlet = f"from {COLLECTION}plugins.module_utils.scriptlet import Scriptlet\n"

    def digest(text: str, help_text: str) -> str:
        step.write_text(scriptlet + text)
        helper.write_text(help_text)
        for cached in (digest_with_imports, zip_payload._imported):
            cached.cache_clear()
        return digest_with_imports("sha256:own", "scriptlets/t/step.py", step)

    assert digest("", "") == "sha256:own"
    first = digest("from scriptlets.t import helper\n", "A = 1\n")
    assert re.fullmatch("sha256:[0-9a-f]{64}", first)
    assert digest("from scriptlets.t import helper\n", "A = 2\n") != first
    assert digest("from scriptlets.t import helper\n", "A = 1\n") == first
