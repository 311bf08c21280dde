# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the run of a pack here: its folder, as it was where the pack was made, and its rows in the store.

The folder is made beside those of the runs and then moved to its place, so that it is there as a whole or not at all.
One import at a time may do so; what an import leaves behind that was killed is removed by the next one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from rack_recipes.archive.export_pack import VERSIONS
from rack_recipes.archive.manifest_and_signatures import CHUNK
from rack_recipes.archive.result_rows import same_results
from rack_recipes.archive.tar_and_zip_packs import ArchiveFormat
from rack_recipes.archive.verify_pack import MAX_PARSED, PARSED, OnFile, PackProblem, verify
from rack_recipes.errors import JournalError, RackError, UsageError
from rack_recipes.journal.allowed_records import refusal
from rack_recipes.journal.compressed_journal import compressed_path, journal_exists, open_journal, raise_if_unreadable
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import decode
from rack_recipes.journal.step_results_and_end_status import EXIT_CODES, Results
from rack_recipes.private_files import FILE_MODE, FOLDER_MODE, make_private, sync_folder
from rack_recipes.run.missing_results_and_artifacts import FOLDER as ARTIFACTS
from rack_recipes.run.run_folders import (
    BEGUN,
    HOSTS,
    LOCK,
    PLAYBOOK,
    RECIPES,
    SCRIPTLETS,
    group_in,
    hold_run,
    run_record,
)
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database.databases_and_errors import translate_errors
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.visible_text import visible

LOCKING = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
OWN_ID, ANY_ID = re.compile(r"20\d{6}-\d{6}-[0-9a-f]{6}"), "20000000-000000-000000"  # as runs choose it
IMPORTING = ".importing"  # the folder, beside those of runs, in which a run's folder is made
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a run or a group
NAMED = 5  # files that a message names
NEW, LONGER, HERE = "imported", "replaced", "here already"
# Where the files of a pack belong in a run's folder; all others are made of the journal, or of these.
FILES: Mapping[str, str] = {
    JOURNAL: JOURNAL,
    PLAYBOOK: f"{BEGUN}/{PLAYBOOK}",
    HOSTS: f"{BEGUN}/{HOSTS}",
    VERSIONS: VERSIONS,
}
FOLDERS: Mapping[str, str] = {ARTIFACTS: ARTIFACTS, RECIPES: f"{BEGUN}/{RECIPES}"}


class ChangedPackError(RackError):
    """A pack that is not as it was exported; `problems` name the files."""

    def __init__(self, problems: Sequence[PackProblem]) -> None:
        named = (f"{kind}  {file}{f': {detail}' if detail else ''}" for kind, file, detail in problems[:NAMED])
        lines = [visible(line) for line in named]
        more = [f"and {len(problems) - NAMED} more"] if len(problems) > NAMED else []
        super().__init__("\n".join([*lines, *more, "the pack is not as it was exported, so nothing was imported"]))
        self.problems = problems


