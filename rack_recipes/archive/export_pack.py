# SPDX-License-Identifier: GPL-3.0-or-later

"""Exports a run as a pack, a folder or one archive: gathers its files; it appears complete or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.archive.manifest_and_signatures import (
    CHUNK,
    MANIFEST,
    SIGNATURE,
    SUM,
    SUMS,
    HashChain,
    PackFacts,
    digest_of,
    manifest_text,
    names_in,
    pack_name,
    sign,
    sums_text,
)
from rack_recipes.archive.result_rows import ResultWriter, from_journal, from_store, status_of, table_rows
from rack_recipes.archive.tar_and_zip_packs import ArchiveFormat, format_of
from rack_recipes.errors import JournalError, RackError, UsageError
from rack_recipes.journal.compressed_journal import UNREADABLE, open_journal, unreadable_reason
from rack_recipes.private_files import FOLDER_MODE
from rack_recipes.run.missing_results_and_artifacts import FOLDER as ARTIFACTS
from rack_recipes.run.run_folders import BEGUN, HOSTS, PLAYBOOK, RECIPES, SCRIPTLETS, run_record
from rack_recipes.store.writing.import_journal import is_behind
from rack_recipes.version import VERSION

RESULTS, VERSIONS = "results", "versions.json"
NOT_KEPT = "it was not kept when the run began: it could not be read, or it had changed since it was compiled"
NOT_HERE = "the run's folder is not here"
IN_PARTS = "the packs of the parts have it"
NOT_ARRIVED = "it did not arrive from its host"
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PackSource:
    """Where a run is.

    `journal` is the path of its journal without `.gz`, None where the run has no folder here. `store` is None where
    the store cannot be read. `absent` is why there is no folder here, where there is none.
    """

    run_id: str
    journal: Path | None
    store: Engine | None
    absent: str = NOT_HERE


@dataclass(slots=True)
class _Pack:
    """A pack that is being made. `missing` has the reason for each file or part that it lacks."""

    folder: Path
    source: PackSource
    missing: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """The path of a file of the pack; the folder above it is made."""
        path = self.folder / name
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return path


def gather(source: PackSource, folder: Path) -> dict[str, Any]:
    """Write all files of a pack into a new folder. Returns the fields of its manifest about the whole pack.

    Raises RackError or OSError.
    """
    folder.mkdir(mode=FOLDER_MODE)
    pack = _Pack(folder, source)
    results = _add_results(pack)
    run = status_of(folder / RESULTS)
    record = run_record(source.journal) if source.journal else {}
    _add_run_snapshot(pack, record)
    _add_versions(pack, run, record)
    _add_artifacts(pack)
    about = {
        "run_id": source.run_id,
        **{name: run.get(name) for name in ("status", "started", "ended")},
        "exported_with": {"rack.recipes": VERSION},
        "journal": _add_journal(pack),
        "results": results,
        "missing": dict(sorted(pack.missing.items())),
    }
    _seal(folder, about)
    return about


def _seal(folder: Path, about: Mapping[str, object]) -> None:
    files = facts_of(folder)
    manifest = manifest_text(about, files)
    (folder / MANIFEST).write_bytes(manifest)
    digests = {name: facts.sha256 for name, facts in files.items()}
    (folder / SUMS).write_bytes(sums_text({**digests, MANIFEST: sha256(manifest).hexdigest()}))


def facts_of(folder: Path) -> dict[str, PackFacts]:
    """Size and SHA-256 of each file below a folder, by its path relative to it."""
    return {name: PackFacts((folder / name).stat().st_size, digest_of(folder / name)) for name in names_in(folder)}


def _add_results(pack: _Pack) -> str:
    """Add the rows of the run: those of the store where it has all of them, otherwise those that the journal makes.

    Returns which of the two it was, `store` or `journal`.
    """
    source = pack.source
    with ResultWriter(pack.folder / RESULTS) as writer:
        if source.store and (source.journal is None or not is_behind(source.store, source.journal)):
            from_store(source.store, source.run_id, writer.write)
            return "store"
        if source.journal:
            from_journal(source.journal, source.run_id, writer.write)
    return "journal"


def _add_journal(pack: _Pack) -> dict[str, Any] | None:
    """Add the journal byte for byte, uncompressed. Returns the manifest's entry about it."""
    journal = pack.source.journal
    if journal is None:
        pack.missing[JOURNAL] = pack.source.absent
        return None
    chain = HashChain()
    try:
        with open_journal(journal) as lines, pack.path(JOURNAL).open("xb") as copy:
            for line in lines:
                copy.write(line)
                chain.add(line)
    except UNREADABLE as error:
        raise JournalError(f"{journal}: {unreadable_reason(error)}") from error
    return chain.to_data()


def _add_run_snapshot(pack: _Pack, record: Mapping[str, Any]) -> None:
    """Add recipe, playbook and hosts as they were when the run began."""
    kept = pack.source.journal.parent / BEGUN if pack.source.journal else None
    wanted = {RECIPES: [*_below(kept, RECIPES)], PLAYBOOK: [PLAYBOOK], HOSTS: [HOSTS]}
    for what, names in wanted.items():
        found = [name for name in names if kept and (kept / name).is_file()]
        for name in found:
            _copy(kept / name, pack.path(name))  # type: ignore[operator]  # nothing is there without `kept`
        if not found:
            pack.missing[what] = NOT_KEPT if kept else pack.source.absent
    if HOSTS in pack.missing and record:
        del pack.missing[HOSTS]
        pack.path(HOSTS).write_bytes(_json({host: {} for host in record.get("hosts", ())}))


def _below(folder: Path | None, name: str) -> Iterator[str]:
    if folder and (folder / name).is_dir():
        yield from (f"{name}/{inside}" for inside in names_in(folder / name))


