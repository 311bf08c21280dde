# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of verdicts.

What each one means and how it is shown; and what a result that did not pass becomes by a waiver.

It is sent to hosts with each stage, so it imports nothing but the standard library.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Waiver = dict[str, Any]

GREEN, YELLOW, RED = "32", "33", "31"  # foreground colours of a terminal


class Verdict:
    """What follows from a verdict.

    `passes`: the steps that depend on the step may start. `tried`: the step began; if not, its author or another result
    decided the verdict. `ran`: the step itself took the time that its record gives, in this run. `complete`: it was not
    cut off, and another run may use the result again. `colour` is the one on a terminal. Reports show `symbol`, in the
    colour `light` on light pages and `dark` on dark ones, each with a contrast of at least 4.5:1.
    """

    __slots__ = ("colour", "complete", "dark", "light", "passes", "ran", "symbol", "tried")

    def __init__(
        self, colour: str, look: tuple[str, str, str], *,
        passes: bool = False, tried: bool = True, ran: bool = True, complete: bool = False,
    ) -> None:  # fmt: skip
        self.colour = colour
        self.symbol, self.light, self.dark = look
        self.passes = passes
        self.tried = tried
        self.ran = ran
        self.complete = complete


# The gravest first: of several verdicts the first one counts, and people read them in this order.
VERDICTS = {
    "error": Verdict(RED, ("!", "#670985", "#9861ea")),
    "failed": Verdict(RED, ("✗", "#8d1c06", "#f33e1d")),
    "unreachable": Verdict(YELLOW, ("?", "#04080e", "#aeb0b2"), ran=False),
    "blocked": Verdict(YELLOW, ("⊘", "#3f3529", "#f5d3b2"), tried=False, ran=False),
    "marginal": Verdict(YELLOW, ("≈", "#a86601", "#e0a164"), passes=True, complete=True),
    "waived": Verdict(GREEN, ("w", "#3156d1", "#5e9bd1"), passes=True),
    "skipped": Verdict(YELLOW, ("–", "#6f7277", "#fdfeff"), tried=False, ran=False),
    "cached": Verdict(GREEN, ("=", "#054252", "#73dfff"), passes=True, ran=False),
    "passed": Verdict(GREEN, ("✓", "#0d854a", "#628966"), passes=True, complete=True),
}
PASSING = frozenset(name for name, verdict in VERDICTS.items() if verdict.passes)
NOT_TRIED = frozenset(name for name, verdict in VERDICTS.items() if not verdict.tried)
RAN = frozenset(name for name, verdict in VERDICTS.items() if verdict.ran)
COMPLETE = frozenset(name for name, verdict in VERDICTS.items() if verdict.complete)
HARMLESS = PASSING | {"skipped"}  # the verdicts with which a host has passed
WAIVED = "waived"
_RANKS = {name: place for place, name in enumerate(VERDICTS)}


def rank(verdict: str) -> int:
    """How grave a verdict is, the gravest first; any other word comes before all, so that nobody overlooks it."""
    return _RANKS.get(verdict, -1)


class WaivedOutcome:
    """What a covered result becomes: its verdict, its reason, and the field `waived` of its record."""

    def __init__(self, verdict: str, reason: str, waivers: Sequence[Waiver]) -> None:
        self.verdict = WAIVED
        self.reason = f"{'; '.join(waiver['words'] for waiver in waivers)}; {verdict}: {reason or 'no reason given'}"
        self.record = {"verdict": verdict, "reason": reason, "by": [waiver["id"] for waiver in waivers]}


def waive(
    waivers: Iterable[Waiver],
    names: Sequence[str],
    verdict: str,
    reason: str,
    measurements: Iterable[dict[str, Any]] = (),
) -> WaivedOutcome | None:
    """What a result becomes that waivers cover; None where they do not.

    `waivers` are those in force on its host, each with `id`, `step`, `verdicts`, `words`, and `measurement` if it has
    one; `lifted` names the steps that it covers no more. `names` are those of the step: its own, and the looped step's
    of which it is an instance.
    """
    checks = [each["name"] for each in measurements if each.get("verdict") == verdict]
    covering = _covering(waivers, names, verdict, checks)
    return WaivedOutcome(verdict, reason, covering) if covering else None


def _covering(waivers: Iterable[Waiver], names: Sequence[str], verdict: str, checks: Sequence[str]) -> list[Waiver]:
    """A waiver of the whole result, or else one for each measurement that failed; none where one of these has none."""
    fitting = [
        waiver
        for waiver in waivers
        if verdict in waiver["verdicts"] and any(matches_wildcard(waiver["step"], name) for name in names)
        if names[0] not in waiver.get("lifted", ())
    ]
    whole = [waiver for waiver in fitting if not waiver.get("measurement")]
    if whole:
        return whole[:1]
    found = {}
    for check in checks:
        own = next((waiver for waiver in fitting if matches_wildcard(waiver["measurement"], check)), None)
        if own is None:
            return []
        found[own["id"]] = own
    return list(found.values())


def matches_wildcard(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern, in which only `*` is special: names of instances have brackets."""
    if "*" not in pattern:
        return pattern == name
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
