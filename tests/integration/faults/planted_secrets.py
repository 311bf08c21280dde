# SPDX-License-Identifier: GPL-3.0-or-later

"""Search for canaries, which are planted secrets, in everything that was written and in the list of processes."""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import sqlite3
import tarfile
import threading
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

PAUSE = 0.05  # seconds between two looks at all processes
PART = 14  # characters that are looked for of a canary that was cut
SPACE = re.compile(rb"(?:\s|\\+[nrt]|&#10;)+")
DATABASE = b"SQLite format 3\0"


def forms_of(canary: str) -> set[bytes]:
    """Return the forms in which a canary, and the half of it, are searched for, without white space."""
    texts = {
        canary,
        canary[:PART],
        canary[-PART:],
        json.dumps(canary)[1:-1],
        json.dumps(json.dumps(canary)[1:-1])[1:-1],
        json.dumps(canary, ensure_ascii=False)[1:-1],
        html.escape(canary),
        repr(canary)[1:-1],
        quote(canary),
        quote_plus(canary),
        canary.encode().hex(),
        canary.encode().hex().upper(),
        *(_base64(canary.encode(), ahead) for ahead in range(3)),
    }
    return {_without_space(text.encode()) for text in texts}


def _base64(data: bytes, ahead: int) -> str:
    """Return the base64 characters that depend on these bytes alone."""
    text = b64encode(b"x" * ahead + data).decode()
    return text[-(-8 * ahead // 6) : 8 * (ahead + len(data)) // 6]


def _without_space(data: bytes) -> bytes:
    return SPACE.sub(b"", data)


@dataclass
class Search:
    """A search that counts the files and bytes that it read, and records where it found which canary."""

    canaries: Mapping[str, str]
    files: int = 0
    size: int = 0
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forms = {name: sorted(forms_of(canary)) for name, canary in self.canaries.items()}

    def look_at(self, where: str, data: bytes, but: Iterable[str] = ()) -> None:
        """Search some bytes, and what is packed in them. `but` names canaries that may be there."""
        self.size += len(data)
        for inside, content in ((where, data), *_unpacked(where, data)):
            whole = _without_space(content)
            for name, forms in self._forms.items():
                hits = [] if name in but else [form for form in forms if form in content or form in whole]
                self.found += [f"{inside}: {name}, as {form[:40]!r}" for form in hits[:1]]

    def look_below(self, folder: Path, but: Iterable[Path] = (), since: float = 0.0) -> None:
        """Search names and content of all files, but for files that the test itself has written.

        What has not changed since a moment (as `time.time` tells it) is left out: it is of earlier runs.
        """
        for path in sorted(folder.rglob("*")):
            if any(path.is_relative_to(mine) for mine in but) or _changed(path) < since:
                continue
            self.look_at(f"the name of {path}", str(path.relative_to(folder)).encode("utf-8", "surrogateescape"))
            if path.is_file() and not path.is_symlink():
                with suppress(FileNotFoundError):
                    self.look_at(str(path), path.read_bytes())
                    self.files += 1


def _changed(path: Path) -> float:
    """When a file was written or named last, in seconds; for one that is gone, never."""
    try:
        return path.lstat().st_ctime
    except FileNotFoundError:
        return 0.0


def _unpacked(where: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of archives. A database is dumped, since its pages may split a text."""
    if data.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield f"{where}/{name}", archive.read(name)
    elif data.startswith(b"\x1f\x8b"):
        content = gzip.decompress(data)
        yield f"{where} unpacked", content
        with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                yield f"{where}/{member.name}", file.read() if file else b""
    elif data.startswith(DATABASE):
        yield f"{where} dumped", "\n".join(_dumped(Path(where))).encode("utf-8", "surrogateescape")


def _dumped(path: Path) -> Iterator[str]:
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield from store.iterdump()
    finally:
        store.close()


@contextmanager
def watched(search: Search, given: Mapping[str, str]) -> Iterator[None]:
    """During the block, search the command line and the environment of every process, also of the hosts.

    `given` maps a canary to the words of the command line in which the test itself has passed it. They are allowed,
    since a process cannot hide its own command line.
    """
    over = threading.Event()
    seen: set[tuple[str, bytes]] = set()

    def look() -> None:
        while not over.wait(PAUSE):
            for where, data in _processes():
                if (where, data) not in seen:
                    seen.add((where, data))
                    words = data.split(b"\0")
                    but = [name for name, word in given.items() if word.encode() in words and where.endswith("cmdline")]
                    search.look_at(where, data, but)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _processes() -> Iterator[tuple[str, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):  # it has ended, or is another user's
                yield f"{folder}/{name}", (folder / name).read_bytes()
