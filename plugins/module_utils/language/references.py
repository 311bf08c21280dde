# SPDX-License-Identifier: GPL-3.0-or-later

"""`${...}` in a recipe.

Values of the context, of parameters, of the host, of the step itself and of a loop's item, and the instances of a loop
or matrix.

A reference is one of

    ${numbers.stats_v1.mean}     a context key, and a path into its value
    ${fan.rpm_v1@leaf1}          the same on another host, whose name may be a reference: @${item}
    ${fan.rpm_v1@majority}       the value that more than half of the hosts with this key share
    ${fan.rpm_v1@median}         the median over those hosts
    ${host}                      the name of the step's host
    ${params.vlan} ${item.name} ${index} ${matrix.speed} ${step.name}
    ${own.address} ${peer.port}  of this host and of the other one, in a step between hosts

Every other `${...}`, such as `${HOME}`, is plain text: a recipe may have it only where a shell reads it.
"""

from __future__ import annotations

import json
import re
from itertools import product

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    KEY,
    copy_json,
    first_few,
    mark_if_long,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Callable, Protocol

    Parts = tuple[str, list[str], str]  # word or key, path, host after @ (empty without)

    class Context(Protocol):
        """The part of a context that references use; a ContextView has it."""

        host: str  # empty in a step of the run

        def __contains__(self, key: object) -> bool: ...

        def get(self, key: str, default: Any = None) -> Any:
            """The value of a key."""

        def keys(self) -> list[str]:
            """All keys that `get` finds."""

        def value_on(self, key: str, host: str) -> Any:
            """The value of a key on one host; raises ValueError where it has none."""

        def values(self, key: str) -> dict[str, Any]:
            """The value of a key on each host that has it, by host name."""

    Instance = tuple[str, dict[str, Any]]

REFERENCE = r"\$\{([^${}\s]+)(?:@(\$\{[^${}\s]+\}))?\}"  # compiled by the first text that needs it
OPENINGS = ("${", "{{", "{%", "{#")  # of references and of Ansible's templates: a text with one is no value yet
HOST = "host"  # with a path it begins a key, such as host.name_v1
WORDS = {
    HOST: 0,
    "params": 1,
    "item": 0,
    "index": 0,
    "matrix": 1,
    "step": 1,
    "own": 1,
    "peer": 1,
}  # with the fewest parts that the path of each has
FOREIGN = "$\0{"  # stands for a "${" that came from a host and is no reference; neither can hold a NUL
LISTED = 10


class Scope:
    """The values that references can use: of the context and its host, of parameters, and of a step's instance.

    `words` may have `index` and `item` or `matrix` of a loop, and `step`, a mapping with `name`, `attempt` and so on.
    """

    def __init__(self, ctx: Context, params: dict[str, object], words: dict[str, Any]) -> None:
        self.ctx = ctx
        self.words = {**words, "params": params, **({HOST: ctx.host} if ctx.host else {})}


def keys_in(value: object) -> set[str]:
    """The context keys that `value` refers to, however deep, on this host or on others."""
    return {word for word, _path, _host in _references(value) if word not in WORDS}


def keys_of_others(value: object) -> set[str]:
    """The context keys that `value` refers to with @, on whatever host."""
    return {word for word, _path, host in _references(value) if host}


def names_in(value: object, word: str) -> set[str]:
    """The names that follow `word` in the references of `value`: for `params`, `${params.vlan}` gives `vlan`."""
    return {path[0] for found, path, _host in _references(value) if found == word and path}


def resolve(value: object, scope: Scope) -> Any:
    """`value` with its references filled in. Raises ValueError for a reference that leads nowhere.

    A text that is one reference becomes the value itself, of any type. In a longer text, a value is written as text.
    """
    if isinstance(value, str):
        if "${" in value:
            return _fill_in(value, scope)
        return value.replace(FOREIGN, "${") if FOREIGN in value else value  # unchanged, it keeps Ansible's trust
    if isinstance(value, dict):
        return {name: resolve(item, scope) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, scope) for item in value]
    return value


