# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that Ansible has decrypted: of inline `!vault`, and of encrypted files of variables.

Ansible keeps with each value where it comes from, but tells nobody by a public name; a version that has other private
names is warned of, and its vault values are masked only where a recipe declares them as secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import long_texts_of

HEADER = b"$ANSIBLE_VAULT"
UNKNOWN = (
    "this version of Ansible does not tell which values come from a vault, so they are not masked: declare them as "
    "secret parameters of the recipe, or set no_log on the task"
)
MARKS = ("{{", "{%")  # of a template, which is filled in before anybody uses it
SCALARS = (str, int, float)
APART = ("hostvars", "vars", "groups")  # variables of others, or the same again


def own_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the host itself, of all that Ansible has for it."""
    return {name: value for name, value in variables.items() if name not in APART}


class VaultValues:
    """Finds the values that came out of a vault; `problem` is why it cannot, empty where it can.

    One for which no password was given is not open: nothing came out of it.
    """

    def __init__(self, loader: Any) -> None:
        self.problem = ""
        try:
            self.is_open = loader is not None and bool(loader._vault.secrets)
            self._is_vaulted = _finder() if self.is_open else _never
        except (ImportError, AttributeError):
            self.is_open, self.problem = False, UNKNOWN

    def values_in(self, data: Any) -> list[str]:
        """The texts that came out of a vault."""
        return [*dict.fromkeys(self._found(data, set()))] if self.is_open else []

    def _found(self, data: Any, seen: set[int]) -> Iterator[str]:
        if self._is_vaulted(data):
            yield from (text for text in long_texts_of(_text(data)) if not any(mark in text for mark in MARKS))
        elif isinstance(data, Mapping):
            if id(data) not in seen:
                seen.add(id(data))
                for item in data.values():
                    yield from self._found(item, seen)
        elif isinstance(data, Sequence) and not isinstance(data, SCALARS) and id(data) not in seen:
            seen.add(id(data))
            for item in data:
                yield from self._found(item, seen)


def _text(value: Any) -> str:
    """Empty for one whose password is not known here: nobody can show it."""
    try:
        return str(value)
    except Exception:
        return ""


def _never(_value: Any) -> bool:
    return False


def _finder() -> Callable[[Any], bool]:
    """What tells whether a single value came out of a vault. Raises ImportError where Ansible has other names."""
    from ansible._internal._datatag._tags import Origin, VaultedValue
    from ansible.parsing.vault import EncryptedString

    def is_vaulted(value: Any) -> bool:
        if isinstance(value, EncryptedString):
            return True
        if not isinstance(value, SCALARS):
            return False
        if VaultedValue.is_tagged_on(value):
            return True
        origin = Origin.get_tag(value)
        return origin is not None and bool(origin.path) and _is_encrypted(str(origin.path))

    return is_vaulted


@cache
def _is_encrypted(path: str) -> bool:
    try:
        if not Path(path).is_file():  # what is no file may keep whoever opens it waiting
            return False
        with Path(path).open("rb") as file:
            return file.read(len(HEADER)) == HEADER
    except (OSError, ValueError):
        return False
