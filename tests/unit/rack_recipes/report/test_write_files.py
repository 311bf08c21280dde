# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import stat
from importlib import import_module

import openpyxl
import pytest

from rack_recipes.errors import UsageError
from rack_recipes.report import make_report as module
from rack_recipes.report.make_report import write_report_files
from rack_recipes.report.report_formats_and_status import WRITERS


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_format_is_private(report, tmp_path):
    folder = tmp_path / "new" / "report"
    paths = list(write_report_files(report, folder))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert sorted(paths) == files
    assert {path.suffix for path in paths} == {".html", ".xlsx", ".csv", ".md"}
    assert {mode(path) for path in files} == {0o600}
    assert {mode(folder), mode(folder / "csv")} == {0o700}


def test_every_format_tells_what_was_tried_again(outcomes, tmp_path, rows_of_page):
    """What passed only at its third try, and what the first one said."""
    write_report_files(tuple(outcomes.values()), tmp_path, ["csv", "xlsx", "html", "md-full"])
    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")[outcomes["flakes"].title]
    texts = {
        "csv": (tmp_path / "csv" / "flakes.csv").read_text(encoding="utf-8-sig"),
        "xlsx": " ".join(str(cell.value) for cell in sheet[2]),
        "html": " ".join(rows_of_page((tmp_path / "report.html").read_text(encoding="utf-8"), "flakes")[0]),
        "md": (tmp_path / "report-full.md").read_text(encoding="utf-8"),
    }
    for name, text in texts.items():
        assert "r1 wait passed 3 failed no answer 1.5" in " ".join(re.findall(r"[\w.]+", text)), name


def test_only_what_was_asked_for(report, tmp_path):
    assert list(write_report_files(report, tmp_path, ["md", "md"])) == [tmp_path / "report.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_the_same_report_changes_nothing(report, tmp_path):
    assert set(write_report_files(report, tmp_path).values()) == {True}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert set(write_report_files(report, tmp_path).values()) == {False}
    files = [path for path in before if path.is_file()]
    assert all(path.stat().st_mtime_ns == before[path] for path in files)


def test_a_folder_that_is_there_keeps_its_mode(report, tmp_path):
    tmp_path.chmod(0o755)
    write_report_files(report, tmp_path, ["md"])
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("name", WRITERS)
def test_a_failed_writer_leaves_the_old_files(report, tmp_path, monkeypatch, name):
    write_report_files(report, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(tables, folder):
        (folder / "half").write_text("of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(import_module(f"{module.__package__}.{WRITERS[name]}"), "write", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_report_files(report, tmp_path, ["html", name])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_link_is_replaced_and_not_followed(report, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.md").symlink_to(elsewhere)
    write_report_files(report, folder, ["md"])
    assert elsewhere.read_text() == "mine"
    assert not (folder / "report.md").is_symlink()


def test_an_unknown_format_names_the_nearest(report, tmp_path):
    with pytest.raises(UsageError, match="got 'htm', did you mean 'html'"):
        write_report_files(report, tmp_path, ["md", "htm"])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="the report cannot be written to"):
        write_report_files(report, tmp_path / "file" / "report", ["md"])
