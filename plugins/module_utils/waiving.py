# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether waivers cover a result that did not pass, and what the result becomes: for executor and controller alike.

It is sent to hosts with a stage that has waivers.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Waiver = dict[str, Any]
    Measurement = dict[str, Any]

WAIVED = "waived"


class WaivedOutcome:
    """What a covered result becomes: its verdict, its reason, and the field `waived` of its record."""

    def __init__(self, verdict: str, reason: str, waivers: Sequence[Waiver]) -> None:
        self.verdict = WAIVED
        self.reason = f"{'; '.join(waiver['words'] for waiver in waivers)}; {verdict}: {reason or 'no reason given'}"
        self.record = {"verdict": verdict, "reason": reason, "by": [waiver["id"] for waiver in waivers]}


def waive(
    waivers: Iterable[Waiver], names: Sequence[str], verdict: str, reason: str, measurements: Iterable[Measurement] = ()
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
        if verdict in waiver["verdicts"] and any(matches(waiver["step"], name) for name in names)
        if names[0] not in waiver.get("lifted", ())
    ]
    whole = [waiver for waiver in fitting if not waiver.get("measurement")]
    if whole:
        return whole[:1]
    found = {}
    for check in checks:
        own = next((waiver for waiver in fitting if matches(waiver["measurement"], check)), None)
        if own is None:
            return []
        found[own["id"]] = own
    return list(found.values())


def matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern, in which only `*` is special: names of instances have brackets."""
    if "*" not in pattern:
        return pattern == name
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
