# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a run.

How they are found in values, in steps and in what Ansible has decrypted, and the registry of those that only memory
may hold.

A host learns a secret of another host only where its own arguments show it. Ansible marks a value that came out of a
vault, but not what a filter or a longer text makes of it. So each secret is searched for in the forms that filters give
it; to make a mask of all secrets of a run for each stage would take too long.

Ansible notes with each value where it comes from, but has no public name for that. Where a version has other private
names, users are warned, and vault values are masked only where a recipe declares them as secret.

A secret that a step registers is hidden on all hosts, and is sent to each with its next stage. A secret of one host,
such as a password in its variables, is sent to that host alone, and is masked here as well.

The registry is an anonymous file in memory that is made before Ansible forks its workers. A worker appends what its
host has registered before the journal gets the records of the same answer. The recorder, and each worker that starts
later, reads it from there. It is gone with the run's last process. So a run that resumes this one does not know the
secrets, and runs the steps that registered them again.
"""

from __future__ import annotations

import html
import json
import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import shared_log
from ansible_collections.rack.recipes.plugins.module_utils.language.references import OPENINGS
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask, blank_out, in_base64
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import (
    MASKED,
    SHORTEST,
    SecretNames,
    long_texts_of,
    secrets_in,
)

if TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

PIECE = 3  # characters


def secrets_shown_in(secrets: Iterable[str], value: object) -> list[str]:
    """Those of the secrets that stand in the texts, numbers and names of a value."""
    known = [*secrets]
    text = "\n".join(_texts(value)) if known else ""
    pieces = {text[at : at + PIECE] for at in range(len(text))}  # this rules out most secrets fast

    def is_there(form: str) -> bool:
        return (form[:PIECE] in pieces or len(form) < PIECE) and form in text

    return [secret for secret in known if any(map(is_there, _forms(secret)))]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


@cache
def _forms(secret: str) -> tuple[str, ...]:
    """The forms of a secret: as it is, quoted (JSON, URL, shell, XML, YAML), in base64 and in hexadecimal.

    Of several lines only the longest is searched for, since a filter may have indented them.
    """
    text = secret.strip()
    data = text.encode("utf-8", "surrogatepass")
    quoted = () if text.isascii() and text.isalnum() else _quoted(text, data)
    forms = (text, *quoted, *(in_base64(data, ahead) for ahead in range(3)), data.hex())
    return tuple(dict.fromkeys(filter(None, forms)))


def _quoted(text: str, data: bytes) -> tuple[str, ...]:
    escaped = (json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    markup = html.escape(text)
    entities = (markup, markup.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))  # of Python, and of Jinja
    shell, doubled = shlex.quote(text)[1:-1], text.replace("'", "''")
    longest = max(text.splitlines(), key=len, default="")
    urls = (quote(data), quote(data, safe=""), quote_plus(data))
    return *escaped, *urls, *entities, shell, doubled, longest.strip()


LOOPS = ("loop", "matrix")  # the fields of a step that hold values beside its arguments


def literal(texts: Iterable[str]) -> Iterator[str]:
    """Those of the texts that hold no reference and no template, so that they are values already."""
    return (text for text in texts if not any(sign in text for sign in OPENINGS))


def literal_secrets_of(
    step: Mapping[str, Any], options: Mapping[str, object] | None, names: SecretNames
) -> Iterator[str]:
    """The values of its no_log options, and those in its arguments and loops that have the name of a secret."""
    args = secrets_in(options, step.get("args") or {}, names)
    return literal([*args, *secrets_in(None, {word: step.get(word) for word in LOOPS}, names)])


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


def own_variables(variables: Mapping[str, object]) -> dict[str, Any]:
    """Those of the host itself, out of all variables that Ansible has for it."""
    return {name: value for name, value in variables.items() if name not in NOT_OWN}


class VaultValues:
    """Finds the values that came out of a vault; `problem` says why it cannot, empty where it can.

    `is_open` is false where no vault password was given, so that nothing can have come out of a vault.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.problem = ""
        try:
            self.is_open = loader is not None and bool(loader._vault.secrets)
            self._is_vaulted = _finder() if self.is_open else lambda _value: False
        except (ImportError, AttributeError):
            self.is_open, self.problem = False, UNKNOWN

    def values_in(self, data: object) -> list[str]:
        """The texts that came out of a vault."""
        return [*dict.fromkeys(self._found(data, set()))] if self.is_open else []

    def is_vaulted(self, value: object) -> bool:
        """Whether a single value, or one in a list, came out of a vault, however short it is."""
        parts = value if isinstance(value, (list, tuple)) else (value,)
        return any(map(self._is_vaulted, parts))

    def _found(self, data: object, seen: set[int]) -> Iterator[str]:
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


