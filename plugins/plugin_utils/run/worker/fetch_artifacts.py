# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What steps have attached, brought from its host into the run's folder: in pieces, each file once.

A file that is on its way lies in the folder `partial`, and goes on where it stopped, in a later run too. Whole it is
`artifacts/<sha256>`.
"""

from __future__ import annotations

import os
import re
from binascii import Error, a2b_base64
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.artifacts import LARGEST, PIECE
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import write_all
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import make_private
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_answer import HostAnswer

FOLDER = "artifacts"
PARTIAL = "partial"
DIGEST = re.compile(r"[0-9a-f]{64}")

Wanted = Sequence[tuple[str, int]]  # digests, each with the offset from which on it is wanted
Ask = Callable[[Wanted], HostAnswer]


class MissingError(Exception):
    """Why a file cannot be had."""


def bring(folder: Path, stage: str, records: Iterable[Record], ask: Ask) -> list[Record]:
    """Bring the files that a host's artifact records name into the run's folder; `ask` asks for pieces of them.

    What is there already is not asked for. Returns a transfer record for each file: its path in the folder, or None and
    in `note` why it is missing.
    """
    wanted = {record["sha256"]: record for record in records}
    ends: dict[str, str] = {}  # why each is missing; empty where it is there
    parts: dict[str, ArtifactDownload] = {}
    for digest, record in wanted.items():
        try:
            if not _is_there(folder, record):
                parts[digest] = ArtifactDownload(folder, stage, record)
        except (MissingError, OSError) as error:
            ends[digest] = _told(error)
    try:
        _bring(parts, ends, ask)
    finally:
        for part in parts.values():
            part.close()
    with suppress(OSError):  # others may be on their way
        (folder / PARTIAL).rmdir()
    return [transfer(record, ends.get(digest, "")) for digest, record in wanted.items()]


def transfer(artifact: Record, problem: str = "") -> Record:
    """The record of a file that has arrived, or of one that has not, with the reason."""
    head = {"kind": "transfer", "stage": artifact["stage"], "n": 0, "host": artifact["host"], "time": now()}
    digest = artifact["sha256"]
    return {**head, "sha256": digest, "path": None if problem else f"{FOLDER}/{digest}", "note": problem}


def missing(artifacts: Iterable[Record], transfers: Iterable[Record]) -> list[str]:
    """For people: which artifacts have not arrived, and why; of each file the last transfer counts."""
    notes = {_place(record): record["note"] for record in transfers}
    return [
        f"artifact {record['name']} of step {record['step']} on {record['host'] or 'the controller'} is missing: {note}"
        for record in artifacts
        if (note := notes.get(_place(record)))
    ]


def _place(record: Record) -> tuple[int, str, str]:
    return record["stage"], record["host"], record["sha256"]


def _is_there(folder: Path, record: Record) -> bool:
    """Whether the run has the file already. Raises MissingError for what no file can be named after."""
    if not DIGEST.fullmatch(record["sha256"]) or not 0 <= record["size"] <= LARGEST:
        raise MissingError("its record is none of an artifact")
    try:
        return bool((folder / FOLDER / record["sha256"]).stat().st_size == record["size"])
    except FileNotFoundError:
        return False


def _bring(parts: dict[str, ArtifactDownload], ends: dict[str, str], ask: Ask) -> None:
    waiting = [digest for digest in parts if not _is_done(parts[digest], ends)]
    while waiting:
        try:
            answer = ask([(digest, parts[digest].offset) for digest in waiting])
        except RackError as error:
            ends.update(dict.fromkeys(waiting, str(error)))
            return
        pieces = [record for record in answer.records if record["kind"] == "piece" and record.get("sha256") in waiting]
        if not pieces:
            ends.update(dict.fromkeys(waiting, answer.reason or NOTHING.get(answer.state, NO_PIECE)))
            return
        for piece in pieces:
            _take(parts[piece["sha256"]], piece, ends)
        waiting = [digest for digest in waiting if digest not in ends and not _is_done(parts[digest], ends)]


NO_PIECE = "the host answered without it"
NOTHING = {"unknown": "the host does not know this stage any more: it rebooted, or its folder was removed"}


def _take(part: ArtifactDownload, piece: dict[str, Any], ends: dict[str, str]) -> None:
    try:
        part.take(piece)
    except (MissingError, OSError) as error:
        ends[part.digest] = _told(error)


def _is_done(part: ArtifactDownload, ends: dict[str, str]) -> bool:
    """Whether a file is whole, and in its place; or never will be."""
    try:
        return part.finish()
    except (MissingError, OSError) as error:
        ends[part.digest] = _told(error)
        return True


def _told(error: Exception) -> str:
    return f"it cannot be written: {error.strerror}" if isinstance(error, OSError) else str(error)


class ArtifactDownload:
    """A file on its way. What an earlier try left of it counts."""

    def __init__(self, folder: Path, stage: str, record: Record) -> None:
        self.digest: str = record["sha256"]
        self.size: int = record["size"]
        self.offset = 0
        self._target = folder / FOLDER / self.digest
        self._path = folder / PARTIAL / f"{self.digest}.{stage}"
        self._sum = sha256()
        make_private(self._target.parent)
        make_private(self._path.parent)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._inherited = self._go_on()

    def _go_on(self) -> bool:
        """Count what is there; whether anything is."""
        while piece := os.pread(self._file, PIECE, self.offset):
            self._sum.update(piece)
            self.offset += len(piece)
        return self.offset > 0

    def take(self, piece: dict[str, Any]) -> None:
        """Add a piece. Raises MissingError for one that is not the next, OSError where there is no room."""
        if piece.get("problem"):
            raise MissingError(f"the host cannot read it: {piece['problem']}")
        try:
            data = a2b_base64(piece["data"])
        except (KeyError, TypeError, Error):
            raise MissingError(NO_PIECE) from None
        if not data or piece.get("offset") != self.offset or self.offset + len(data) > self.size:
            raise MissingError(f"the host sent {len(data)} bytes from {piece.get('offset')} on of {self.size}")
        write_all(self._file, data)
        self._sum.update(data)
        self.offset += len(data)

    def finish(self) -> bool:
        """Put it in its place once it is whole; whether it is. Raises MissingError where it is another file then."""
        if self.offset < self.size:
            return False
        if self._sum.hexdigest() != self.digest:
            return self._start_over()
        os.fdatasync(self._file)
        self._path.replace(self._target)
        return True

    def _start_over(self) -> bool:
        """What an earlier try left may be damaged, as by a machine that lost its power."""
        os.ftruncate(self._file, 0)
        if not self._inherited:
            raise MissingError("what arrived has another digest")
        self._inherited, self.offset, self._sum = False, 0, sha256()
        return self.size == 0

    def close(self) -> None:
        """What is there stays, for another try."""
        os.close(self._file)
