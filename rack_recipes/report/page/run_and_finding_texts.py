# SPDX-License-Identifier: GPL-3.0-or-later

"""What the page says in words: whether the run is good and when it last was, and its findings as cards with links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from rack_recipes.analysis.findings import (
    FINDING_KINDS,
    NOTABLE,
    NOTE,
    PROBLEM,
    SUMMARY,
    FindingKind,
    format_count,
)
from rack_recipes.journal.step_results_and_end_status import why_nothing_passed
from rack_recipes.report.format_values import cut, shown
from rack_recipes.report.page.hosts_by_rack import HostPlace
from rack_recipes.report.table_model import Table

ABOVE = frozenset({"status", "description", "hosts", "steps", "results", "not_passing", "not_run", "seconds"})
"""Columns of the summary that the head of the page shows in its own way."""
MOST_IN_FACT = 1000
PASSED = "passed"


def sentence(run: Mapping[str, Any], hosts: Sequence[HostPlace]) -> str:
    """Whether what was tested is good, in one sentence."""
    tried = [one for one in hosts if one.verdict]
    bad = [one for one in tried if one.verdict not in HARMLESS]
    results, not_passing = run["results"], run["not_passing"]
    if not results:
        return "No result is known yet."
    if run["status"] == "running":
        so_far = f"{not_passing:,} of {format_count(results, 'result')} did not pass so far"
        return f"Not known yet: the run goes on, and {so_far}."
    if not bad and not not_passing:
        blank = f" {format_count(run['not_run'], 'result was', 'results were')} not to run." if run["not_run"] else ""
        why = why_nothing_passed(run["status"], 0)
        return f"Nothing failed on {format_count(len(tried), 'host')}{why and f', but {why}'}.{blank}"
    stopped = f"Stopped {run['stopped']}. " if run.get("stopped") else ""
    return f"{stopped}{_of(len(bad), len(tried))} did not pass: {not_passing:,} of {format_count(results, 'result')}."


def _of(bad: int, hosts: int) -> str:
    return f"{bad:,} of {format_count(hosts, 'host')}" if hosts else "The run"


@dataclass(frozen=True, slots=True)
class LastPass:
    """The newest earlier run of the test that passed; `between` is how many runs came after it, before this one."""

    run_id: str
    started: str
    between: int


def last_pass(past_runs: Table) -> LastPass | None:
    """The last good run, by the table of past runs, which has the newest first."""
    for number, row in enumerate(past_runs.records()):
        if row["status"] == PASSED:
            return LastPass(row["run_id"], shown(row["started"], "time")[:16], number)
    return None


def facts(summary: Table) -> list[tuple[str, str]]:
    """What else the summary says, as titles and texts."""
    pairs = zip(summary.columns, summary.rows[0], strict=True)
    told = [(column, shown(value, column.kind)) for column, value in pairs if column.name not in ABOVE]
    return [(column.label, cut(text, MOST_IN_FACT)) for column, text in told if text]


FIRST = 5
"""So many findings that are no notes stand on the first screen; the others are behind them, by kind."""
MOST = 300
MOST_LINKS = 8
SUMMARY_TITLE = FINDING_KINDS[SUMMARY].title
CHANGES = frozenset(FINDING_KINDS[kind].title for kind in ("regression", "baseline"))
"""The kinds of findings that say what has changed since the run was good."""
LOOKS: Mapping[str, tuple[str, str]] = {PROBLEM: ("failed", "✗"), NOTABLE: ("marginal", "≈"), NOTE: ("waived", "i")}
"""How a grade is shown: the verdict whose colour it has, and its symbol."""
TEXTS = (
    *("grade", "kind", "title", "action", "rule", "advice", "owner"), *("figures", "method", "origin", "suggestion"),
)  # fmt: skip
"""Columns of findings that a card has as texts."""
AddressOf = Callable[[str, str], str]


class Link(NamedTuple):
    """A result in words, and its address; "" where there is no place for it."""

    text: str
    address: str


@dataclass(frozen=True, slots=True)
class Card:
    """One finding; `links` are the first of its `total` results."""

    n: int
    grade: str
    kind: str
    title: str
    action: str
    rule: str
    advice: str
    owner: str
    explains: int
    figures: str
    method: str
    origin: str
    suggestion: str
    links: tuple[Link, ...]
    total: int

    @property
    def look(self) -> str:
        """The verdict in whose colour the card is shown."""
        return LOOKS.get(self.grade, LOOKS[NOTE])[0]

    @property
    def symbol(self) -> str:
        """The symbol of the grade."""
        return LOOKS.get(self.grade, LOOKS[NOTE])[1]


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings of the page: sentences of the `summary`, the `first` ones, those about `changes`, and the others.

    The others are behind the first screen, `by_kind`; `notes` of them are notes, on which nobody has to act.
    """

    summary: tuple[Card, ...] = ()
    first: tuple[Card, ...] = ()
    changes: tuple[Card, ...] = ()
    by_kind: tuple[tuple[FindingKind, tuple[Card, ...]], ...] = ()
    notes: int = 0
    total: int = 0
    left_out: int = 0

    @property
    def tells_changes_first(self) -> bool:
        """Whether what has become worse is among the first ones."""
        return any(card.kind in CHANGES for card in self.first)

    @property
    def behind(self) -> int:
        """How many findings that are no notes are on the page, but not on the first screen."""
        return sum(len(cards) for _kind, cards in self.by_kind) - self.notes

    @property
    def kinds_of_notes(self) -> str:
        """The kinds of the notes in words, with their numbers."""
        counts = ((kind.title, sum(card.grade == NOTE for card in cards)) for kind, cards in self.by_kind)
        return ", ".join(f"{title} {count:,}" for title, count in counts if count)


