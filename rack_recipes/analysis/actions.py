# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of five things is to be done about a finding, in one word, and the rule that chose it.

The first rule of the table that fits a finding decides. Rules that read what is to be done take it from the advice and
from the reasons of the results: scriptlets say there what a technician does first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis.failed_and_blocked_results import UNREACHABLE, advice_on_way_to
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding, ResultId
from rack_recipes.journal.record_fields import BLAMED
from rack_recipes.store.result import Result

REPLACE, RECABLE, RESET, ISOLATE, MONITOR = "replace", "recable", "reset", "isolate", "monitor"
ACTIONS: Mapping[str, str] = {
    REPLACE: "exchange the part that the finding names",
    RECABLE: "seat, clean, move or exchange a cable or its transceivers",
    RESET: "reset, restart or reseat what the finding names, then test it again",
    ISOLATE: "give the hosts no work until somebody has looked",
    MONITOR: "leave them in service, and look again at the next run",
}
"""What each word asks for. Of several that fit, the first one here."""
READ = ""
"""The word of a rule that takes it from the texts."""
ERROR = "error"
NO_LOGIN = "nobody can log in, and the host may be well: mend that first"


Results = Sequence[tuple[str, str]]
"""The verdict and the reason of each result of a finding that did not pass."""


class Chosen(NamedTuple):
    """One of ACTIONS, and why."""

    action: str
    rule: str


class Rule(NamedTuple):
    """One row: the word, why, and what the finding must be. An empty field does not count.

    `about` names what the finding is about, `not_about` what it is not. `verdict` is that of all its results.
    `not_let_in` is for findings of which each result says that nobody can log in to a host that may be well. Where
    `reasons` is set, those of the results are read beside the advice. `bad` is for findings with a result that did not
    pass.
    """

    word: str
    why: str
    kinds: frozenset[str] = frozenset()
    grade: str = ""
    is_suggestion: bool = False
    about: frozenset[str] = frozenset()
    not_about: frozenset[str] = frozenset()
    verdict: str = ""
    not_let_in: bool = False
    reasons: bool = False
    bad: bool = False


SHARED = frozenset(("attribute", "value"))
CAUSE = frozenset(("cause",))
RULES: Sequence[Rule] = (
    Rule(MONITOR, "a suggestion takes nothing out of service", is_suggestion=True),
    Rule(MONITOR, "a note asks for nothing", grade=NOTE),
    Rule(MONITOR, "somebody has accepted this failure", frozenset(("waiver",))),
    Rule(MONITOR, "nothing was judged there: run it again", frozenset(("evidence", "coverage", "derived"))),
    Rule(MONITOR, "the test could not measure: mend that first", verdict=ERROR),
    Rule(MONITOR, NO_LOGIN, not_let_in=True),
    Rule(READ, "the advice about the link says so", frozenset(("link",))),
    Rule(ISOLATE, "the two ends of a link do not fit together", frozenset(("link",))),
    Rule(READ, "the fault moved with the part", frozenset(("moved",))),
    Rule(ISOLATE, "the fault stayed where the part was", frozenset(("moved",)), PROBLEM),
    Rule(MONITOR, "it holds its limits so far", frozenset(("drift", "change_point"))),
    Rule(MONITOR, "it is notable, not a problem", grade=NOTABLE),
    Rule(READ, "the advice about what the hosts share says so", CAUSE, about=SHARED),
    Rule(ISOLATE, "the hosts share what is to blame", CAUSE, about=SHARED),
    Rule(MONITOR, "it failed on every host: look at the step first", CAUSE, not_about=frozenset(("host",))),
    Rule(READ, "the results say so", reasons=True),
    Rule(ISOLATE, "it failed, and nothing says yet what mends it", bad=True),
    Rule(MONITOR, "nothing failed: find out more before a host is taken out of service"),
)
"""From the top; the last one fits everything."""

VERB = re.compile(
    r"(?:^|[:;,.(]\s*|\b(?:and|or|then|else)\s+)"
    r"(?P<verb>reseat|clean|replace|change|swap|move|exchange|follow|check|reset|reboot|restart|power)\b"
    r"(?P<rest>[^:;.]*)",
    re.IGNORECASE,
)
CABLE = re.compile(r"\b(cables?|fib(re|er)s?|transceivers?|plugs?|optics)\b", re.IGNORECASE)
CONDITION = re.compile(r"\bif\b", re.IGNORECASE)
POWER = re.compile(r"\boff and on\b", re.IGNORECASE)
BY_VERB: Mapping[str, str] = {
    **dict.fromkeys(("replace", "exchange", "swap"), REPLACE),
    **dict.fromkeys(("reset", "reboot", "restart", "reseat", "power"), RESET),
}


