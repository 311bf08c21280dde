# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the Test Anything Protocol, versions 12, 13 and 14, line by line.

https://testanything.org/tap-specification.html, https://testanything.org/tap-version-13-specification.html,
https://testanything.org/tap-version-14-specification.html. Streams are read as version 14 has it: subtests are indented
by four spaces, as those of older versions are. A YAML block is searched for its message and its duration, not parsed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import islice

from scriptlets.tools.suite_cases import ANSI, FAILED, MOST, PASSED, SKIPPED, Case

KNOWN = (12, 13, 14)
NOTHING = "it says 1..0: nothing was to run"
DEEPEST = 20  # levels of subtests
LINES = 50  # of a YAML block or of comments, for the message of a case
LISTED = 5  # missing cases in a message
VERSION = re.compile(r"TAP version ([0-9]{1,9})", re.IGNORECASE)
PLAN = re.compile(r"([0-9]{1,9})\.\.([0-9]{1,9})(?:\s*#\s*(.*))?")
POINT = re.compile(r"(not )?ok(?=\s|$)(?:\s+([0-9]{1,9})(?=\s|$))?\s*(.*)")
BAIL_OUT = re.compile(r"\s*Bail out!\s*(.*)", re.IGNORECASE)
PRAGMA = re.compile(r"pragma [+-][\w-]+", re.ASCII)
ESCAPE = re.compile(r"\\([\\#])")
ESCAPED = {"\\": "\udc5c", "#": "\udc23"}  # no decoded line holds half a surrogate pair
DIRECTIVE = re.compile(r"(?:^|(?<=[\s\udc5c]))#\s*(SKIP|TODO)\S*(?:\s+(.*))?$", re.IGNORECASE)
SAYING = re.compile(r"(?:message|error|reason):\s*(?:[|>][-+]?\s*)?(.*)")
DURATION = re.compile(r"duration_ms:\s*([0-9.]{1,20})")


@dataclass
class Point:
    """One test point, and what is said of it in the lines that follow."""

    name: str
    outcome: str
    message: str = ""
    said: list[str] = field(default_factory=list)
    yaml: list[str] = field(default_factory=list)
    within: list[Case] = field(default_factory=list)

    def cases(self):
        """Its case, or those of its subtest, where they explain how it ended."""
        bad = [case for case in self.within if case.outcome == FAILED]
        if self.outcome == SKIPPED:
            cases = [
                Case(case.name, SKIPPED, case.seconds, self.message) if case in bad else case for case in self.within
            ]
            return self._named(cases) or [self._case()]
        return self._named(self.within) + (
            [self._case()] if not self.within or (self.outcome == FAILED and not bad) else []
        )

    def _named(self, cases):
        return [Case(f"{self.name} / {case.name}", case.outcome, case.seconds, case.message) for case in cases]

    def _case(self):
        told = next((found[1] for found in map(SAYING.match, self.yaml) if found and found[1]), "")
        rest = " ".join([*self.said, *self.yaml][:LINES]) if self.outcome == FAILED else ""
        return Case(self.name, self.outcome, self._seconds(), self.message or told.strip("'\"") or rest)

    def _seconds(self):
        for found in filter(None, map(DURATION.match, self.yaml)):
            try:
                seconds = float(found[1]) / 1000
            except ValueError:
                return None
            return seconds if math.isfinite(seconds) else None
        return None


@dataclass
class Document:
    """The lines of one level: the plan, the test points, and what is wrong."""

    plan: int | None = None
    skipped: str = ""
    planned_at: int = 0
    numbers: set[int] = field(default_factory=set)
    count: int = 0
    last: int = 0
    strict: bool = False
    points: list[Point] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def missing(self):
        """What is wrong with it as a whole."""
        if self.plan is None:
            return [*self.problems, "it has no plan (1..N), so it may have stopped early"]
        wrong = list(self.problems)
        if self.planned_at not in (0, self.count):
            wrong.append("its plan stands between its cases")
        if self.count != self.plan or self.numbers != set(range(1, self.count + 1)):
            wrong.append(f"its plan is 1..{self.plan}, but {self.count} cases came{self._lost()}")
        return wrong

    def _lost(self):
        lost = [*islice((n for n in range(1, self.plan + 1) if n not in self.numbers), LISTED)]
        beyond = sorted(number for number in self.numbers if not 0 < number <= self.plan)[:LISTED]
        told = [("not", lost), ("beyond it", beyond)]
        return "".join(f", {word} {' '.join(map(str, numbers))}" for word, numbers in told if numbers)


