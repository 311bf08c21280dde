# SPDX-License-Identifier: GPL-3.0-or-later

"""What travels with a stage: neither data nor code from outside of its folder, nor what somebody else can change."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from rack_recipes.errors import CatalogError, RecipeErrors, UsageError
from rack_recipes.plan.make_plan import make_plan
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.recipe.load import parse
from rack_recipes.run.host import project_files as pinned_code
from rack_recipes.run.host import zip_payload
from rack_recipes.run.host.project_files import digest_of, project_files
from rack_recipes.run.host.zip_payload import pack_payload

STEP = "from scriptlets.t import helper\nclass Step(Scriptlet):\n    writes = ('t.step_v1',)\n"
RECIPE = "test_meta: {test_id: T}\nsteps: [{name: a, module: t.step, args: {src: data/numbers.csv}}]\n"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    forget()
    for path, text in (("scriptlets/t/step.py", STEP), ("scriptlets/t/helper.py", "A = 1"), ("data/numbers.csv", "1")):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def forget() -> None:
    """What a process reads once, another one reads anew."""
    for cached in (pack_payload, zip_payload._imported, zip_payload._ends):
        cached.cache_clear()


def move_out(path: str) -> None:
    """Put a link in a file's place that leads to where it is now."""
    target = Path("..", f"{Path.cwd().name}-outside-{Path(path).name}").resolve()
    Path(path).rename(target)
    Path(path).symlink_to(target)


def packed() -> bytes:
    entry = find_scriptlet("t.step", "", "python", [Path("scriptlets")])
    return pack_payload(((entry.inside, entry.path), *project_files({"src": "data/numbers.csv"}).items()))


def refusal() -> str:
    with pytest.raises(CatalogError) as caught:
        packed()
    return str(caught.value)


@pytest.mark.parametrize("path", ["scriptlets/t/step.py", "scriptlets/t/helper.py", "data/numbers.csv"])
def test_a_link_out_of_its_folder_does_not_travel(path: str):
    assert packed()
    forget()
    move_out(path)
    assert f"{path} is not trusted: the link leads out of" in refusal()


@pytest.mark.parametrize(
    "path", ["scriptlets", "scriptlets/t", "scriptlets/t/step.py", "scriptlets/t/helper.py", "data", "data/numbers.csv"]
)
def test_what_everyone_can_write_to_does_not_travel(path: str):
    Path(path).chmod(0o777)
    assert f"{path} is not trusted: everyone can write to it (chmod o-w" in refusal()


def test_a_recipe_is_told_where_it_names_such_data():
    recipe = parse(RECIPE.encode(), "r.yml")
    assert make_plan(recipe, [Path("scriptlets")])
    move_out("data/numbers.csv")
    with pytest.raises(RecipeErrors) as caught:
        make_plan(recipe, [Path("scriptlets")])
    said = (
        "r.yml:2:47: expected a file that is the project's own, got data/numbers.csv is not trusted: the link leads out"
    )
    assert str(caught.value).startswith(said)


@pytest.fixture
def _unpinned():
    yield
    pinned_code.pin(None)


@pytest.mark.usefixtures("_unpinned")
def test_a_locked_run_sends_only_what_was_locked():
    """Whenever it is read: a run may last for hours."""
    files = {
        f"scriptlets/t/{name}.py": {
            zip_payload.hashlib.sha256(Path(f"scriptlets/t/{name}.py").read_bytes()).hexdigest()
        }
        for name in ("step", "helper")
    }
    pinned_code.pin(files)
    assert packed()
    Path("scriptlets/t/helper.py").write_text("A = 2")
    forget()
    assert refusal() == ("scriptlets/t/helper.py has changed since this run began, and the lock file does not allow it")
    pinned_code.pin({"scriptlets/t/step.py": files["scriptlets/t/step.py"]})
    assert refusal() == "scriptlets/t/helper.py is not in the lock file of this run, which began without it"
    pinned_code.pin(None)
    assert packed()


def test_a_digest_is_that_of_the_content(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"1,2\n")
    assert digest_of(file) == f"sha256:{sha256(file.read_bytes()).hexdigest()}"


def test_it_is_that_of_what_travels_which_is_read_once(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"1")
    before = digest_of(file)
    file.write_bytes(b"2")
    assert digest_of(file) == before


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        digest_of(tmp_path / "gone")
    assert str(caught.value) == f"{tmp_path}/gone: cannot be read: No such file or directory"