def _add_versions(pack: _Pack, run: Mapping[str, object], record: Mapping[str, object]) -> None:
    """Add the versions of the programs on the controller, and the digests of the recipe and of the scriptlets."""
    kept = pack.source.journal.parent / BEGUN / SCRIPTLETS if pack.source.journal else None
    try:
        scriptlets = json.loads(kept.read_bytes()) if kept else {}
    except (OSError, ValueError):
        scriptlets = {}
    if not scriptlets:
        pack.missing["scriptlets"] = NOT_KEPT if kept else pack.source.absent
    versions = record.get("versions") or run.get("versions") or {}
    recipe = {"path": run.get("recipe"), "digest": run.get("digest"), "test_id": run.get("test_id")}
    pack.path(VERSIONS).write_bytes(_json({"programs": versions, "recipe": recipe, "scriptlets": scriptlets}))


def _add_artifacts(pack: _Pack) -> None:
    """Add the files that steps attached, each under its SHA-256. One whose bytes have another SHA-256 is left out."""
    folder = pack.source.journal.parent / ARTIFACTS if pack.source.journal else None
    rows = [*table_rows(pack.folder / RESULTS, ARTIFACTS)]
    arrived = {str(row["sha256"]) for row in rows if row["path"]}
    absent = {str(row["sha256"]): row["note"] or NOT_ARRIVED for row in rows if row["sha256"] not in arrived}
    pack.missing |= {f"{ARTIFACTS}/{digest}": str(note) for digest, note in absent.items()}
    for digest in sorted(arrived):
        name = f"{ARTIFACTS}/{digest}"
        if not folder or not DIGEST.fullmatch(digest) or not (folder / digest).is_file():
            pack.missing[name] = "it is not in the run's folder" if folder else pack.source.absent
            continue
        path = pack.path(name)
        if _copy(folder / digest, path) != digest:
            path.unlink()
            pack.missing[name] = "its bytes are not those that its name says"


def _copy(source: Path, target: Path) -> str:
    """Copy a file that is no link. Returns its SHA-256 in hexadecimal. Raises OSError."""
    digest = sha256()
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file, target.open("xb") as copy:  # noqa: PTH123
        while data := file.read(CHUNK):
            copy.write(data)
            digest.update(data)
    return digest.hexdigest()


def _json(value: object) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode(errors="backslashreplace")


PARTIAL = ".partial"  # the end of the name of a folder in which a pack is being made


@dataclass(frozen=True, slots=True)
class ExportedPack:
    """What an export made.

    `paths` has the pack, then the files that were written beside it. `files` is the number of files in the pack, and
    `about` has the fields of its manifest.
    """

    paths: tuple[Path, ...]
    files: int
    about: dict[str, Any]


def check_free(targets: Iterable[Path]) -> None:
    """Raise UsageError for a path where something is already."""
    for target in targets:
        if target.exists():
            raise UsageError(f"{target}: it is there already, and nothing is replaced")


def export(source: PackSource, target: Path, key: Path | None = None) -> ExportedPack:
    """Pack a run into a folder, or into an archive where the name of `target` ends as that of one does.

    `key` is the file of an SSH key. With one, the list of checksums in a folder or the checksum file of an archive is
    signed. Raises UsageError for a target that exists or cannot be written, and RackError for other problems.
    """
    check_free([target])
    form = format_of(target.name)
    try:
        with _private(), _staging(target) as staging:
            about = gather(source, staging / "pack")
            number = len(names_in(staging / "pack"))
            paths = _to_archive(staging, form, source, target, key) if form else _to_folder(staging, target, key)
    except OSError as error:
        # users do not know the folder in which the pack is made
        is_inside = error.filename is None or PARTIAL in str(error.filename)
        raise RackError(f"{target if is_inside else error.filename}: {error.strerror}") from error
    return ExportedPack(paths, number, about)


def _to_folder(staging: Path, target: Path, key: Path | None) -> tuple[Path, ...]:
    made = staging / "pack"
    if key:
        (made / f"{SUMS}{SIGNATURE}").write_bytes(sign((made / SUMS).read_bytes(), key))
    made.rename(target)
    return (target,)


def _to_archive(
    staging: Path, form: ArchiveFormat, source: PackSource, target: Path, key: Path | None
) -> tuple[Path, ...]:
    """Put the files beside an archive into place before the archive, so that nobody sees one without its checksum."""
    made = staging / "archive"
    with made.open("xb") as file:
        form.write(staging / "pack", pack_name(source.run_id), file)
        file.flush()
        os.fsync(file.fileno())
    line = f"{digest_of(made)}  {target.name}\n".encode()
    beside = {target.with_name(target.name + SUM): line}
    if key:
        beside[target.with_name(target.name + SUM + SIGNATURE)] = sign(line, key)
    for path, text in beside.items():
        (staging / path.name).write_bytes(text)
        (staging / path.name).replace(path)
    made.rename(target)
    return (target, *beside)


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A folder in which the pack is made, on the disk of its target. Those of killed exports are removed."""
    folder = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _remove_leftovers(target)
        folder.mkdir(mode=FOLDER_MODE)
    except OSError as error:
        raise UsageError(f"{target}: it cannot be written: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(target: Path) -> None:
    for old in target.parent.iterdir():
        is_ours = old.name.startswith(f".{target.name}.") and old.name.endswith(PARTIAL)
        if is_ours and not _is_alive(old.name.removesuffix(PARTIAL).rpartition(".")[2]):
            shutil.rmtree(old, ignore_errors=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:  # a process of another user
        return True
    return True


@contextmanager
def _private() -> Iterator[None]:
    """Files that are made meanwhile can be read by their owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