class OtherRunError(UsageError):
    """There is another run of this id, or a group, or it still goes on."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """How much a pack may have, unpacked: bytes together, `why` no more, files.

    `parsed` is how many bytes of it may be in memory at once: a list of files, a line of the journal.
    """

    size: int = sys.maxsize
    why: str = ""
    files: int = sys.maxsize
    parsed: int = MAX_PARSED


@dataclass(frozen=True, slots=True)
class PackedRun:
    """A pack that was checked: `folder` is the run's folder as it is to be, `record` the beginning of its journal.

    `size` is how many bytes all files of the pack have.
    """

    run_id: str
    folder: Path
    record: dict[str, Any]
    size: int

    @property
    def group(self) -> str:
        """The id of the group that it is a part of, empty for none."""
        return group_in(self.record)


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """What an import did: `state` is NEW, LONGER or HERE, `rows` are those that it wrote to the store.

    `damaged` are the numbers of the lines of the journal that cannot be read, and could not where the pack was made.
    """

    run_id: str
    group: str
    state: str
    rows: int
    damaged: tuple[int, ...] = ()


@contextmanager
def opened_pack(
    pack: Path,
    runs: Path,
    on_file: OnFile = lambda _name: None,
    limits: PackLimits = PackLimits(),
    form: ArchiveFormat | None = None,
) -> Iterator[PackedRun]:
    """A pack that is as it was exported, unpacked during the block. `form` is as for `verify`.

    Raises ChangedPackError, UsageError for what cannot be imported, and JournalError for what cannot be written.
    """
    if not pack.exists():
        raise UsageError(f"{pack}: there is no such pack")
    with _alone(runs) as folder:
        with closing(_Unpack(folder, limits, on_file)) as unpack:
            found = verify(pack, None, unpack.begin, unpack.keep, form, unpack.skip)
        if found.problems:
            raise ChangedPackError(found.problems)
        yield _packed_run(found.run_id, folder, unpack.size)


def import_packed_run(packed: PackedRun, runs: Path, store: sql.Engine) -> ImportedRun:
    """Put the run's folder in its place, and bring what is new in its journal into the store.

    Raises OtherRunError where something else is in its place, StoreError, and JournalError.
    """
    rows = _stored(store, packed)
    if rows and not journal_exists(runs / packed.run_id / JOURNAL):
        _compare(store, packed, rows.journal_offset)
    with _written(runs):
        state = _place(packed.folder, runs / packed.run_id)
    journal = runs / packed.run_id / JOURNAL
    if rows and rows.journal_offset > _size(journal):  # it got there another way, and further
        return ImportedRun(packed.run_id, packed.group, state, 0)
    done = import_journal(store, journal)
    return ImportedRun(packed.run_id, packed.group, state, done.rows, done.damaged)


def place_returned(returned: Path, folder: Path) -> None:
    """Put a run's folder, which a controller has sent back, in its place; it is checked as that of a pack is.

    What is here is added to: files that it lacks, and the journal if it begins as the one here. Raises UsageError where
    it is not the folder of this run, and JournalError.
    """
    made = _packed_run(folder.name, returned, 0).folder
    with _written(folder):
        if not folder.exists():
            _place(made, folder)
            return
        if not _begins_alike(folder / JOURNAL, made / JOURNAL):
            shutil.copyfile(folder / JOURNAL, made / JOURNAL)
        _move_into(made, folder)


def _begins_alike(here: Path, there: Path) -> bool:
    """Whether a journal begins with the one that is here."""
    with here.open("rb") as old, there.open("rb") as new:
        return all(mine == new.read(len(mine)) for mine in iter(lambda: old.read(CHUNK), b""))


def remove_leftovers(runs: Path) -> None:
    """Remove what a killed import has left; a living one is waited for. Raises JournalError."""
    if (runs / IMPORTING).exists():
        with _alone(runs):
            pass


@dataclass
class _Unpack:
    """Writes the files of a pack that belong to a run's folder, and counts all of them."""

    folder: Path
    limits: PackLimits
    on_file: OnFile
    files: int = 0
    size: int = 0  # bytes of all files
    of_file: int = 0  # bytes of the one that is read
    file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """Another file begins. Raises UsageError for one too many."""
        self.on_file(name)
        self.files += 1
        if self.files > self.limits.files:
            raise UsageError(f"the pack is too large: it has more than {self.limits.files} files")

    def keep(self, name: str) -> Callable[[bytes], object]:
        """What takes the bytes of a file. Raises JournalError."""
        self.close()
        top, slash, rest = name.partition("/")
        if top in (FOLDERS if slash else FILES):
            path = self.folder / f"{(FOLDERS if slash else FILES)[top]}{slash}{rest}"
            with _written(path):
                make_private(path.parent)
                self.file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb")  # noqa: PTH123, SIM115
        self.of_file = 0
        return partial(self._take, name)

    def skip(self, size: int) -> None:
        """So many bytes are unpacked. Raises UsageError for too many."""
        self.size += size
        if self.size > self.limits.size:
            why = f", {self.limits.why}" if self.limits.why else ""
            raise UsageError(f"the pack is too large: unpacked it has more than {self.limits.size} bytes{why}")

    def _take(self, name: str, data: bytes) -> None:
        self.skip(len(data))
        self.of_file += len(data)
        parsed = len(data) if name == JOURNAL else self.of_file if name in PARSED else 0
        if parsed > self.limits.parsed:
            raise UsageError(f"the pack is too large: {name} has more than {self.limits.parsed} bytes at once")
        if self.file:
            with _written(self.folder):
                self.file.write(data)

    def close(self) -> None:
        """Bring the file to the disk that was written last."""
        if self.file:
            file, self.file = self.file, None
            with _written(self.folder), file:
                file.flush()
                os.fsync(file.fileno())


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(f"{error.filename or path}: {error.strerror}") from error


@contextmanager
def _alone(runs: Path) -> Iterator[Path]:
    """A new folder for a run, while no other import has one. What a killed one has left is removed."""
    place = runs / IMPORTING
    folder = place / "run"
    with ExitStack() as stack:
        with _written(runs):
            make_private(place)
            lock = stack.enter_context(open(os.open(place / LOCK, LOCKING, FILE_MODE), "wb"))  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(FOLDER_MODE)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _packed_run(run_id: str, folder: Path, size: int) -> PackedRun:
    """The run of a pack that was unpacked. Raises UsageError where it lacks what a run's folder needs."""
    if not (folder / JOURNAL).exists():
        raise UsageError(
            "the pack has no journal, of which a run is made: export it where its folder is; of a run in parts, import "
            "the packs of its parts"
        )
    _check_records(folder / JOURNAL)
    record = run_record(folder / JOURNAL)
    packed = PackedRun(run_id, folder, record, size)
    for name in (run_id, *filter(None, [packed.group])):
        if not ID.fullmatch(name):
            raise UsageError(f"expected a run's id of letters, digits, '-', '_' and '.', got {name[:100]!r}")
        if OWN_ID.fullmatch(name + ANY_ID[len(name) :]) and len(name) < len(ANY_ID):
            raise UsageError(f"expected a whole id of a run, got {name!r}, by which commands here mean other runs")
    if record.get("run") != run_id:
        raise UsageError(f"the journal of the pack is of run {record.get('run')!r}, its manifest of {run_id!r}")
    _write_digests(folder)
    (folder / LOCK).touch(FILE_MODE)
    return packed


