# SPDX-License-Identifier: GPL-3.0-or-later

"""PTM's topology.dot: edges "NODE":"PORT" -- "NODE":"PORT" of a Graphviz graph (graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rack_recipes.cabling.plan_model import Cable, Draft, End
from rack_recipes.recipe.values_in_messages import quoted

HEAD = re.compile(r"(?:\s|#[^\n]*|//[^\n]*|/\*.*?\*/)*(?:strict\s+)?(?:di)?graph\b", re.DOTALL | re.IGNORECASE)
TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<edge>--|->)|(?P<sign>[{}\[\]:;,=])"""
    r"""|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[\w.$/+-]+?(?=--|->|[^\w.$/+-]|$))""",
    re.DOTALL,
)
WORDS = ("graph", "digraph", "node", "edge", "subgraph", "strict")
EXPECTED = '"NODE":"PORT" -- "NODE":"PORT"'


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a text or a sign, and where it is; `kind` is edge, sign or name."""

    kind: str
    text: str
    where: str
    is_quoted: bool = False


def is_dot(text: str) -> bool:
    """Whether this is a graph of Graphviz."""
    return HEAD.match(text) is not None


def read_dot(text: str, name: str) -> Draft:
    """The edges of a graph. Where it declares nodes, each edge must be between two of them."""
    draft = Draft()
    tokens = [*_tokens(draft, text, name)]
    if draft.problems:
        return draft
    for statement in _statements(tokens):
        if any(token.kind == "edge" for token in statement):
            _read_edge(draft, statement)
        else:
            _read_node(draft, statement)
    if draft.devices:
        draft.listed_in.append(name)
    return draft


def _tokens(draft: Draft, text: str, name: str) -> Iterator[Token]:
    """All tokens but those in attributes. It ends at what is none."""
    at, line, start, depth = 0, 1, 0, 0
    while at < len(text):
        found = TOKEN.match(text, at)
        where = f"{name}:{line}:{at - start + 1}"
        if found is None:
            draft.wrong(where, "a name, a text in quotes, or one of -- { } [ ] : ; , =", quoted(text[at : at + 20]))
            return
        kind, value = found.lastgroup or "", found[found.lastgroup or 0]
        depth += (value == "[") - (value == "]") if kind == "sign" else 0
        if kind != "skip" and not depth and value != "]":
            is_name = kind in ("text", "word")
            yield Token("name" if is_name else kind, value, where, is_quoted=kind == "text")
        elif kind == "sign" and value == "]":
            yield Token("sign", ";", where)  # attributes end a statement
        breaks = found[0].count("\n")
        if breaks:
            line, start = line + breaks, at + found[0].rindex("\n") + 1
        at = found.end()
    if depth:
        draft.wrong(f"{name}:{line}:{at - start + 1}", "] after attributes", "the end of the file")


def _statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """The statements: they end at ; { } and attributes, and where a name follows a name."""
    own: list[Token] = []
    for token in tokens:
        is_end = token.kind == "sign" and token.text in ";,{}"
        if own and (is_end or (token.kind == "name" and own[-1].kind == "name")):
            yield own
            own = []
        if not is_end:
            own.append(token)
    if own:
        yield own


def _read_node(draft: Draft, statement: list[Token]) -> None:
    """A node that is declared by itself. An assignment and the words of the language are none."""
    first = statement[0]
    if len(statement) == 1 and first.kind == "name" and first.is_quoted:
        draft.devices.setdefault(first.text, first.where)


def _read_edge(draft: Draft, statement: list[Token]) -> None:
    """An edge or a chain of edges."""
    ends: list[End] = []
    for part in _split(statement):
        words = [token.text for token in part]
        if len(part) != 3 or words[1] != ":" or part[0].kind != "name" or part[2].kind != "name":
            got = quoted("".join(words)) if words else "nothing"
            draft.wrong((part or statement)[0].where, EXPECTED, got)
            return
        ends.append(End(words[0], words[2]))
    for a, b in pairwise(ends):
        draft.cables.append(Cable(a, b, where=statement[0].where))


def _split(statement: list[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in statement:
        if token.kind == "edge":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
