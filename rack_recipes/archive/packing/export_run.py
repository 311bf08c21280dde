# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Export a run as a pack, a folder or one archive. It appears complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rack_recipes.archive.manifest import CHUNK, SIGNATURE, SUM, SUMS, names_in, pack_name
from rack_recipes.archive.packing.pack_contents import PackSource, gather
from rack_recipes.archive.ssh_signatures import sign
from rack_recipes.archive.tar_and_zip_packs import ArchiveFormat, format_of
from rack_recipes.errors import RackError, UsageError
from rack_recipes.private_files import FOLDER_MODE

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
    with made.open("rb") as file:
        digest = sha256()
        while data := file.read(CHUNK):
            digest.update(data)
    line = f"{digest.hexdigest()}  {target.name}\n".encode()
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