def _check_records(journal: Path) -> None:
    """Raise UsageError for a record that no run writes, and for an end that says something else than its results.

    Lines that cannot be read are told once the run is here.
    """
    results = Results()
    with journal.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = decode(line)
            except JournalError:
                continue
            if why := refusal(record) or _contradiction(record, results):
                raise UsageError(f"{JOURNAL}, line {number}: {why}; so it is not the journal of a run")
            if record["kind"] == "step":
                results.add(record)


def _contradiction(record: Mapping[str, Any], results: Results) -> str:
    """Why an end cannot be that of these results: it says that the run has passed; empty where it may."""
    if record["kind"] != "end" or EXIT_CODES[record["status"]]:
        return ""
    bad = [f"{cell.step} on {cell.host or 'the run'}" for cell, end in results.counted() if end.verdict not in HARMLESS]
    return f"an end that says {record['status']}, but {first_few(bad, NAMED)} did not pass" if bad else ""


def _write_digests(folder: Path) -> None:
    """Write the digests of scriptlets where a run keeps them; a pack has them among its versions."""
    try:
        digests = json.loads((folder / VERSIONS).read_bytes()).get("scriptlets")
    except (OSError, ValueError, AttributeError):  # made by another version
        digests = None
    (folder / VERSIONS).unlink(missing_ok=True)
    if digests:
        make_private(folder / BEGUN)
        path = folder / BEGUN / SCRIPTLETS
        path.touch(FILE_MODE)
        path.write_text(f"{json.dumps(digests, ensure_ascii=False, indent=1, sort_keys=True)}\n", encoding="utf-8")


def _place(made: Path, folder: Path) -> str:
    """Put a run's folder in its place; returns what became of it. Raises OtherRunError, OSError."""
    if not folder.exists():
        made.rename(folder)
        sync_folder(folder.parent)
        return NEW
    state = _state(folder / JOURNAL, made / JOURNAL)
    if state == LONGER:
        try:
            with hold_run(folder):
                _move_into(made, folder)
        except UsageError as error:
            raise OtherRunError(str(error)) from error
    return state


def _state(here: Path, there: Path) -> str:
    """How a journal that is here differs from that of a pack. Raises OtherRunError where none begins the other."""
    if not journal_exists(here):
        return LONGER
    with raise_if_unreadable(here), open_journal(here) as old, there.open("rb") as new:
        while True:
            mine, others = old.read(CHUNK), new.read(CHUNK)
            if mine != others or not mine:
                break
    if mine.startswith(others):
        return HERE
    if others.startswith(mine):
        if any(JournalReader(here).records("end")):
            raise OtherRunError(f"run {here.parent.name} has ended here, and the pack has more behind its end")
        return LONGER
    raise OtherRunError(f"there is another run {here.parent.name} here: its journal is not that of the pack")


def _move_into(made: Path, folder: Path) -> None:
    """Add what a run's folder lacks. The journal comes last: it names what is there."""
    for path in sorted(made.rglob("*")):
        target = folder / path.relative_to(made)
        if path.is_file() and path.name != JOURNAL and not target.exists():
            make_private(target.parent)
            path.rename(target)
    (made / JOURNAL).rename(folder / JOURNAL)
    compressed_path(folder / JOURNAL).unlink(missing_ok=True)
    sync_folder(folder)


def _stored(store: sql.Engine, packed: PackedRun) -> Any:
    """The row of the run in the store, None where it has none. Raises OtherRunError for another run or group."""
    runs = tables().runs
    columns = (runs.c.run_id, runs.c.group_id, runs.c.part, runs.c.started, runs.c.journal_offset)
    query = sql.select(*columns).where(runs.c.run_id.in_([packed.run_id, packed.group]))
    with translate_errors(store.url), reading_connection(store) as connection:
        rows = {row.run_id: row for row in connection.execute(query)}
    found, group = rows.get(packed.run_id), rows.get(packed.group)
    if found and (_is_group(found) or found.started not in (None, packed.record.get("time"))):
        what = "a group" if _is_group(found) else f"another run, which began at {found.started}"
        raise OtherRunError(f"the store has {what} of the id {packed.run_id}")
    if group and not _is_group(group):
        raise OtherRunError(f"the store has a run of the id {packed.group}, of which the pack says that it is a group")
    return found


def _compare(store: sql.Engine, packed: PackedRun, until: int) -> None:
    """Raise OtherRunError where the store has other results of a run, whose journal is not here, than the pack."""
    if not same_results(store, packed.folder / JOURNAL, packed.run_id, until):
        raise OtherRunError(
            f"the store has run {packed.run_id} with other results than the pack, and no journal of it is here"
        )


def _is_group(row: Any) -> bool:
    return row.group_id == row.run_id and row.part is None


def _size(journal: Path) -> int:
    """The bytes of a journal; of a compressed one, which is as it was, more than any store has of it."""
    return journal.stat().st_size if journal.exists() else sys.maxsize
