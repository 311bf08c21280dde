# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a stage: those that it was given, and those that its steps register while they run.

A secret that is known is masked in all that a step leaves: deltas, measurements, reasons, captured output and logs, in
every form that `mask` finds. It is not in the environment of a child either. A step registers secrets by
`ctx.secret`, by `secrets` in an envelope, or by a value under the name of a secret. They count from then on, and for
what the step has printed before, which is masked at its end. A key that was set before stays as it was written.

The controller gets what was registered, and the real values of keys that are written masked, apart from the records: as
entries `{"secret": text}` or `{"key", "scope", "value", "shown"}`. Entries are kept in memory only.
"""

from __future__ import annotations

import json

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE, as_reason
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames, secrets_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

    Entry = dict[str, Any]


class StageSecrets:
    """What nobody may see. `entries` are for the controller; `send` gets each as well, if there is one."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.entries: list[Entry] = []
        self.send: Callable[[Entry], None] | None = None
        self._known: dict[str, None] = dict.fromkeys(filter(None, request.get("secrets") or ()))
        self._registered: set[str] = set()
        self.patterns: list[str] = list(request.get("secret_keys") or ())
        self._names = SecretNames(self.patterns)
        self._mask: Mask | None = None
        self._harmless_keys: set[str] = set()
        self._salt: bytes = bytes.fromhex(request.get("salt") or "")

    def __len__(self) -> int:
        return len(self._known)

    @property
    def known(self) -> list[str]:
        """All secrets, for a new Python that runs a step in a sandbox."""
        return list(self._known)

    @property
    def mask(self) -> Mask | None:
        """What hides all that are known now; None where there are none."""
        if self._mask is None and self._known:
            from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

            self._mask = Mask(self._known)
        return self._mask

    def hidden(self, text: str) -> str:
        """A text without secrets."""
        mask = self.mask
        return mask.mask(text) if mask else text

    def reason(self, message: str) -> str:
        """A message without secrets as a reason: not even half of one that was cut off, as that of a child may be."""
        mask = self.mask
        if mask is None:
            return as_reason(message)
        if len(message) < LONGEST_MESSAGE:
            return as_reason(mask.mask(message))
        from ansible_collections.rack.recipes.plugins.module_utils.mask import masked_beginning

        return as_reason(f"{masked_beginning(message[: LONGEST_MESSAGE - 1], mask)}...")

    def hidden_value(self, value: object) -> Any:
        """A JSON value without secrets."""
        mask = self.mask
        return mask.mask_value(value) if mask else value

    def shows(self, text: str) -> bool:
        """Whether a secret can be seen in a text."""
        return self.hidden(text) != text

    def add(self, texts: Iterable[str]) -> None:
        """Hide these texts, too. The controller is not told of them."""
        new = [text for text in texts if text and text not in self._known]
        if new:
            self._known.update(dict.fromkeys(new))
            self._mask = None
            self._harmless_keys.clear()

    def add_arguments(self, options: Mapping[str, object] | None, params: Mapping[str, object]) -> None:
        """Hide what no_log options hold, and what has the name of a secret."""
        found = secrets_in(options, params, self._names)
        if found:
            self.add(found)

    def register(self, texts: Iterable[str]) -> None:
        """Hide these texts, here and, by way of the controller, on all other hosts."""
        new = [text for text in texts if text and text not in self._registered]
        self.add(new)
        for text in new:
            self._registered.add(text)
            self._add_entry({"secret": text})

    def shown(self, key: str, value: object) -> Any:
        """A value of a key as it may be written: nothing of it where the key has the name of a secret."""
        found: list[str] = []
        shown = self._names.mask_key(key, value, found)
        if found:
            self.register(found)
        return self.hidden_value(shown)

    def add_value(self, key: str, value: object) -> None:
        """Hide what has the name of a secret in a value of a key, in this process alone."""
        found: list[str] = []
        self._names.mask_key(key, value, found)
        self.add(found)

    def without_named(self, measurement: dict[str, object]) -> dict[str, Any]:
        """A measurement without what has the name of a secret: a part of its value, or a text that it is called so."""
        value = measurement["value"]
        found: list[str] = []
        shown = self._names.mask_named({measurement["name"]: value} if isinstance(value, str) else value, found)
        if isinstance(value, str):
            shown = shown[measurement["name"]]
        if found:
            self.register(found)
        return measurement if shown is value else {**measurement, "value": shown}

    def without_named_figures(self, finding: dict[str, object]) -> dict[str, Any]:
        """A finding without figures that have the name of a secret."""
        found: list[str] = []
        figures = self._names.mask_named(finding["figures"], found)
        if found:
            self.register(found)
        return {**finding, "figures": figures}

    def check_key(self, key: str) -> None:
        """Raise ValueError, which does not show it, for a key of the context whose text shows a secret."""
        if not self._known or key in self._harmless_keys:
            return
        if self.shows(key):
            raise ValueError("a context key whose text shows a secret, and everybody sees keys: give it another name")
        self._harmless_keys.add(key)

    def change(self, change: Mapping[str, Any]) -> Any:
        """The new value as it may be written; the controller is told what it is where that is not all of it."""
        value = change["after"]
        shown = self.shown(change["key"], value)
        if shown is not value and shown != value:
            self._add_entry({"key": change["key"], "scope": change["scope"], "value": value, "shown": shown})
        return shown

    def _add_entry(self, entry: Entry) -> None:
        self.entries.append(entry)
        if self.send is not None:
            self.send(entry)

    def key_for(self, value: object) -> bytes:
        """The key for the digest of a JSON value with secrets, so that nobody finds these by trying. Else it is empty.

        Without the salt of the project the key is random: no other digest of the same value is equal.
        """
        mask = self.mask
        if mask is None or json.dumps(mask.mask_value(value)) == json.dumps(value):
            return b""
        if not self._salt:
            import os

            self._salt = os.urandom(32)
        return self._salt