def findings(by_name: Mapping[str, Table], address_of: AddressOf) -> Findings:
    """The findings in the tables of a report; `address_of` gives the address of a result, by host and step."""
    rows = [*by_name["findings"].records()]
    links = _links(by_name["finding_results"], address_of)
    cards = [_card(row, links.get(row["n"], ())) for row in rows[:MOST]]
    changes = [card for card in cards if card.kind in CHANGES]
    summary = [card for card in cards if card.kind == SUMMARY_TITLE]
    others = [card for card in cards if card.kind not in CHANGES and card.kind != SUMMARY_TITLE]
    first = [card for card in others if card.grade != NOTE]
    if not first or first[0].grade != PROBLEM:  # what has become worse stands below a problem alone
        first = [*(card for card in changes if card.grade == PROBLEM), *first]
    first = first[:FIRST]
    changes = [card for card in changes if card not in first]
    behind = [*changes[FIRST:], *(card for card in others if card not in first)]
    return Findings(
        summary=tuple(summary),
        first=tuple(first),
        changes=tuple(changes[:FIRST]),
        by_kind=tuple(_by_kind(behind)),
        notes=sum(card.grade == NOTE for card in behind),
        total=len(rows),
        left_out=len(rows) - len(cards),
    )


def _by_kind(cards: Iterable[Card]) -> Iterable[tuple[FindingKind, tuple[Card, ...]]]:
    kinds = {kind.title: kind for kind in FINDING_KINDS.values()}
    order = [*kinds]
    ordered = sorted(cards, key=lambda card: order.index(card.kind) if card.kind in kinds else len(order))
    for title, own in groupby(ordered, key=lambda card: card.kind):
        yield kinds.get(title, FindingKind(title, "")), tuple(own)


def _links(results: Table, address_of: AddressOf) -> dict[int, list[Link]]:
    found: dict[int, list[Link]] = {}
    for row in results.records():
        host, step, name = row["host"], row["step"] or "", row["name"]
        words = f"{host}: {step}" if step else host
        link = Link(f"{words} ({name})" if name else words, address_of(host, step))
        found.setdefault(row["n"], []).append(link)
    return found


def _card(row: Mapping[str, Any], links: Sequence[Link]) -> Card:
    texts = {name: str(row[name] or "") for name in TEXTS}
    explains = row["explains"] or 0
    return Card(n=row["n"], explains=explains, links=tuple(links[:MOST_LINKS]), total=len(links), **texts)
