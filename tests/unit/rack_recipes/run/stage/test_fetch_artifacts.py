# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that come from a host: in pieces, once, whole or not at all, and never without a word."""

from __future__ import annotations

import resource
from binascii import b2a_base64
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import LARGEST
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode
from ansible_collections.rack.recipes.plugins.module_utils.runner import main as module
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import read_artifact_pieces
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import artifact
from rack_recipes.errors import RackError
from rack_recipes.run.host.host_answer import HostAnswer
from rack_recipes.run.missing_results_and_artifacts import missing_artifacts
from rack_recipes.run.stage import fetch_artifacts as fetching
from rack_recipes.run.stage.fetch_artifacts import Wanted, fetch_artifacts

DATA = bytes(range(256)) * 100
NO_PIECE = "the host answered without it"
UNREADABLE = "the host cannot read it: No such file or directory"
UNKNOWN = "the host does not know this stage any more: it rebooted, or its folder was removed"


class Host:
    """A host with these artifacts, whose connection breaks at some questions; it keeps what it was asked."""

    def __init__(self, folder: Path, *datas: bytes, breaks_at: tuple[int, ...] = ()) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.asked: list[list[tuple[str, int]]] = []
        self.breaks_at = breaks_at
        for data in datas:
            (folder / digest(data)).write_bytes(data)

    def __call__(self, wanted: Wanted) -> HostAnswer:
        self.asked.append([*wanted])
        if len(self.asked) in self.breaks_at:
            raise RackError("lost, and not back within 30 s: reset")
        lines = read_artifact_pieces(str(self.folder), wanted).split(b"\n")
        return HostAnswer("ended", 0, tuple(record for line in lines if (record := decode(line))))


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that a file comes in three pieces."""
    monkeypatch.setattr(module, "LARGEST_ANSWER", 10_000)
    monkeypatch.setattr(fetching, "PIECE", 5_000)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return folder


def files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def outcome(records: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    assert all(record["kind"] == "transfer" and record["n"] == 0 and record["time"] for record in records)
    return [(record["path"], record["note"]) for record in records]


def test_a_file_comes_in_pieces_and_lies_under_its_digest(run: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", DATA, b"")
    found = fetch_artifacts(run, "stage1", [artifact(DATA), artifact(b"", n=2)], host)
    assert outcome(found) == [(f"artifacts/{digest(DATA)}", ""), (f"artifacts/{digest(b'')}", "")]
    assert files(run) == {f"artifacts/{digest(data)}": data for data in sorted((DATA, b""), key=digest)}
    assert [dict(wanted).get(digest(DATA)) for wanted in host.asked] == [0, 10_000, 20_000]
    assert (run / "artifacts").stat().st_mode & 0o777 == 0o700
    assert (run / found[0]["path"]).stat().st_mode & 0o777 == 0o600
    assert not (run / "partial").exists()


def test_the_same_content_is_brought_once(run: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", DATA)
    records = [artifact(DATA), artifact(DATA, n=2, name="b.log")]
    assert len(fetch_artifacts(run, "stage1", records, host)) == 1
    asked = len(host.asked)
    (again,) = fetch_artifacts(run, "stage2", [artifact(DATA, "r2")], host)
    assert (again["path"], again["host"]) == (f"artifacts/{digest(DATA)}", "r2")
    assert len(host.asked) == asked
    assert len(files(run)) == 1


def test_a_file_that_is_there_with_another_size_is_brought_again(run: Path, tmp_path: Path) -> None:
    (run / "artifacts").mkdir()
    (run / "artifacts" / digest(DATA)).write_bytes(DATA[:7])
    fetch_artifacts(run, "stage1", [artifact(DATA)], Host(tmp_path / "host", DATA))
    assert files(run) == {f"artifacts/{digest(DATA)}": DATA}


def test_a_host_that_does_not_come_back_is_told_and_what_came_is_used_later(run: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", DATA, breaks_at=(2,))
    found = fetch_artifacts(run, "stage1", [artifact(DATA)], host)
    assert outcome(found) == [(None, "lost, and not back within 30 s: reset")]
    assert missing_artifacts([artifact(DATA), artifact(DATA, n=2, name="b"), artifact(DATA, "r2")], found) == [
        "artifact a.log of step a on r1 is missing: lost, and not back within 30 s: reset",
        "artifact b of step a on r1 is missing: lost, and not back within 30 s: reset",
    ]
    assert files(run) == {f"partial/{digest(DATA)}.stage1": DATA[:10_000]}
    (found,) = fetch_artifacts(run, "stage1", [artifact(DATA)], host)
    assert (found["path"], missing_artifacts([artifact(DATA)], [found])) == (f"artifacts/{digest(DATA)}", [])
    assert host.asked[2:] == [[(digest(DATA), 10_000)], [(digest(DATA), 20_000)]]
    assert files(run) == {f"artifacts/{digest(DATA)}": DATA}


@pytest.mark.parametrize("left", [b"x" * 10_000, b"x" * len(DATA), DATA + b"x"])
def test_what_an_earlier_try_left_and_is_damaged_is_brought_anew(run: Path, tmp_path: Path, left: bytes) -> None:
    (run / "partial").mkdir()
    (run / "partial" / f"{digest(DATA)}.stage1").write_bytes(left)
    (found,) = fetch_artifacts(run, "stage1", [artifact(DATA)], Host(tmp_path / "host", DATA))
    assert found["note"] == ""
    assert files(run) == {f"artifacts/{digest(DATA)}": DATA}


def test_another_file_under_that_name_is_not_taken(run: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host")
    (host.folder / digest(DATA)).write_bytes(DATA[::-1])
    found = fetch_artifacts(run, "stage1", [artifact(DATA)], host)
    assert outcome(found) == [(None, "what arrived has another digest")]
    assert set(files(run).values()) <= {b""}


def piece(content: bytes, **fields: Any) -> dict[str, Any]:
    whole = {"kind": "piece", "sha256": digest(DATA), "offset": 0, "data": b2a_base64(content).decode(), **fields}
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (HostAnswer("unknown", 0), UNKNOWN),
        (HostAnswer("silent", 0, reason="the executor did not answer"), "the executor did not answer"),
        (HostAnswer("ended", 0), NO_PIECE),
        (HostAnswer("ended", 0, ({"kind": "piece"}, {"kind": "step", "sha256": digest(DATA)})), NO_PIECE),
        (HostAnswer("ended", 0, (piece(DATA, sha256="0" * 64),)), NO_PIECE),
        (HostAnswer("ended", 0, (piece(DATA, problem="No such file or directory"),)), UNREADABLE),
        (HostAnswer("ended", 0, (piece(b""),)), "the host sent 0 bytes from 0 on of 25600"),
        (HostAnswer("ended", 0, (piece(DATA, offset=1),)), "the host sent 25600 bytes from 1 on of 25600"),
        (HostAnswer("ended", 0, (piece(DATA, offset=None),)), NO_PIECE),
        (HostAnswer("ended", 0, (piece(DATA + b"x"),)), "the host sent 25601 bytes from 0 on of 25600"),
        (HostAnswer("ended", 0, (piece(DATA, data="a"),)), NO_PIECE),
        (HostAnswer("ended", 0, (piece(DATA, data=None),)), NO_PIECE),
        (HostAnswer("ended", 0, (piece(DATA, data=3),)), NO_PIECE),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_told(run: Path, answer: HostAnswer, note: str) -> None:
    found = fetch_artifacts(run, "stage1", [artifact(DATA)], lambda _wanted: answer)
    assert outcome(found) == [(None, note)]
    assert not (run / "artifacts" / digest(DATA)).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": "../../../etc/cron.d/evil"},
        {"sha256": "A" * 64},
        {"sha256": "0" * 63 + "\n"},
        {"sha256": ""},
        {"size": -1},
        {"size": LARGEST + 1},
    ],
)
def test_a_record_that_is_none_of_an_artifact_names_no_file(run: Path, fields: dict[str, Any]) -> None:
    found = fetch_artifacts(run, "stage1", [artifact(DATA, **fields)], pytest.fail)
    assert outcome(found) == [(None, "its record is none of an artifact")]
    assert [*run.iterdir()] == []


def test_a_host_that_sends_a_file_byte_by_byte_is_not_asked_for_each(run: Path) -> None:
    """What fits into one answer may be as small as it likes."""
    small = [bytes([n]) for n in range(3)]
    asked: list[Wanted] = []

    def drips(wanted: Wanted) -> HostAnswer:
        asked.append(wanted)
        known = {digest(data): data for data in (*small, DATA)}
        found = (piece(known[name][at : at + 1], sha256=name, offset=at) for name, at in wanted)
        return HostAnswer("ended", 0, tuple(found))

    records = [artifact(data, n=n) for n, data in enumerate((*small, DATA), 1)]
    found = fetch_artifacts(run, "stage1", records, drips)
    assert [record["note"] for record in found] == ["", "", "", "the host sends it in pieces that are too small"]
    assert len(asked) == 1


@pytest.mark.parametrize(("limit", "most"), [("STAGE", len(DATA) + 1), ("MOST", 1)])
def test_a_host_leaves_no_more_than_a_host_can(
    run: Path, tmp_path: Path, limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records may say anything, and the controller's disk has an end."""
    monkeypatch.setattr(fetching, limit, most)
    host = Host(tmp_path / "host", DATA, DATA[::-1])
    found = fetch_artifacts(run, "stage1", [artifact(DATA), artifact(DATA[::-1], n=2)], host)
    assert [record["note"] for record in found] == ["", fetching.TOO_MUCH]


def test_one_that_is_missing_does_not_keep_the_others_back(run: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", b"one", b"three")
    found = fetch_artifacts(
        run, "stage1", [artifact(data, n=n) for n, data in enumerate((b"one", b"two", b"three"), 1)], host
    )
    assert [record["note"] for record in found] == ["", UNREADABLE, ""]


def test_a_full_disk_is_told(run: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", DATA)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, hard))  # as a full disk, the kernel takes no more
    try:
        found = fetch_artifacts(run, "stage1", [artifact(DATA)], host)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome(found) == [(None, "it cannot be written: File too large")]


def test_a_folder_that_cannot_be_made_is_told(run: Path, tmp_path: Path) -> None:
    (run / "artifacts").write_text("in the way")
    found = fetch_artifacts(run, "stage1", [artifact(DATA)], Host(tmp_path / "host", DATA))
    assert outcome(found) == [(None, "it cannot be written: Not a directory")]