def with_actions(findings: Iterable[Finding], run_results: Sequence[Result]) -> Iterator[Finding]:
    """Yield the findings with `action` and `rule`. `run_results` are the rows of the run's results."""
    bad = failing_results(run_results)
    for finding in findings:
        chosen = choose_action(finding, [bad[one] for one in _named(finding) if one in bad])
        yield replace(finding, action=chosen.action, rule=chosen.rule)


def _named(finding: Finding) -> Sequence[ResultId]:
    """The results that a finding rests on, each once."""
    return [*dict.fromkeys(ResultId(*result[:2]) for result in finding.results)]


def failing_results(rows: Iterable[Result]) -> dict[ResultId, tuple[str, str]]:
    """The verdict and the reason of each result that was tried and did not pass."""
    bad = (row for row in rows if row["verdict"] not in PASSING | NOT_TRIED)
    return {ResultId(row["host"], row["step"]): (row["verdict"], row.get("reason") or "") for row in bad}


def choose_action(finding: Finding, results: Results) -> Chosen:
    """The action about a finding, and the rule that chose it."""
    for rule in RULES:
        if fits(rule, finding, results):
            reasons = [reason for _verdict, reason in results] if rule.reasons else []
            word = rule.word or read_action([finding.advice, *reasons])
            if word:
                return Chosen(word, rule.why)
    raise AssertionError("the last rule fits everything")


def fits(rule: Rule, finding: Finding, results: Results) -> bool:
    """Whether a finding is what a rule is for."""
    return (
        (not rule.kinds or finding.kind in rule.kinds)
        and (not rule.grade or finding.grade == rule.grade)
        and (not rule.is_suggestion or finding.suggestion)
        and finding.about.keys() >= rule.about
        and not finding.about.keys() & rule.not_about
        and (not rule.verdict or {verdict for verdict, _reason in results} == {rule.verdict})
        and (not rule.not_let_in or (bool(results) and all(is_kept_out(*result) for result in results)))
        and (not rule.bad or bool(results))
    )


def is_kept_out(verdict: str, reason: str) -> bool:
    """Whether a result says that nobody can log in to the host, which may be well."""
    return verdict == UNREACHABLE and bool(advice_on_way_to("", reason))


def read_action(texts: Iterable[str]) -> str:
    """The gravest word that the texts ask for, by the first thing that each tells to do; empty where none does."""
    said = {_first(text) for text in texts}
    return next((word for word in ACTIONS if word in said), "")


def _first(text: str) -> str:
    """What a text tells to do first; what it tells to do only under a condition does not count."""
    for found in VERB.finditer(text):
        verb, rest = found["verb"].lower(), found["rest"]
        if CONDITION.search(rest) or (verb == "power" and not POWER.search(rest)):
            continue
        if CABLE.search(rest):
            return RECABLE
        if verb in BY_VERB:
            return BY_VERB[verb]
    return ""


class HostAction(NamedTuple):
    """What is to be done about a host, why, and the reasons of its results that did not pass, by step."""

    host: str
    action: str
    rule: str
    reasons: Mapping[str, str]


UNEXPLAINED = "no finding explains this result"


def actions_by_host(findings: Iterable[Finding], run_results: Sequence[Result]) -> list[HostAction]:
    """The gravest action about each host with a result that did not pass, in the order of the results.

    A result has the action of the problems that rest on it. One that no problem names has that of its own reason, and
    else `isolate`: a single failure makes no finding, and must not be passed over. A host that a search between hosts
    says is to blame has the action of that finding, though no result is its own.
    """
    bad = failing_results(run_results)
    members = {host for row in run_results for host in row.get("members") or ()}
    said: dict[ResultId, list[Chosen]] = {result: [] for result in bad}
    hosts: dict[str, list[Chosen]] = {}
    reasons: dict[str, dict[str, str]] = {}
    for finding in findings:
        if finding.grade == PROBLEM and finding.action:
            chosen = Chosen(finding.action, finding.rule)
            for result in _named(finding):
                if result in said:
                    said[result].append(chosen)
            for host in members.intersection(finding.figures.get(BLAMED) or ()):
                hosts.setdefault(host, []).append(chosen)
                reasons.setdefault(host, {})[str(finding.about.get("step", ""))] = finding.title
    for result, all_chosen in said.items():
        if result.host:
            hosts.setdefault(result.host, []).extend(all_chosen or [_own(*bad[result])])
            reasons.setdefault(result.host, {})[result.step] = bad[result][1]
    return [HostAction(host, *min(words, key=_place), reasons[host]) for host, words in hosts.items()]


def _own(verdict: str, reason: str) -> Chosen:
    is_elsewhere = verdict == ERROR or is_kept_out(verdict, reason)
    return Chosen(MONITOR if is_elsewhere else read_action([reason]) or ISOLATE, UNEXPLAINED)


def _place(chosen: Chosen) -> int:
    return [*ACTIONS].index(chosen.action)
