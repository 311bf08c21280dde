# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads YAML as plain JSON data, with the place of each value.

The data is made from the parser's events one by one. So nothing recurses, too many levels or values are refused at
once, and PyYAML's tree of nodes, which takes longer than parsing, is never made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

import yaml
from yaml import events

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import DEEPEST
from rack_recipes.errors import Place, RecipeError, RecipeErrors
from rack_recipes.recipe.values_in_messages import closest, quoted, shown
from rack_recipes.recipe.yaml.decode import RecipeSource, decode, refused
from rack_recipes.recipe.yaml.values_and_positions import (
    MERGE,
    ROOT,
    NodePositions,
    Spot,
    Spots,
    UnclearError,
    resolve_scalar,
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A value that aliases may repeat. `nodes` counts the values inside of it, `height` their levels."""

    value: Any
    spot: Spot
    nodes: int
    height: int


@dataclass(slots=True)
class OpenList:
    """A list that is being read. `nodes` counts the values of the file before it, `height` the levels inside of it."""

    spot: Spot
    anchor: str | None
    nodes: int
    data: list[Any]
    height: int = 1


@dataclass(slots=True)
class OpenMap:
    """A mapping that is being read. `key` is the key whose value comes next; `merged` has the mappings of `<<`."""

    spot: Spot
    anchor: str | None
    nodes: int
    data: dict[str, Any]
    flow: bool
    key: str | None = None
    height: int = 1
    merged: list[tuple[dict[str, Any], Spot]] = field(default_factory=list)


type Open = OpenList | OpenMap


def awaits_key(part: Open) -> bool:
    """Whether the next value is a key."""
    return isinstance(part, OpenMap) and part.key is None


def add_merged_keys(part: OpenMap, spots: Spots) -> None:
    """Add the keys of merged mappings to a mapping. Its own keys and earlier mappings come first."""
    own = spots.values(part.spot)
    for data, spot in part.merged:
        theirs = spots.values(spot)
        for key in [key for key in data if key not in part.data]:  # in their order, as the playbook has them
            part.data[key] = data[key]
            own[key] = theirs[key]
    spots.insides[part.spot] = own


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
JINJA = "a Jinja expression in quotes, since YAML takes { for a mapping"
MAX_ERRORS = 100  # reported at once
MAX_REPEATED = 100_000  # values that aliases may repeat in all
JAMMED_COLON = re.compile(r"[A-Za-z_][\w.-]*:\S")
QUOTES = ('"', "'")
CORE = "tag:yaml.org,2002:"
PLAIN_TAGS = {None, "!", CORE + "str", CORE + "seq", CORE + "map"}
TAG_HINTS = {
    "!vault": "keep the secret in the inventory and write a Jinja expression in quotes",
    "!unsafe": "no value here needs such a mark",
}
YAML_ERRORS = (yaml.YAMLError, ValueError, OverflowError)  # the latter two come from PyYAML without libyaml
FORBIDDEN = re.compile("[\0\ud800-\udfff]")  # escapes can make these, but arguments or UTF-8 cannot hold them
PLAIN_HINT = "plain data needs none"
OF_PLAY = frozenset(("hosts", "import_playbook", "ansible.builtin.import_playbook"))
PLAYBOOK = (
    "a playbook: `ansible-playbook` runs it, with callbacks_enabled = rack.recipes.recorder in ansible.cfg, and AWX in "
    "a job template of its own (docs/awx.md)"
)
QUOTES_HINT = "text that starts with '!' needs quotes"


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a recipe file, unchecked, and the places of its values."""

    data: dict[str, Any]
    places: NodePositions


def read(content: bytes, name: str, expected: str = "a mapping with test_meta and steps") -> Document:
    """Read a YAML file whose top is a mapping. `expected` describes it in errors, and `name` is the file's name there.

    Raises RecipeErrors with all that is wrong with the file as YAML or as JSON data.
    """
    builder = Builder(decode(content, name))
    builder.build()
    if builder.errors:
        raise RecipeErrors(builder.errors)
    return builder.document(expected)


def read_value(text: str) -> Any:
    """The value of a text that is YAML. Raises RecipeErrors."""
    builder = Builder(decode(text.encode(errors="surrogatepass"), "value"))
    builder.build()
    if builder.errors or not builder.top.data:
        raise RecipeErrors(builder.errors)
    return builder.top.data[0]


class Builder:
    """Makes data from the parser's events, and collects errors."""

    def __init__(self, source: RecipeSource) -> None:
        self.source = source
        self.errors: list[RecipeError] = []
        self.spots = Spots()
        self.top = OpenList(ROOT, None, 0, [])
        self.open: list[Open] = [self.top]
        self.anchors: dict[str, Anchor] = {}
        self.nodes = 0
        self.repeated = 0
        self.quote_line = 0

    def build(self) -> None:
        """Read the whole file. Raises RecipeErrors where it cannot be parsed any further."""
        try:
            parser = LOADER(self.source.text)
            while (event := parser.get_event()) and not isinstance(event, events.StreamEndEvent):
                handle = self.HANDLERS.get(type(event))
                if handle:
                    handle(self, event)
        except yaml.MarkedYAMLError as error:
            raise RecipeErrors([*self.errors, self._explain(error)]) from None
        except YAML_ERRORS as error:
            raise refused(Place(self.source.name), "valid YAML", shown(str(error))) from None

    def document(self, expected: str) -> Document:
        """The document that was read. Raises RecipeErrors where it is no mapping."""
        if not self.top.data:
            raise refused(Place(self.source.name), expected, "an empty file")
        data = self.top.data[0]
        if not isinstance(data, dict):
            raise refused(self._place(ROOT), expected, PLAYBOOK if _is_playbook(data) else shown(data))
        return Document(data, NodePositions(self.source.name, self.spots))

    def _document(self, event: events.DocumentStartEvent) -> None:
        if self.top.data:
            self._stop(self._spot(event), "one document in a file", "a second one")

    def _scalar(self, event: events.ScalarEvent) -> None:
        self.nodes += 1
        spot = self._spot(event)
        value: Any = event.value
        if event.tag is not None:
            self._check_tag(event.tag, spot)
        elif not event.style:
            value = self._plain(value, spot)
        if event.style:
            self._check_quoted(value, spot)
        if event.anchor:
            self._add_anchor(event.anchor, Anchor(value, spot, 1, 0))
        self._add(value, spot)

    def _plain(self, word: str, spot: Spot) -> Any:
        is_key = awaits_key(self.open[-1])
        if is_key and word == MERGE:
            return MERGE
        try:
            value = resolve_scalar(word)
        except UnclearError as error:
            self._report(spot, error.expected, error.got)
            return word
        if is_key and not isinstance(value, str):
            self._report(spot, "a key that is text", f"{word}: write it in quotes" if word else "nothing")
            return word
        return value

    def _check_quoted(self, text: str, spot: Spot) -> None:
        self.quote_line = self.spots.lines[spot] + 1
        if FORBIDDEN.search(text):
            self._report(spot, "text without NUL characters and halves of pairs", shown(text))

    def _alias(self, event: events.AliasEvent) -> None:
        name = event.anchor or ""
        alias = f"*{name}"
        anchor = self.anchors.get(name)
        spot = self._spot(event)
        if name in {part.anchor for part in self.open}:
            self._stop(spot, "an alias that is not inside of what it repeats", quoted(alias))
        if not anchor:
            near = closest(name, tuple(self.anchors))
            self._stop(spot, "the alias of an anchor above, or text in quotes", quoted(alias), near and f"*{near}")
        self._check_repeated(anchor, spot, alias)
        self.spots.repeats[spot] = anchor.spot
        self._add(anchor.value, spot, anchor.height)

    def _list(self, event: events.SequenceStartEvent) -> None:
        self.open.append(OpenList(self._start(event), event.anchor, self.nodes, []))

    def _map(self, event: events.MappingStartEvent) -> None:
        self.open.append(OpenMap(self._start(event), event.anchor, self.nodes, {}, bool(event.flow_style)))

    def _end(self, _event: events.CollectionEndEvent) -> None:
        part = self.open.pop()
        self.spots.close(part.spot)
        if isinstance(part, OpenMap) and part.merged:
            add_merged_keys(part, self.spots)
        if part.anchor:
            self._add_anchor(part.anchor, Anchor(part.data, part.spot, self.nodes - part.nodes + 1, part.height))
        self._add(part.data, part.spot, part.height)

    def _start(self, event: events.CollectionStartEvent) -> Spot:
        spot = self._spot(event)
        self.nodes += 1
        if len(self.open) > DEEPEST:
            self._stop(spot, f"at most {DEEPEST} levels of lists and mappings inside each other", "one more")
        if awaits_key(self.open[-1]):
            self._refuse_key(spot)
        if event.tag is not None:
            self._check_tag(event.tag, spot)
        return spot

    def _spot(self, event: events.Event) -> Spot:
        mark: Any = event.start_mark
        return self.spots.add(mark.line, mark.column)

    def _add(self, value: object, spot: Spot, height: int = 0) -> None:
        part = self.open[-1]
        if height >= part.height:
            part.height = height + 1
        if isinstance(part, OpenList):
            part.data.append(value)
        elif part.key is None:
            self._set_key(part, value, spot)
        else:
            self._set_value(part, part.key, value, spot)
            part.key = None

    def _set_key(self, part: OpenMap, key: object, spot: Spot) -> None:
        if not isinstance(key, str):
            self._report(spot, "a key that is text", shown(key))
            key = str(key)
        elif key in part.data:
            self.spots.ends[part.spot] = spot
            first = self._place(self.spots.values(part.spot)[key] - 1).line
            self._report(spot, "each key once", f"{quoted(key)} again (first in line {first})")
        part.key = self.spots.keys[spot] = key

    def _set_value(self, part: OpenMap, key: str, value: object, spot: Spot) -> None:
        if key is MERGE:
            self._merge(part, value, spot)
            return
        if value is None and part.flow and JAMMED_COLON.match(key) and not self._starts_with(QUOTES, spot - 1):
            self._report(spot - 1, "a space after the colon", quoted(key))
        part.data[key] = value

    def _merge(self, part: OpenMap, value: object, spot: Spot) -> None:
        if isinstance(value, dict):
            part.merged.append((value, spot))
        elif isinstance(value, list):
            for item, where in zip(value, self.spots.items(spot), strict=True):
                self._merge(part, item, where)
        else:
            self._report(spot, "the alias of a mapping, whose keys to take over", shown(value))

    def _refuse_key(self, spot: Spot) -> NoReturn:
        part = self.open[-1]
        if self._starts_with("{{", part.spot):
            self._stop(part.spot, JINJA, quoted(self._rest(part.spot)))
        self._stop(spot, "a key that is text", "a list or a mapping")

    def _check_tag(self, tag: str, spot: Spot) -> None:
        if tag not in PLAIN_TAGS:
            hint = TAG_HINTS.get(tag, PLAIN_HINT if tag.startswith(CORE) else QUOTES_HINT)
            self._report(spot, "a value without a tag", f"{quoted(tag.replace(CORE, '!!'))} ({hint})")

    def _add_anchor(self, name: str, anchor: Anchor) -> None:
        if name in self.anchors:
            first = self._place(self.anchors[name].spot).line
            self._report(anchor.spot, "each anchor once", f"'&{name}' again (first in line {first})")
        self.anchors[name] = anchor

    def _check_repeated(self, anchor: Anchor, spot: Spot, alias: str) -> None:
        self.nodes += anchor.nodes
        self.repeated += anchor.nodes
        if self.repeated > MAX_REPEATED:
            self._stop(
                spot, f"aliases that repeat at most {MAX_REPEATED} values in all", f"{self.repeated} with {alias}"
            )
        if len(self.open) + anchor.height > DEEPEST:
            self._stop(spot, f"at most {DEEPEST} levels of lists and mappings inside each other", f"more with {alias}")

    def _explain(self, error: yaml.MarkedYAMLError) -> RecipeError:
        # imported here, since a good recipe does not need them
        from rack_recipes.recipe.yaml.syntax_errors import ErrorContext, explain_syntax_error

        started = [part.spot for part in self.open[1:]] or [ROOT for _document in self.top.data]
        columns = {self._place(spot).column for spot in started}
        return explain_syntax_error(error, ErrorContext(self.source, columns, self.quote_line))

    def _starts_with(self, text: str | tuple[str, ...], spot: Spot) -> bool:
        return self._rest(spot).startswith(text)

    def _rest(self, spot: Spot) -> str:
        """The rest of the line of a key or value, from its first character."""
        place = self._place(spot)
        return self.source.lines[place.line - 1][place.column - 1 :]

    def _place(self, spot: Spot) -> Place:
        return self.spots.place(spot, self.source.name)

    def _report(self, spot: Spot, expected: str, got: str, near: str = "") -> None:
        self.errors.append(RecipeError(self._place(spot), expected, got, near))
        if len(self.errors) == MAX_ERRORS:
            raise RecipeErrors(self.errors)

    def _stop(self, spot: Spot, expected: str, got: str, near: str = "") -> NoReturn:
        self._report(spot, expected, got, near)
        raise RecipeErrors(self.errors)

    # Functions, not bound methods: a builder with references to itself would be freed by the garbage collector only.
    HANDLERS: ClassVar[Mapping[type[events.Event], Callable[[Builder, Any], None]]] = {
        events.DocumentStartEvent: _document,
        events.ScalarEvent: _scalar,
        events.AliasEvent: _alias,
        events.SequenceStartEvent: _list,
        events.MappingStartEvent: _map,
        events.SequenceEndEvent: _end,
        events.MappingEndEvent: _end,
    }


def _is_playbook(data: object) -> bool:
    return isinstance(data, list) and any(isinstance(play, dict) and OF_PLAY & play.keys() for play in data)
