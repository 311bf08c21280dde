# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that steps attach to their run.

The host keeps each under its SHA-256 until the controller has fetched it.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FILE_MODE, FOLDER_MODE, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Callable, Union

    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

    # Gives the pieces of a source; each call begins with the first one again.
    Pieces = Callable[[], Iterator[bytes]]
    Source = Union[str, os.PathLike[str], bytes, bytearray, memoryview]

MIB = 1024 * 1024
LARGEST = 256 * MIB  # bytes of one artifact
STAGE = 1024 * MIB  # bytes of all that the steps of one stage leave on one host
MOST = 1000  # different artifacts that one stage can leave on one host
PIECE = MIB  # bytes that are read at once
WINDOW = MIB  # characters that are searched for secrets at once
HOLD = MIB // 4  # characters at the end of a window that wait for the next piece: longer than any form of a secret
NAME = re.compile(r"(?!\.\.?$)[^/\x00-\x1f\x7f]{1,200}")
MEDIA_TYPE = re.compile(r"[ -~]{0,100}")


class ArtifactStore:
    """Keeps the artifacts of a stage in `folder`. If `folder` is empty, it only computes their digests.

    `work` is the step's working folder, in which the paths of an envelope lie. `mask` takes known secrets out of texts.
    """

    def __init__(self, folder: str, work: str, mask: Mask | None = None) -> None:
        self._folder = folder
        self._work = work
        self._mask = mask

    def keep(self, source: Source) -> dict[str, Any]:
        """Keep `source`: bytes, or the path of a file.

        Returns `sha256` and `size` in bytes; where secrets are known also `masked`, which tells whether it was masked
        as text. Raises ValueError with the reason for what cannot be kept.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = memoryview(source).cast("B")
            return self._keep(lambda: (bytes(data[at : at + PIECE]) for at in range(0, len(data), PIECE)))
        if not isinstance(source, (str, os.PathLike)):
            raise ValueError(f"expected a path or bytes, got a {type(source).__name__}")
        return self._keep_file(_opened(os.fspath(source), os.fspath(source)))

    def keep_inside(self, path: str) -> dict[str, Any]:
        """Keep a file of the working folder. Returns what `keep` does.

        Raises ValueError for what cannot be kept, and where links lead out of the working folder.
        """
        file = _opened(os.path.join(self._work, path), path)
        real = os.readlink(f"/proc/self/fd/{file}")  # the path of the open file, which nobody can exchange any more
        if os.path.commonpath([real, os.path.realpath(self._work)]) != os.path.realpath(self._work):
            os.close(file)
            raise ValueError(f"{path} is not inside of the step's working folder: copy it there")
        return self._keep_file(file)

    def _keep_file(self, file: int) -> dict[str, Any]:
        try:
            return self._keep(lambda: _pieces_of(file))
        finally:
            os.close(file)

    def _keep(self, pieces: Pieces) -> dict[str, Any]:
        try:
            if not self._mask:
                return self._written(pieces())
            is_text = _is_text(pieces())
            return {**self._written(masked(pieces(), self._mask) if is_text else pieces()), "masked": is_text}
        except OSError as error:
            raise ValueError(f"it cannot be kept: {error.strerror}") from None

    def _written(self, pieces: Iterator[bytes]) -> dict[str, Any]:
        if not self._folder:
            return _digested(pieces, lambda _piece: None, LARGEST)
        os.makedirs(self._folder, mode=FOLDER_MODE, exist_ok=True)
        room = STAGE - self._held()
        part = os.path.join(self._folder, f"part-{os.getpid()}-{id(pieces)}")
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        try:
            found = _digested(pieces, lambda piece: write_all(file, piece), room)
            os.rename(part, os.path.join(self._folder, found["sha256"]))
        except BaseException:
            os.unlink(part)
            raise
        finally:
            os.close(file)
        return found

    def _held(self) -> int:
        """The number of bytes kept so far. Raises ValueError if there are `MOST` files already."""
        sizes = [entry.stat().st_size for entry in os.scandir(self._folder)]
        if len(sizes) >= MOST:
            raise ValueError(f"a stage can leave {MOST} different artifacts on a host, and has")
        return sum(sizes)


def check_name(name: object) -> str:
    """Return the name of an artifact. Raises ValueError if it cannot be the name of a file."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"an artifact needs the name of a file, such as trace.pcap, got {mark_if_long(repr(name))}")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"an artifact needs the name of a file in UTF-8, got {mark_if_long(repr(name))}") from None
    return name


def check_media_type(media_type: object) -> str:
    """Return the media type. Raises ValueError if it cannot be one."""
    if not isinstance(media_type, str) or not MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"expected a media type such as text/csv, got {mark_if_long(repr(media_type))}")
    return media_type


def masked(pieces: Iterable[bytes], mask: Mask) -> Iterator[bytes]:
    """Yield the text of `pieces` without its secrets, also those that begin in one piece and end in another.

    Little of the text is in memory at once.
    """
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    held = ""
    for piece in pieces:
        held += decode(piece)
        if len(held) >= WINDOW:
            done, held = _without(held, mask)
            yield _encoded(done)
    yield _encoded(mask.mask(held + decode(b"", True)))


def _without(text: str, mask: Mask) -> tuple[str, str]:
    """Cut `text` where no secret lies: the beginning without its secrets, and the rest unchanged."""
    whole = mask.mask(text)
    for place in range(len(text) - HOLD, 0, -HOLD):
        start, rest = mask.mask(text[:place]), text[place:]
        if start + mask.mask(rest) == whole:
            return start, rest
    return "", text


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_text(pieces: Iterable[bytes]) -> bool:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        for piece in pieces:
            decode(piece)
        decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _digested(pieces: Iterable[bytes], write: Callable[[bytes], None], room: int) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST:
            raise ValueError(f"it has more than {LARGEST // MIB} MiB, the most that an artifact can have")
        if size > room:
            raise ValueError(
                f"with it the artifacts of this stage would have more than {STAGE // MIB} MiB on this host"
            )
        digest.update(piece)
        write(piece)
    return {"sha256": digest.hexdigest(), "size": size}


def _opened(path: str, called: str) -> int:
    """Open an ordinary file for reading and return its descriptor. A pipe is refused, since opening one could block.

    Messages name the file `called`. Raises ValueError if it cannot be opened, or is no ordinary file.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ValueError(f"{called}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ValueError(f"{called} is no ordinary file")
    return file


def _pieces_of(file: int) -> Iterator[bytes]:
    at = 0
    piece = os.pread(file, PIECE, at)
    while piece:
        yield piece
        at += len(piece)
        piece = os.pread(file, PIECE, at)
