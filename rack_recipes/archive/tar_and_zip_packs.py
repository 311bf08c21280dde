# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms of a pack: a folder, a tar.gz or a zip.

The same files give the same archive, byte for byte, whoever packs them and when. Packs are read file by file and are
never unpacked. Whatever is no ordinary file in one is a problem.
"""

from __future__ import annotations

import gzip
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from rack_recipes.archive.manifest_and_signatures import CHUNK, name_problem, names_in

ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
TAR_TIME = 315_532_800  # the same in seconds since 1970
MODE = 0o644
UNIX = 3
LEVEL = 6
NOT_A_FILE = "it is no ordinary file"
MAX_HEADER = 16 * 2**20  # bytes
MAX_PADDING = 2**20  # bytes of zeros behind the end of a tar
REPEATED = "it is there more than once"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a pack: its path in the pack, and a function that opens it.

    Where `problem` says what is wrong with it, it must not be opened; `size` is how many bytes are passed over then.
    """

    name: str
    open: Callable[[], IO[bytes]]
    problem: str = ""
    size: int = 0


class ArchiveFormat(NamedTuple):
    """How an archive is written and read.

    `write` takes the folder to pack, the name of the folder inside of the archive, and the open file to write to.
    `read` takes the path of the archive.
    """

    write: Callable[[Path, str, IO[bytes]], None]
    read: Callable[[Path], Iterator[Member]]


def format_of(name: str) -> ArchiveFormat | None:
    """The format of an archive by the end of its file's name; None for other names."""
    return next((form for suffix, form in FORMATS.items() if name.lower().endswith(suffix)), None)


def with_part(target: Path, part: str) -> Path:
    """The path of the pack of a part, beside that of its group: `night.tar.gz` gives `night-PART.tar.gz`."""
    suffix = next((suffix for suffix in FORMATS if target.name.lower().endswith(suffix)), "")
    stem = target.name[: len(target.name) - len(suffix)]
    return target.with_name(f"{stem}-{part}{target.name[len(stem) :]}")


def write_tar(folder: Path, inside: str, target: IO[bytes]) -> None:
    """Write a folder's files to a tar.gz, below the folder `inside`."""
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names_in(folder):
            info = tarfile.TarInfo(f"{inside}/{name}")
            info.size, info.mtime, info.mode = (folder / name).stat().st_size, TAR_TIME, MODE
            with (folder / name).open("rb") as file:
                tar.addfile(info, file)


def write_zip(folder: Path, inside: str, target: IO[bytes]) -> None:
    """Write a folder's files to a zip, below the folder `inside`."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names_in(folder):
            info = zipfile.ZipInfo(f"{inside}/{name}", ZIP_TIME)
            info.create_system, info.external_attr = UNIX, MODE << 16
            info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, (folder / name).stat().st_size
            with (folder / name).open("rb") as file, archive.open(info, "w") as member:
                shutil.copyfileobj(file, member, CHUNK)


def read_folder(folder: Path) -> Iterator[Member]:
    """All that is in a folder. Links are not followed."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            if not any(path.iterdir()):
                yield _refused(name, "an empty folder")
        else:
            problem = name_problem(name) or ("" if stat.S_ISREG(mode) else NOT_A_FILE)
            yield Member(name, lambda path=path: path.open("rb"), problem)  # type: ignore[misc]


def read_tar(path: Path) -> Iterator[Member]:
    """The members of a tar.gz in their order. Each one has to be read before the next one is asked for."""
    with _Unpacked(path, "rb") as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
        yield from _below_one_folder((info.name, info.isreg(), _tar_opener(tar, info), info.size) for info in tar)
        padding = 0
        while data := packed.read(CHUNK):  # gzip checks its checksum at the end
            padding += len(data)
            if data.strip(b"\0") or padding > MAX_PADDING:
                yield _refused("", "there is something behind its end")
                return


class _Unpacked(gzip.GzipFile):
    """The bytes of a tar. tarfile reads a header at once, however large it says that it is."""

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes. Raises ReadError for more than a header of a pack can have."""
        if size is None or not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f"a header says that it has {size} bytes")
        return super().read(size)


def _tar_opener(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    return lambda: cast("IO[bytes]", tar.extractfile(info))


def read_zip(path: Path) -> Iterator[Member]:
    """The members of a zip."""
    with zipfile.ZipFile(path) as archive:
        yield from _below_one_folder(
            (info.filename, _is_regular(info), lambda info=info: archive.open(info), 0)  # type: ignore[misc]
            for info in archive.infolist()
        )


def _is_regular(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def _below_one_folder(entries: Iterable[tuple[str, bool, Callable[[], IO[bytes]], int]]) -> Iterator[Member]:
    """An archive's entries, which have to be in the folder of the first one; their names are without that folder."""
    top, seen = "", set()
    for path, is_file, opener, size in entries:
        top = top or path.partition("/")[0]
        folder, _slash, name = path.partition("/")
        problem = name_problem(path) or ("" if is_file else NOT_A_FILE) or (REPEATED if path in seen else "")
        if not problem and (folder != top or not name):
            problem = f"it is not in the folder {top}"
        seen.add(path)
        yield _refused(path, problem, size) if problem else Member(name, opener)


def _refused(name: str, problem: str, size: int = 0) -> Member:
    def refuse() -> IO[bytes]:
        raise ValueError(problem)

    return Member(name, refuse, problem, size)


TAR, ZIP = ArchiveFormat(write_tar, read_tar), ArchiveFormat(write_zip, read_zip)
# By the end of the file's name.
FORMATS: Mapping[str, ArchiveFormat] = {".zip": ZIP, ".tar.gz": TAR, ".tgz": TAR}
