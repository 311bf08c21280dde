# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the project that travel with a stage, and their digests.

And the digests that the code of a locked run must have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from pathlib import Path
from typing import Any

from rack_recipes.errors import CatalogError, UsageError
from rack_recipes.recipe.trusted_files import is_there, source_files


def project_files(args: Mapping[str, object]) -> dict[str, Path]:
    """The project's files that a relative `src` names, by their paths in the payload. They are sent with the stage.

    A `src` that ends with a slash is a folder. Raises UsageError where there is no such file or folder inside the
    project. Raises CatalogError where a link leads out of the project, where other users can change a file, and for a
    folder that is empty or too large.
    """
    src = args.get("src")
    if not isinstance(src, str) or not src or src.startswith("/") or "${" in src:
        return {}
    if ".." in Path(src).parts or not is_there(src):
        raise UsageError(f"src: expected a file inside the project, or an absolute path of the host, got {src!r}")
    return {name: Path(name).absolute() for name in source_files(src)}


def runs_files(options: Mapping[str, Any] | None) -> bool:
    """Whether a scriptlet with these options runs what `src` names, such as the tests of a suite."""
    return bool((options or {}).get("src", {}).get("is_code"))


@lru_cache(maxsize=1024)
def digest_of(path: Path) -> str:
    """`sha256:<hex>` of a file, which is read once. Raises UsageError where it cannot be read."""
    try:
        return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


type Pins = Mapping[str, AbstractSet[str]]  # a file's path in the payload -> the SHA-256 that it may have, in hex


class _Holder:
    pins: Pins | None = None


_HOLDER = _Holder()


def pin(pins: Pins | None) -> None:
    """Let this process, and those that it forks, send only code that is among `pins`. None allows all code."""
    _HOLDER.pins = pins


def is_pinned() -> bool:
    """Whether only code with certain digests may be sent."""
    return _HOLDER.pins is not None


def check_known(inside: str) -> None:
    """Raise CatalogError for a file that has to be locked and is not, whatever it says."""
    if _HOLDER.pins is not None and inside not in _HOLDER.pins:
        raise CatalogError(f"{inside} is not in the lock file of this run, which began without it")


def check_pinned(inside: str, content: bytes, *, required: bool) -> None:
    """Raise CatalogError where a file was changed since it was locked, or is `required` to be locked and is not."""
    pins = _HOLDER.pins
    if pins is None:
        return
    if required:
        check_known(inside)
    known = pins.get(inside)
    if known is not None and hashlib.sha256(content).hexdigest() not in known:
        raise CatalogError(f"{inside} has changed since this run began, and the lock file does not allow it")