def _text(value: object) -> str:
    """The value as a text; empty for one that cannot be decrypted here, and so cannot be shown either."""
    try:
        return str(value)
    except Exception:
        return ""


def _finder() -> Callable[[Any], bool]:
    """A function that says whether a single value came out of a vault.

    Raises ImportError where Ansible has other private names.
    """
    from ansible._internal._datatag._tags import Origin, VaultedValue
    from ansible.parsing.vault import EncryptedString

    def is_vaulted(value: object) -> bool:
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


Entry = Mapping[str, Any]
NAME = "rack-recipes-concealed"
BETWEEN = "\0"  # stands in no secret that a mask looks for, and between words that are looked through together
NOT_HIDDEN = (
    "{number} of the texts that {host} has registered as secret are shorter than {shortest} characters, or would hide "
    "words that the run itself shows, such as names of steps and hosts: only the stage that registered them hides them"
)
NOT_SHARED = (
    "what this stage has registered as secret is not known to other stages, which may show it: the controller's system "
    "has no anonymous files (memfd_create)"
)


class GrowingMask:
    """Hides texts that become more and more. A mask of a thousand takes half a second, so few of them are made again.

    Each part has at least twice the texts of the next one, so each text is in few masks.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._parts: list[tuple[Mask, list[str]]] = []

    def add(self, texts: Iterable[str]) -> None:
        """Hide these, too."""
        new = [text for text in texts if text and text not in self._known]
        if not new:
            return
        self._known.update(new)
        while self._parts and len(self._parts[-1][1]) < 2 * len(new):
            new = [*self._parts.pop()[1], *new]
        self._parts.append((Mask(new), new))

    def hides_in(self, text: str) -> bool:
        """Whether it would hide anything in a text."""
        return any(mask.places(text) for mask, _texts in self._parts)

    def mask(self, text: str) -> str:
        """The text with all of them replaced by `********`."""
        if text in self._known:
            return MASKED
        places = sorted(place for mask, _texts in self._parts for place in mask.places(text))
        apart: list[tuple[int, int]] = []
        for begin, end in places:
            if apart and begin < apart[-1][1]:
                apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
            else:
                apart.append((begin, end))
        return blank_out(text, apart) if apart else text


class SecretRegistry:
    """The secrets that this process knows; with `shared`, also those that processes forked from it add later."""

    def __init__(self, *, shared: bool = False) -> None:
        self._secrets: dict[str, None] = {}
        self._of_hosts: dict[str, dict[str, None]] = defaultdict(dict)
        self._of_absent_hosts: dict[str, None] = {}
        self._values: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._file = _memory() if shared else -1
        self._read = 0
        self._mask, self._registered = GrowingMask(), GrowingMask()

    @property
    def is_shared(self) -> bool:
        """Whether other processes of the run learn what this one adds."""
        return self._file >= 0

    def add(self, host: str, entries: Iterable[Entry]) -> bool:
        """Add what a host has registered; returns whether any of it is new.

        An entry is `{"secret": text}`, or `{"key", "scope", "value", "shown"}` for a value that is written masked.
        """
        self.catch_up()
        placed = [{"host": host, **entry} for entry in entries]
        new = [entry for entry in placed if not self._has(entry)]
        for entry in new:
            self._store(entry)
        if new and self.is_shared:
            # One write: a worker that is killed meanwhile leaves part of a line, which readers pass over.
            os.write(self._file, b"".join(b"\n%b\n" % json.dumps(entry).encode() for entry in new))
        return bool(new)

    def hidden_by(self, entries: Iterable[Entry], words: Iterable[str]) -> list[Entry]:
        """The entries that may count on all hosts, although one host has registered them, which may register anything.

        A text that is too short does not, nor one that would hide one of the `words` that the run itself shows.
        """
        kept = [entry for entry in entries if len(entry.get("secret", " " * SHORTEST)) >= SHORTEST]
        texts = [entry["secret"] for entry in kept if "secret" in entry and not self._has(entry)]
        harmful = _hiding(texts, BETWEEN.join(words))
        return [entry for entry in kept if entry.get("secret") not in harmful]

    def hide(self, host: str, texts: Iterable[str]) -> None:
        """Add secrets of one host."""
        self.add(host, [{"own": text} for text in texts])

    def hide_of_absent(self, texts: Iterable[str]) -> None:
        """Add secrets of hosts that are not in the run; call it before workers are forked.

        A host of the run hides one only where its arguments show it, and no text here is masked by them: to make a mask
        of all secrets of an inventory may take longer than the run.
        """
        self._of_absent_hosts.update(dict.fromkeys(texts))

    def others_of(self, host: str) -> list[str]:
        """The secrets of other hosts, in the run or not, that are not secrets of this host as well."""
        own = {*self.secrets_for(host)}
        return [text for text in dict.fromkeys([*self.secrets_for(""), *self._of_absent_hosts]) if text not in own]

    def secrets_for(self, host: str, words: Iterable[str] = ()) -> list[str]:
        """What a host has to hide. The empty name stands for steps that run once for the run: they hide all secrets.

        What a step has registered does not count where it would hide one of the `words`.
        """
        self.catch_up()
        own = [self._of_hosts[host]] if host else [*self._of_hosts.values()]
        registered = [*self._secrets]
        if shown := BETWEEN.join(words):
            self._registered.add(registered)
            if self._registered.hides_in(shown):
                harmful = _hiding(registered, shown)
                registered = [text for text in registered if text not in harmful]
        return [*dict.fromkeys(text for texts in (registered, *own) for text in texts)]

    def catch_up(self) -> None:
        """Read what other processes have added to the file."""
        while self.is_shared and (data := os.pread(self._file, 1 << 20, self._read)):
            whole = data[: data.rfind(b"\n") + 1] or data + _rest(self._file, self._read + len(data))
            self._read += len(whole)
            for line in whole.split(b"\n"):
                if line and (entry := _parsed(line)):
                    self._store(entry)

    def _has(self, entry: Entry) -> bool:
        if "secret" in entry:
            return entry["secret"] in self._secrets
        if "own" in entry:
            return entry["own"] in self._of_hosts[entry["host"]]
        return self._values.get(_place(entry)) == (entry["shown"], entry["value"])

    def _store(self, entry: Entry) -> None:
        if "secret" in entry:
            self._secrets[entry["secret"]] = None
        elif "own" in entry:
            self._of_hosts[entry["host"]][entry["own"]] = None
        else:
            self._values[_place(entry)] = (entry["shown"], entry["value"])

    def hidden(self, text: str) -> str:
        """The text with all these secrets masked."""
        self._mask.add(self.secrets_for(""))
        return self._mask.mask(text)

    def reveal(self, host: str, held: dict[str, list[object]]) -> bool:
        """Replace masked values in `held`, the context of a host or of the run, by the real ones.

        `held` has [version, value] by key and is changed. A key that was set anew since then stays as it is. Returns
        whether any value was replaced.
        """
        found = False
        for (place, key), (shown, value) in self._values.items():
            if place == host and key in held and held[key][1] == shown:
                held[key] = [held[key][0], value]
                found = True
        return found


def _hiding(texts: Sequence[str], shown: str) -> set[str]:
    """Those of the texts that would hide a part of what is shown, in any of the forms that a mask finds."""
    if not texts or not Mask(texts).places(shown):
        return set()
    return {text for text in texts if Mask([text]).places(shown)}


def _place(entry: Entry) -> tuple[str, str]:
    return ("" if entry["scope"] == "run" else entry["host"]), entry["key"]


def _memory() -> int:
    """The descriptor of a file in memory, to whose end all processes write; -1 where the system has no such files."""
    return shared_log(NAME) if hasattr(os, "memfd_create") else -1


def _rest(file: int, start: int) -> bytes:
    """The end of a line that is longer than one read: the bytes from `start` on, up to its line end."""
    parts: list[bytes] = []
    while data := os.pread(file, 1 << 20, start):
        end = data.find(b"\n") + 1
        parts.append(data[:end] if end else data)
        start += len(parts[-1])
        if end:
            break
    return b"".join(parts)


def _parsed(line: bytes) -> Entry | None:
    try:
        found: Entry = json.loads(line)
    except ValueError:
        return None
    return found
