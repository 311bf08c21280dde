# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from binascii import a2b_base64

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode
from ansible_collections.rack.recipes.plugins.module_utils.runner import main as module
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import read_artifact_pieces


def told(folder, *wanted):
    found = [decode(line) for line in read_artifact_pieces(str(folder), wanted).split(b"\n") if line]
    assert all(record["kind"] == "piece" for record in found)
    return [
        (record["sha256"], record["offset"], record.get("problem") or a2b_base64(record["data"])) for record in found
    ]


def test_several_files_are_in_one_answer(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"\xff\x00")
    (tmp_path / "c").write_bytes(b"")
    assert told(tmp_path, ("a", 2), ("b", 0), ("c", 0)) == [("a", 2, b"345"), ("b", 0, b"\xff\x00"), ("c", 0, b"")]


def test_an_answer_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_ANSWER", 8)
    for name in "abc":
        (tmp_path / name).write_bytes(b"12345")
    assert told(tmp_path, ("a", 0), ("b", 0), ("c", 0)) == [("a", 0, b"12345"), ("b", 0, b"123")]
    assert told(tmp_path, ("b", 3), ("c", 0)) == [("b", 3, b"45"), ("c", 0, b"12345")]


def test_a_file_that_is_not_there_has_the_reason(tmp_path):
    (tmp_path / "b").write_bytes(b"x")
    assert told(tmp_path, ("a", 0), ("b", 0)) == [("a", 0, "No such file or directory"), ("b", 0, b"x")]


def test_behind_the_end_there_is_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert told(tmp_path, ("a", 5)) == [("a", 5, b"")]
