# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases of a test suite as measurements of a step, and the verdict that follows from them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from rack_recipes import Failed, Skipped

PASSED, FAILED, ERROR, SKIPPED = OUTCOMES = ("passed", "failed", "error", "skipped")
GRAVEST = (ERROR, FAILED, SKIPPED, PASSED)  # the order in which cases are told
RECORDED = 1000  # cases with measurements of their own, the gravest first: all of them are in the attached file
IN_CONTEXT = 50  # cases that did not pass, with their messages
NAMED = 5  # cases and problems in the reason of a verdict
LONGEST = 200  # characters of a name
SAID = 400  # characters of a message
MOST = 100_000  # cases that are read
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
CONTROL = re.compile(r"[\x00-\x1f\x7f\s]+")


@dataclass(frozen=True)
class Case:
    """One case: its name, its outcome, its time in seconds (None where it is not told), and what was said of it.

    `values` are what it measured: name, value and unit.
    """

    name: str
    outcome: str
    seconds: float | None = None
    message: str = ""
    values: tuple[tuple[str, object, str], ...] = ()


def plain(text, longest=SAID):
    """A text of a suite in one line, without colours and control characters, cut to `longest` characters."""
    line = CONTROL.sub(" ", ANSI.sub("", text[: 4 * longest])).strip().encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def note(text):
    """Write a line into the log of the step."""
    sys.stdout.write(f"{text}\n")


def attach(ctx, name, path, media_type):
    """Attach a file of a suite; of one that cannot be kept, such as one that is too large, the log says why."""
    try:
        ctx.attach(name, path, media_type)
    except ValueError as error:
        note(f"{name} is not attached: {error}")


def conclude(ctx, key, seconds, cases, problems=(), checks=()):
    """Record the cases, and the `seconds` that the suite took, and end the step. Nothing is returned where it passed.

    `problems` say what is missing or cannot be trusted; with one the step is an `error`, whatever the cases say.
    `checks` are further limits that do not hold, each with what to do. Raises Failed, Skipped, or ValueError.
    """
    cases, problems, checks = list(cases), list(problems), list(checks)
    counts = {outcome: sum(case.outcome == outcome for case in cases) for outcome in OUTCOMES}
    bad = [case for case in _gravest_first(cases) if case.outcome in (FAILED, ERROR)]
    told = [{"name": _name(case), "outcome": case.outcome, "message": plain(case.message)} for case in bad[:IN_CONTEXT]]
    ctx.set(key, {"cases": len(cases), **counts, "seconds": seconds, "not_passed": told})
    ctx.measure("seconds", seconds, "s")
    _record(ctx, cases, counts)
    _end(cases, counts, bad, problems, checks)


def _end(cases, counts, bad, problems, checks):
    if problems:
        raise ValueError(_in_short([*map(plain, problems), *map(_sentence, bad)]))
    if not cases and not checks:
        raise ValueError("no case was run, so nothing was tested: see the log of this step for why")
    if counts[FAILED] or checks:
        first = f"{counts[FAILED] + counts[ERROR]} of {len(cases)} cases did not pass: " if bad else ""
        raise Failed(first + _in_short([*map(_sentence, bad), *map(plain, checks)]))
    if counts[ERROR]:
        raise ValueError(f"{counts[ERROR]} of {len(cases)} cases could not be judged: {_in_short(map(_sentence, bad))}")
    if counts[SKIPPED] == len(cases):
        why = {plain(case.message) for case in cases} - {""}
        raise Skipped(f"all {len(cases)} cases were skipped" + (f": {_in_short(sorted(why))}" if why else ""))


def _sentence(case):
    message = plain(case.message)
    return f"{_name(case)} {case.outcome}" + (f": {message}" if message else "")


def _name(case):
    return plain(case.name, LONGEST) or "a case without a name"


def _in_short(sentences):
    sentences = list(sentences)
    more = len(sentences) - NAMED
    return "; ".join([*sentences[:NAMED], *([f"and {more} more, see the log of this step"] if more > 0 else [])])


def _gravest_first(cases):
    return sorted(cases, key=lambda case: GRAVEST.index(case.outcome))


def _record(ctx, cases, counts):
    """Measure how many cases there are by outcome, and record each: a skipped one is measured, and not judged."""
    ctx.measure("cases", len(cases))
    for outcome, count in counts.items():
        ctx.measure(f"cases.{outcome}", count)
    named = unique(cases, _name)
    if len(cases) > RECORDED:
        note(f"{len(cases)} cases: the {RECORDED} gravest are measurements, all of them are in the attached file")
    for name, case in sorted(named, key=lambda pair: GRAVEST.index(pair[1].outcome))[:RECORDED]:
        told = f"{case.outcome}: {plain(case.message)}" if case.message else case.outcome
        if case.outcome == SKIPPED:
            ctx.measure(name, told)
        else:
            ctx.check(name, PASSED if case.outcome == PASSED else told, eq=PASSED)
        if case.seconds is not None:
            ctx.measure(f"{name}.seconds", round(case.seconds, 6), "s")
        for what, value, unit in case.values:
            ctx.measure(f"{name}.{what}", value, unit)


def unique(items, name_of):
    """Each item with its name; a second one of the same name gets a number behind it."""
    seen, found = {}, []
    for item in items:
        name = name_of(item)
        seen[name] = seen.get(name, 0) + 1
        found.append((name if seen[name] == 1 else f"{name} ({seen[name]})", item))
    return found