def without_braces(text: str) -> str:
    """The text for people: references without `${` and `}`."""
    return re.sub(REFERENCE, lambda match: without_braces(match[0][2:-1]) if parse_reference(match) else match[0], text)


def _references(value: object) -> Iterator[Parts]:
    if isinstance(value, str):
        if "${" in value:
            yield from _references_of(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _references(item)


def _references_of(text: str) -> Iterator[Parts]:
    for match in re.finditer(REFERENCE, text):
        parts = parse_reference(match)
        if parts:
            yield parts
        if match[2]:
            yield from _references_of(match[2])


def parse_reference(match: re.Match[str]) -> Parts | None:
    """The word or key, the path and the host of a match of REFERENCE; None where it is plain text."""
    inner, given = match.groups()
    path, at, host = (inner, "@", given) if given else inner.partition("@")
    first, *rest = path.split(".")
    if "" in rest or (at and not host):
        return None
    if first in WORDS and not (first == HOST and rest):
        return None if at or len(rest) < WORDS[first] else (first, rest, "")
    return _key_parts([first, *rest], host)


def _key_parts(parts: list[str], host: str) -> Parts | None:
    """The key, the path and the host. The key ends with the first part that has a version; None where none has."""
    for number, part in enumerate(parts, 1):
        name, _v, version = part.rpartition("_v")
        if name and version.isdigit():
            key = ".".join(parts[:number])
            return (key, parts[number:], host) if KEY.fullmatch(key) else None
    return None


def _fill_in(text: str, scope: Scope) -> Any:
    whole = re.fullmatch(REFERENCE, text)
    if whole:
        return _value(whole, scope)

    def as_text(match: re.Match[str]) -> str:
        value = _value(match, scope)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return re.sub(REFERENCE, as_text, text).replace(FOREIGN, "${")


def _value(match: re.Match[str], scope: Scope) -> Any:
    parts = parse_reference(match)
    if parts is None:
        return match[0] if not match[2] else f"${{{match[1]}@{_fill_in(match[2], scope)}}}"
    word, path, host = parts
    if word in ("item", "index") and not path and word not in scope.words:
        return match[0]
    try:
        return _elsewhere(word, path, _fill_in(host, scope), scope.ctx) if host else _here(word, path, scope)
    except ValueError as error:
        raise ValueError(f"{match[0]}: {error}") from None


def _here(word: str, path: list[str], scope: Scope) -> Any:
    if word in scope.words:
        return copy_json(follow_path(word, scope.words[word], path))
    if word in WORDS:
        raise ValueError(f"there is no {word} here")
    if word not in scope.ctx:
        raise ValueError(f"the context has no key {word}{hint(word, scope.ctx.keys())}")
    return follow_path(word, scope.ctx.get(word), path)


def follow_path(name: str, value: Any, path: list[str]) -> Any:
    """The value at `path` in the value of `name`; raises ValueError where there is none."""
    for part in path:
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"{name} has no {part!r}{_inside(part, value)}") from None
        name = f"{name}.{part}"
    return value


def _inside(part: str, value: object) -> str:
    """The end of a message that `value` has no `part`: what it has instead."""
    if isinstance(value, dict):
        return hint(part, value)
    return f": it is a list of {len(value)}" if isinstance(value, list) else f": it is {value_for_message(value)}"


def value_for_message(value: object) -> str:
    """A value for a message, as JSON."""
    return mark_if_long(json.dumps(value, ensure_ascii=False))


def hint(word: str, known: Iterable[str]) -> str:
    """The end of a message that `word` is not known: the nearest of the known words, else a list of them."""
    from difflib import get_close_matches  # slow to load, and only a mistake needs it

    names = sorted(known)
    near = get_close_matches(word, names, 1)
    if near:
        return f", did you mean {near[0]}?"
    return f"; there is {first_few(names, LISTED)}" if names else "; there is none"