class TapReader:
    """Takes the lines of a stream. Once `finish` was called, the attributes tell what it said.

    They are the `cases`, the `problems`, and why nothing was to run (`skipped`).
    """

    def __init__(self):
        self.cases = []
        self.problems = []
        self.skipped = ""
        self._levels = [Document()]
        self._point = None  # the last one, and its level
        self._yaml_indent = None
        self._is_over = False
        self._count = 0

    def line(self, text):
        """Take the next line, without its end."""
        text = ANSI.sub("", text)
        if self._is_over or self._takes_yaml(text) or not text.strip():
            return
        bail_out = BAIL_OUT.fullmatch(text.rstrip())
        if bail_out:
            self._is_over = True
            self.problems.append(f"it gave up: {_unescaped(_marked(bail_out[1])) or 'it did not say why'}")
            return
        body = text.strip()
        indent = len(text) - len(text.lstrip(" "))
        if body.startswith("#"):
            self._comment(body[1:].strip())
        elif body == "---" and self._point and indent == 4 * self._point[1] + 2:
            self._yaml_indent = indent
        elif indent % 4 or indent // 4 > DEEPEST or not self._element(body, indent // 4):
            self._unknown(body)

    def finish(self):
        """The stream has ended: judge it as a whole."""
        whole = self._levels[0]
        if self._yaml_indent is not None:
            self.problems.append("it stopped inside of a YAML block")
        if self._is_over:
            pass
        elif whole.plan is None and not self._count:
            self.problems.append("it printed no TAP")
        else:
            if len(self._levels) > 1:
                self.problems.append("it stopped inside of a subtest")
            self.problems += whole.missing()
        self.cases = [case for level in self._levels for point in level.points for case in point.cases()]
        if whole.plan == 0 and not self.problems:
            self.skipped = whole.skipped or NOTHING

    def _takes_yaml(self, text):
        """Whether the line belongs to a YAML block."""
        indent = self._yaml_indent
        if indent is None:
            return False
        if text.strip() and not text.startswith(" " * indent):
            self._yaml_indent = None
            self.problems.append("a YAML block did not end")
            return False
        if text.strip() == "..." and text[:indent].isspace() and text[indent : indent + 3] == "...":
            self._yaml_indent = None
        elif len(self._point[0].yaml) < LINES:
            self._point[0].yaml.append(text.strip()[:1000])
        return True

    def _comment(self, text):
        if self._point and text and len(self._point[0].said) < LINES:
            self._point[0].said.append(text[:1000])

    def _unknown(self, body):
        document = self._levels[-1]
        if document.strict and len(document.problems) < LISTED:
            document.problems.append(f"it asked for strict reading, and this is no TAP: {body[:100]}")

    def _element(self, body, level):
        """Take a version, a plan, a pragma or a test point. Returns False for anything else."""
        for pattern, take in (
            (POINT, self._take_point),
            (PLAN, self._take_plan),
            (VERSION, self._take_version),
            (PRAGMA, self._take_pragma),
        ):
            found = pattern.fullmatch(body)
            if found:
                return take(found, level)
        return False

    def _opened(self, level):
        """The document of a level, new where it begins; None where a subtest is open, which only a point ends."""
        while len(self._levels) <= level:
            self._levels.append(Document())
        return self._levels[level] if len(self._levels) == level + 1 else None

    def _take_version(self, found, level):
        document = self._opened(level)
        if document and int(found[1]) not in KNOWN:
            document.problems.append(f"it is of version {found[1]} of TAP, known here are 12 to 14")
        return document is not None

    def _take_pragma(self, found, level):
        document = self._opened(level)
        if document and found[0][8:] == "strict":
            document.strict = found[0][7] == "+"
        return document is not None

    def _take_plan(self, found, level):
        document = self._opened(level)
        if document is None:
            return False
        first, last = int(found[1]), int(found[2])
        if first != 1:
            document.problems.append(f"its plan begins with {first}, not with 1")
        if document.plan is not None:
            document.problems.append("it has two plans")
        document.plan, document.planned_at = last, document.count
        document.skipped = _reason(found[3] or "")
        self._point = None
        return True

    def _take_point(self, found, level):
        while len(self._levels) <= level:
            self._levels.append(Document())
        document = self._levels[level]
        self._count += 1
        document.count += 1
        document.last = number = int(found[2]) if found[2] else document.last + 1
        if number in document.numbers:
            document.problems.append(f"case {number} came twice")
        document.numbers.add(number)
        point = _point(found, number)
        self._close(level, point)
        self._point = (point, level)
        document.points.append(point)
        if self._count > MOST:
            self._is_over = True
            self.problems.append(f"it has more than {MOST} cases, the most that a step can have: split it")
        return True

    def _close(self, level, point):
        """End the subtest that a test point stands for."""
        within = self._levels[level + 1 :]
        del self._levels[level + 1 :]
        if not within:
            return
        point.within = [case for document in within for each in document.points for case in each.cases()]
        wrong = [*within[0].missing(), *(["a subtest inside of it did not end"] if len(within) > 1 else [])]
        if within[0].plan == 0 and not wrong and point.outcome == PASSED:
            point.outcome, point.message = SKIPPED, within[0].skipped or NOTHING
        elif point.outcome == PASSED:
            self.problems += [f"subtest {point.name[:100]}: {text}" for text in wrong[:LISTED]]


def _point(found, number):
    """The test point of a line: a failed TODO counts as skipped, and so does a SKIP, however it ended."""
    text = _marked(found[3])
    directive = DIRECTIVE.search(text)
    said = text[: directive.start()] if directive else text
    name = _unescaped(said).strip()
    name = name[2:].strip() if name.startswith("- ") else "" if name == "-" else name
    outcome, message = FAILED if found[1] else PASSED, ""
    if directive and (directive[1].upper() == "SKIP" or found[1]):
        outcome, message = SKIPPED, f"{directive[1].upper()} {_unescaped(directive[2] or '')}".strip()
    return Point(name or f"case {number}", outcome, message)


def _reason(text):
    """Why nothing was to run, without the word SKIP before it."""
    return re.sub(r"^skip\S*\s*", "", _unescaped(_marked(text)), flags=re.IGNORECASE)


def _marked(text):
    """The text with what is escaped in it replaced by signs that mean nothing."""
    return ESCAPE.sub(lambda found: ESCAPED[found[1]], text)


def _unescaped(text):
    return text.replace("\udc5c", "\\").replace("\udc23", "#")
