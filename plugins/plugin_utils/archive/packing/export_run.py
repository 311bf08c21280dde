# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a run to a pack: a folder or one archive, there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.manifest import CHUNK, SIGNATURE, SUM, SUMS, name_of
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.packing.pack_contents import (
    PackSource,
    gather,
    names_in,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.packing.tar_and_zip import WRITERS
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.ssh_signatures import sign
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, UsageError

PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class ExportedPack:
    """A pack: all its paths, the pack itself first; how many files are in it, and what its manifest says of it."""

    paths: tuple[Path, ...]
    files: int
    about: dict[str, Any]


def export(source: PackSource, target: Path, key: Path | None = None) -> ExportedPack:
    """Pack a run into a folder, or into an archive where the target's name is one of a `.tar.gz` or `.zip`.

    With the file of a key it is signed: the folder's list of checksums, or the archive's own. Raises RackError,
    UsageError for a target that is there already, or cannot be.
    """
    if target.exists():
        raise UsageError(f"{target}: it is there already, and nothing is replaced")
    suffix = next((suffix for suffix in WRITERS if target.name.lower().endswith(suffix)), "")
    try:
        with _private(), _staging(target) as staging:
            about = gather(source, staging / "pack")
            number = len(names_in(staging / "pack"))
            paths = _archived(staging, suffix, source, target, key) if suffix else _placed(staging, target, key)
    except OSError as error:
        is_inside = error.filename is None or PARTIAL in str(error.filename)  # which nobody asked for
        raise RackError(f"{target if is_inside else error.filename}: {error.strerror}") from error
    return ExportedPack(paths, number, about)


def _placed(staging: Path, target: Path, key: Path | None) -> tuple[Path, ...]:
    made = staging / "pack"
    if key:
        (made / f"{SUMS}{SIGNATURE}").write_bytes(sign((made / SUMS).read_bytes(), key))
    made.rename(target)
    return (target,)


def _archived(staging: Path, suffix: str, source: PackSource, target: Path, key: Path | None) -> tuple[Path, ...]:
    """What belongs to an archive is there before the archive is: no reader sees one that cannot be checked."""
    made = staging / "archive"
    with made.open("xb") as file:
        WRITERS[suffix](staging / "pack", name_of(source.run_id), file)
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
    """A folder of our own beside the target, on the same disk; what a killed export left there goes."""
    folder = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_left(target)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(f"{target}: it cannot be written: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(target: Path) -> None:
    for old in target.parent.iterdir():
        is_ours = old.name.startswith(f".{target.name}.") and old.name.endswith(PARTIAL)
        if is_ours and not _is_alive(old.name.removesuffix(PARTIAL).rpartition(".")[2]):
            shutil.rmtree(old, ignore_errors=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextmanager
def _private() -> Iterator[None]:
    """What is written meanwhile is for its owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