def _elsewhere(key: str, path: list[str], host: object, ctx: Context) -> Any:
    if not isinstance(host, str):
        raise ValueError(f"expected the name of a host after @, got {value_for_message(host)}")
    if host in OVER_ALL:
        return OVER_ALL[host](_on_all(key, path, ctx))
    return follow_path(f"{key} on {host}", ctx.value_on(key, host), path)


def _on_all(key: str, path: list[str], ctx: Context) -> dict[str, Any]:
    """The value at `path` on each host that has it, by host name; raises ValueError where none has."""
    found = {}
    for host, value in ctx.values(key).items():
        try:
            found[host] = follow_path(key, value, path)
        except ValueError:
            continue
    if not found:
        raise ValueError("no host has it")
    return found


def _majority(found: dict[str, object]) -> Any:
    from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import equality_key

    votes: dict[Any, list[str]] = {}
    for host, value in found.items():
        votes.setdefault(equality_key(value), []).append(host)
    first, *others = sorted(votes.values(), key=len, reverse=True)
    if 2 * len(first) > len(found):
        return found[first[0]]
    shares = [f"{value_for_message(found[hosts[0]])} on {len(hosts)}" for hosts in [first, *others]]
    raise ValueError(f"no value is shared by more than half of {len(found)} hosts: {', '.join(shares[:LISTED])}")


def _median(found: dict[str, Any]) -> Any:
    from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import is_number, quantile

    for host, value in found.items():
        if not is_number(value):
            raise ValueError(f"a median needs numbers, {host} has {value_for_message(value)}")
    return quantile(list(found.values()), 0.5)


OVER_ALL: dict[str, Callable[[dict[str, Any]], Any]] = {"majority": _majority, "median": _median}


MOST = 10_000
SHORT = re.compile(r"[A-Za-z0-9_.:/-]{1,40}")


def loop_instances(name: str, loop: object, matrix: Any, scope: Scope) -> list[Instance]:
    """The name of each instance of the step `name`, such as `measure[eth0]`, and its words.

    The words are `index` and `item`, or `index` and `matrix`. `loop` is a list or a reference to one. Where it is None,
    `matrix` maps names to such lists, and the last name varies fastest. Raises ValueError for what is no list, and for
    more than 10,000 instances.
    """
    words = _of_matrix(matrix, scope) if loop is None else _of_loop(loop, scope)
    taken: dict[str, int] = {}
    found = []
    for label, word in words:
        taken[label] = taken.get(label, 0) + 1
        double = f"#{taken[label]}" if taken[label] > 1 else ""
        found.append((f"{name}[{label}{double}]", word))
    return found


def _of_loop(loop: object, scope: Scope) -> list[Instance]:
    items = _list("loop", loop, scope)
    _check_count(len(items))
    return [(_label(item, index), {"item": item, "index": index}) for index, item in enumerate(items)]


def _of_matrix(matrix: dict[str, object], scope: Scope) -> list[Instance]:
    axes = [list(enumerate(_list(f"matrix.{name}", given, scope))) for name, given in matrix.items()]
    count = 1
    for axis in axes:
        count *= len(axis)
    _check_count(count)
    found = []
    for index, chosen in enumerate(product(*axes)):
        label = ",".join(_label(value, place) for place, value in chosen)
        values = {name: value for name, (_place, value) in zip(matrix, chosen)}
        found.append((label, {"matrix": values, "index": index}))
    return found


def _list(name: str, given: object, scope: Scope) -> list[Any]:
    value = resolve(given, scope)
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list, got {value_for_message(value)}")
    return value


def _check_count(count: int) -> None:
    if count > MOST:
        raise ValueError(f"{count} instances, a step can have {MOST}")


def _label(value: object, index: int) -> str:
    """The value, or the `name` of a mapping, where that is short and plain; else its index in its list."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return value if isinstance(value, str) and SHORT.fullmatch(value) else str(index)
