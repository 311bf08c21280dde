# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the values that Ansible has decrypted: of inline `!vault`, and of encrypted files of variables.

Ansible notes with each value where it comes from, but has no public name for that. Where a version has other private
names, users are warned, and vault values are masked only where a recipe declares them as secret.
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
TEMPLATES = ("{{", "{%")  # a template is no secret: it is filled in before anybody uses it
SCALARS = (str, int, float)
# Variables of other hosts, their names, or copies of the same variables. There may be a thousand of each.
PLAY_HOSTS = ("play_hosts", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_batch")
NOT_OWN = ("hostvars", "vars", "groups", *PLAY_HOSTS)


def own_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the host itself, out of all variables that Ansible has for it."""
    return {name: value for name, value in variables.items() if name not in NOT_OWN}


class VaultValues:
    """Finds the values that came out of a vault; `problem` says why it cannot, empty where it can.

    `is_open` is false where no vault password was given, so that nothing can have come out of a vault.
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

    def is_vaulted(self, value: Any) -> bool:
        """Whether a single value, or one in a list, came out of a vault, however short it is."""
        parts = value if isinstance(value, (list, tuple)) else (value,)
        return any(map(self._is_vaulted, parts))

    def _found(self, data: Any, seen: set[int]) -> Iterator[str]:
        if self._is_vaulted(data):
            yield from (text for text in long_texts_of(_text(data)) if not any(mark in text for mark in TEMPLATES))
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
    """The value as a text; empty for one that cannot be decrypted here, and so cannot be shown either."""
    try:
        return str(value)
    except Exception:
        return ""


def _never(_value: Any) -> bool:
    return False


def _finder() -> Callable[[Any], bool]:
    """A function that says whether a single value came out of a vault.

    Raises ImportError where Ansible has other private names.
    """
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
        if not Path(path).is_file():  # to open a pipe could wait for ever
            return False
        with Path(path).open("rb") as file:
            return file.read(len(HEADER)) == HEADER
    except (OSError, ValueError):
        return False
