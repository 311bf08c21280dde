# SPDX-License-Identifier: GPL-3.0-or-later

"""Items of a small proposal are taken away from a small checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import broken_items
import proposal_rows
from broken_items import Edit

PAGE = """\
# Page

| item | here | shown by |
| --- | --- | --- |
| no item | yet | `x` |

## What it asks for

| item | here | shown by |
| --- | --- | --- |
| Half | works | `tests/test_half.py::test_half` |
| Double | works | `tests/test_half.py::test_nothing` |
| A third | works | `tests/test_half.py` |
| Broken before | works | `tests/test_half.py::test_red` |
| Cannot be read | works | `tests/test_half.py::test_half` |
| Guide | works | `docs/guide.md` |
"""
FILES = {
    "docs/proposal.md": PAGE,
    "docs/guide.md": "# Guide\n",
    "halves.py": "def half(number):\n    return number / 2\n",
    "pytest.ini": "[pytest]\npythonpath = .\n",
    "tests/test_half.py": """\
from halves import half

def test_half():
    assert half(8) == 4

def test_nothing():
    pass

def test_red():
    assert half(8) == 5
""",
    "tests/unit/test_proposal_page.py": """\
from pathlib import Path

def test_pages():
    assert Path("docs/guide.md").is_file()
""",
}
KNOWN = {
    "Half": Edit("halves.py", "number / 2", "number / 3"),
    "Double": Edit("halves.py", "number / 2", "number / 3"),
    "Broken before": Edit("halves.py", "number / 2", "number / 3"),
    "Cannot be read": Edit("tests/test_half.py", "def test_half():", "def test_half(:"),
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # this checkout has no plugin for pytest
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_each_item_is_taken_away_and_comes_back(checkout: Path) -> None:
    found = proposal_rows.rows(checkout)
    records = list(broken_items.judged(checkout, found, KNOWN))
    assert {record["item"]: record["test"] for record in records} == {
        "Half": "failed",
        "Double": "passed: the test does not show it",
        "A third": "no entry",
        "Broken before": "fails without the edit, too",
        "Cannot be read": "does not run",
        "Guide": "failed",
    }
    assert {name: (checkout / name).read_text() for name in FILES} == FILES


def test_an_edit_must_be_possible(checkout: Path) -> None:
    with pytest.raises(ValueError, match=r"halves.py has 2 times: number"):
        Edit("halves.py", "number", "").apply(checkout)


def test_a_draw_is_the_same_each_time_and_new_rows_change_little() -> None:
    found = proposal_rows.rows()
    before = broken_items.drawn(found, 1, 40)
    assert before == broken_items.drawn(found, 1, 40)
    assert len(before) == len({row.item for row in before}) == 40
    assert len({*before} - {*broken_items.drawn(found[1:], 1, 40)}) <= 1


def test_what_is_no_row_and_no_item_is_refused(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "docs/proposal.md").write_text(f"{PAGE}| Another | works | no test |\n")
    with pytest.raises(ValueError, match=r"no row: \| Another"):
        proposal_rows.rows(checkout)
    with pytest.raises(SystemExit) as ended:
        broken_items.main(["--rows", "Anothr"])
    assert ended.value.code == 2
    assert "no item of docs/proposal.md: Anothr" in capsys.readouterr().err


@pytest.mark.parametrize(("result", "code"), [("failed", 0), ("no entry", 1), ("passed: the test does not show it", 1)])
def test_the_table_and_the_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: str, code: int
) -> None:
    record = {"item": "`idx`", "broken": "a.py", "shown by": "test_a.py", "test": result}
    monkeypatch.setattr(broken_items, "judged", lambda *_all: iter([record]))
    assert broken_items.main(["--rows", "`idx`"]) == code
    assert (
        f"\n| item | broken | shown by | test |\n| --- | --- | --- | --- |\n| `idx` | a.py | test_a.py | {result} |\n"
        in (capsys.readouterr().out)
    )
    assert broken_items.main(["--json"]) == code
    said = json.loads(capsys.readouterr().out)
    assert (said["seed"], said["rows"]) == (20261204, [record])


def test_each_edit_is_possible_and_is_of_a_row() -> None:
    known = broken_items.edits()
    assert [item for item in known if item not in {row.item for row in proposal_rows.rows()}] == []
    texts = {edit: (proposal_rows.ROOT / edit.file).read_text(encoding="utf-8") for edit in known.values()}
    assert [edit for edit, text in texts.items() if text.count(edit.old) != 1 or edit.old == edit.new] == []
