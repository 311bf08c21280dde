# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a pack, read one after the other and never unpacked; whatever is no ordinary file is a problem."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.manifest import CHUNK, fault_of

NO_FILE = "it is no ordinary file"
TWICE = "it is there more than once"


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: its path in the pack, and how its bytes are read; or what is wrong with it, and it is not read."""

    name: str
    open: Callable[[], IO[bytes]]
    fault: str = ""


def of_folder(folder: Path) -> Iterator[Member]:
    """All that is in a folder; links are not followed."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            if not any(path.iterdir()):
                yield _faulty(name, "an empty folder")
        else:
            fault = fault_of(name) or ("" if stat.S_ISREG(mode) else NO_FILE)
            yield Member(name, lambda path=path: path.open("rb"), fault)  # type: ignore[misc]


def of_tar(path: Path) -> Iterator[Member]:
    """The members of a tar.gz, in their order; each has to be read before the next one is asked for."""
    with gzip.open(path, "rb") as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
        yield from _of_archive((info.name, info.isreg(), _tar_reader(tar, info)) for info in tar)
        while data := packed.read(CHUNK):  # to the checksum at its end
            if data.strip(b"\0"):
                yield _faulty("", "there is something behind its end")


def _tar_reader(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    return lambda: cast("IO[bytes]", tar.extractfile(info))


def of_zip(path: Path) -> Iterator[Member]:
    """The members of a zip."""
    with zipfile.ZipFile(path) as archive:
        yield from _of_archive(
            (info.filename, _is_regular(info), lambda info=info: archive.open(info))  # type: ignore[misc]
            for info in archive.infolist()
        )


def _is_regular(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def _of_archive(entries: Iterable[tuple[str, bool, Callable[[], IO[bytes]]]]) -> Iterator[Member]:
    """Entries below the one folder that the first of them is in, which is left out of their names."""
    top, seen = "", set()
    for whole, is_file, reader in entries:
        top = top or whole.partition("/")[0]
        folder, _slash, name = whole.partition("/")
        fault = fault_of(whole) or ("" if is_file else NO_FILE) or (TWICE if whole in seen else "")
        if not fault and (folder != top or not name):
            fault = f"it is not in the folder {top}"
        seen.add(whole)
        yield _faulty(whole, fault) if fault else Member(name, reader)


def _faulty(name: str, fault: str) -> Member:
    def unread() -> IO[bytes]:
        raise ValueError(fault)

    return Member(name, unread, fault)


READERS: Mapping[str, Callable[[Path], Iterator[Member]]] = {
    ".zip": of_zip,
    ".tar.gz": of_tar,
    ".tgz": of_tar,
}
