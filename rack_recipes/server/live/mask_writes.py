# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in what clients write: they are masked before anything is kept, as in a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MOST, SecretNames


class SecretValues:
    """Names that mark secrets, and the secrets that came under such names so far; only memory has these."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._names = SecretNames(patterns)
        self._known: dict[str, None] = {}
        self._mask = Mask(())

    def add(self, texts: Iterable[str]) -> None:
        """Mask these texts, too, from now on."""
        new = [text for text in texts if text and text not in self._known]
        if new:
            self._known.update(dict.fromkeys(new))
            while len(self._known) > MOST:
                del self._known[next(iter(self._known))]
            self._mask = Mask(self._known)

    def masked(self, key: str, value: Any) -> Any:
        """The value as it may be kept and shown: the same object where nothing in it is secret."""
        found: list[str] = []
        shown = self._names.mask_key(key, value, found)
        self.add(found)
        return self._mask.mask_value(shown) if self._mask else shown
