# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digests that the code of a locked run must have. They are checked at each read: a run may last for hours."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from rack_recipes.errors import CatalogError

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
