# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetch the files that steps have attached from their host into the run's folder, in pieces.

A file that has arrived in part lies in the folder `partial`. A later try, also in a later run, goes on where it
stopped. A whole file is `artifacts/<sha256>`.
"""

from __future__ import annotations

import os
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import LARGEST, MOST, PIECE, STAGE
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import write_all
from rack_recipes.errors import RackError
from rack_recipes.journal.allowed_records import ARTIFACT_PIECE, DIGEST
from rack_recipes.journal.record_fields import Record
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.host.host_answer import UNKNOWN_STAGE, HostAnswer
from rack_recipes.run.missing_results_and_artifacts import FOLDER, transfer_record

PARTIAL = "partial"
NO_PIECE = "the host answered without it"
SMALL = "the host sends it in pieces that are too small"
TOO_MUCH = "with it the host would have left more files in this stage than it can"

Wanted = Sequence[tuple[str, int]]  # digests, each with the offset in bytes from which on it is wanted
Ask = Callable[[Wanted], HostAnswer]


class MissingError(Exception):
    """A file cannot be fetched; the text says why."""


def fetch_artifacts(folder: Path, stage: str, records: Iterable[Record], ask: Ask) -> list[Record]:
    """Fetch the files of a host's artifact records into the run's folder; `ask` asks the host for pieces of them.

    A file that is there already is not asked for. Returns a transfer record for each file: its path in the folder, or
    None and in `note` why it is missing.
    """
    wanted = {record["sha256"]: record for record in records}
    ended: dict[str, str] = {}  # by digest, why a file is missing; an empty text where it has arrived
    downloads: dict[str, ArtifactDownload] = {}
    for digest, record in wanted.items():
        try:
            if not _has_arrived(folder, record):
                downloads[digest] = _begun(folder, stage, record, [*downloads.values()])
        except (MissingError, OSError) as error:
            ended[digest] = _reason(error)
    try:
        _fetch(downloads, ended, ask)
    finally:
        for download in downloads.values():
            download.close()
    with suppress(OSError):  # the folder is not empty while other files arrive
        (folder / PARTIAL).rmdir()
    return [transfer_record(record, ended.get(digest, "")) for digest, record in wanted.items()]


def _has_arrived(folder: Path, record: Record) -> bool:
    """Whether the run has the file already. Raises MissingError where the record has no valid digest or size."""
    if not DIGEST.fullmatch(record["sha256"]) or not 0 <= record["size"] <= LARGEST:
        raise MissingError("its record is none of an artifact")
    try:
        return bool((folder / FOLDER / record["sha256"]).stat().st_size == record["size"])
    except FileNotFoundError:
        return False


def _begun(folder: Path, stage: str, record: Record, others: Sequence[ArtifactDownload]) -> ArtifactDownload:
    """A file that is to be fetched. Raises MissingError where all of them are more than a stage can leave on a host."""
    if len(others) == MOST or record["size"] + sum(other.size for other in others) > STAGE:
        raise MissingError(TOO_MUCH)
    return ArtifactDownload(folder, stage, record)


def _fetch(downloads: dict[str, ArtifactDownload], ended: dict[str, str], ask: Ask) -> None:
    waiting = [digest for digest in downloads if not _is_over(downloads[digest], ended)]
    while waiting:
        try:
            answer = ask([(digest, downloads[digest].offset) for digest in waiting])
        except RackError as error:
            ended.update(dict.fromkeys(waiting, str(error)))
            return
        pieces = [record for record in answer.records if ARTIFACT_PIECE.holds(record) and record["sha256"] in waiting]
        if not pieces:
            why = answer.reason or (UNKNOWN_STAGE if answer.state == "unknown" else NO_PIECE)
            ended.update(dict.fromkeys(waiting, why))
            return
        had = _size_of(downloads.values())
        for piece in pieces:
            _add_piece(downloads[piece["sha256"]], piece, ended)
        if _size_of(downloads.values()) - had < PIECE:  # as many requests as bytes would take for ever
            ended.update((digest, SMALL) for digest in waiting if digest not in ended and downloads[digest].is_open)
        waiting = [digest for digest in waiting if digest not in ended and not _is_over(downloads[digest], ended)]


def _size_of(downloads: Iterable[ArtifactDownload]) -> int:
    """How many bytes have arrived."""
    return sum(download.offset for download in downloads)


def _add_piece(download: ArtifactDownload, piece: dict[str, object], ended: dict[str, str]) -> None:
    try:
        download.add(piece)
    except (MissingError, OSError) as error:
        ended[download.digest] = _reason(error)


def _is_over(download: ArtifactDownload, ended: dict[str, str]) -> bool:
    """Whether a file is whole and in its place, or cannot be fetched, which is noted in `ended`."""
    try:
        return download.finish()
    except (MissingError, OSError) as error:
        ended[download.digest] = _reason(error)
        return True


def _reason(error: Exception) -> str:
    return f"it cannot be written: {error.strerror}" if isinstance(error, OSError) else str(error)


class ArtifactDownload:
    """A file that arrives in pieces; what an earlier try has left of it counts."""

    def __init__(self, folder: Path, stage: str, record: Record) -> None:
        self.digest: str = record["sha256"]
        self.size: int = record["size"]
        self.offset = 0
        self._target = folder / FOLDER / self.digest
        self._path = folder / PARTIAL / f"{self.digest}.{stage}"
        self._sum = sha256()
        make_private(self._target.parent)
        make_private(self._path.parent)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        self._has_earlier_part = self._read_earlier_part()

    @property
    def is_open(self) -> bool:
        """Whether a part of it has not arrived yet."""
        return self.offset < self.size

    def _read_earlier_part(self) -> bool:
        """Go on behind what an earlier try has left; returns whether it left anything."""
        while piece := os.pread(self._file, PIECE, self.offset):
            self._sum.update(piece)
            self.offset += len(piece)
        return self.offset > 0

    def add(self, piece: dict[str, Any]) -> None:
        """Add a piece. Raises MissingError for one that is not the next, OSError where there is no room."""
        if piece.get("problem"):
            raise MissingError(f"the host cannot read it: {piece['problem']}")
        try:
            data = a2b_base64(piece["data"])
        except (KeyError, ValueError):
            raise MissingError(NO_PIECE) from None
        if not data or piece.get("offset") != self.offset or self.offset + len(data) > self.size:
            raise MissingError(f"the host sent {len(data)} bytes from {piece.get('offset')} on of {self.size}")
        write_all(self._file, data)
        self._sum.update(data)
        self.offset += len(data)

    def finish(self) -> bool:
        """Move the file to its place once it is whole; returns whether it is whole.

        Raises MissingError where what arrived in this try has another digest.
        """
        if self.is_open:
            return False
        if self._sum.hexdigest() != self.digest:
            return self._start_over()
        os.fdatasync(self._file)
        self._path.replace(self._target)
        return True

    def _start_over(self) -> bool:
        """Fetch the file from its beginning: the earlier part may be damaged, as after a power failure."""
        os.ftruncate(self._file, 0)
        if not self._has_earlier_part:
            raise MissingError("what arrived has another digest")
        self._has_earlier_part, self.offset, self._sum = False, 0, sha256()
        return self.size == 0

    def close(self) -> None:
        """Close the file; what has arrived stays for another try."""
        os.close(self._file)
