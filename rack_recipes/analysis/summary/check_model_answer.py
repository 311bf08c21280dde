# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check what a language model has written, and fill in its slots.

A sentence has to cite facts, and may have no number of its own: numbers come from slots. This keeps numbers true. It
cannot keep a sentence true: a negation, or two roles that are swapped, pass. So a sentence is only ever a suggestion.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rack_recipes.analysis.findings import ResultId
from rack_recipes.analysis.summary.facts import Fact

MOST_SENTENCES = 6
LONGEST = 300  # characters
MOST_IDS = 20
MOST_RESULTS = 100  # that one sentence names

SLOT = re.compile(r"\{([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)\}")
FENCED = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
TYPED = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', **dict.fromkeys("\u2010\u2011\u2013\u2014", "-")}
)
PLAIN = re.compile(r"[A-Za-z ,;:.'\"()!?_-]*")
INSIDE = re.compile(r"[.:][^\s.'\")]")  # as in an address
# What stands beside a slot may not change what is read there: a digit, a sign, a decimal point, another number.
BESIDE = re.compile(r"""(?<![ ("'])(?<!^)\{|\}(?![ ,.;:)'"!?]|$)|\}['"]*\s*['"(]*\{""")
NUMBER = re.compile(
    r"(?:zero|nil|nought|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)"
    r"teen|(?:twen|thir|fou?r|fif|six|seven|eigh|nine)t(?:y|ie)|hundred|thousand|million|billion|trillion|dozen|score|half"
    r"|halves|quarter|third|four|fif|nin|first|second|once|twice|thrice|doubled?|tripled?|quadruple|halved|single|pair"
    r"|couple|minus|plus|negative)(?:s|fold|th|ths|ish)?"
)
ROMAN = re.compile(r"(?=[MDCLXVI])M{0,4}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
WORD = re.compile(r"[A-Za-z]+")
UNITS = (
    r"(?:[kKMGT]i?(?:bit|b|B)(?:ps|/s)?|bytes?|bits?|[kMG]?Hz|[kM]?W|watts?|volts?|amps?|[mnu]?s|secs?|seconds?|minutes?"
    r"|hours?|days?|weeks?|degrees?|celsius|percent(?:age)?|per|rpm|[kKMGT]?bps|times|points?)"
)
OWN_UNIT = re.compile(rf"\}}\s+{UNITS}\b")


class NoAnswer(Exception):
    """What came back is not an answer. The text says why, for people."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that may be shown, with the results that it cites and the values in it."""

    text: str
    results: tuple[ResultId, ...]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """The sentences that may be shown, and how many were struck for each reason."""

    sentences: tuple[Sentence, ...]
    struck: Mapping[str, int]


def check(content: str, facts: Sequence[Fact]) -> Checked:
    """Check an answer sentence by sentence. Raises NoAnswer where it has not the form that was asked for."""
    known = {fact.id: fact for fact in facts}
    kept: list[Sentence] = []
    struck: Counter[str] = Counter()
    for written in _written(content):
        reason = _problem(written, known) or ("is one too many" if len(kept) == MOST_SENTENCES else "")
        if reason:
            struck[reason] += 1
        else:
            kept.append(_sentence(written, known))
    return Checked(tuple(kept), struck)


def _written(content: str) -> list[Any]:
    """The sentences of an answer, unchecked."""
    text = content.strip()
    fenced = FENCED.fullmatch(text)
    try:
        found = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        raise NoAnswer("its answer is not the JSON that was asked for") from None
    sentences = found.get("sentences") if isinstance(found, dict) else None
    if not isinstance(sentences, list) or not sentences:
        raise NoAnswer("its answer has no sentences")
    return sentences


def _problem(written: Any, known: Mapping[str, Fact]) -> str:
    """Why a sentence is struck; empty where it may stay."""
    if not isinstance(written, dict) or not isinstance(written.get("text"), str) or not written["text"].strip():
        return "is no text"
    if len(written["text"]) > LONGEST:
        return "is too long"
    ids = written.get("ids")
    if not isinstance(ids, list) or not ids:
        return "cites nothing"
    if len(ids) > MOST_IDS or not all(isinstance(name, str) and name in known for name in ids):
        return "cites what is not there"
    if not any(known[name].results for name in ids):
        return "cites no result"
    text = _plain(written["text"])
    return _slot_problem(text, {name: known[name] for name in ids}) or _text_problem(text)


def _plain(text: str) -> str:
    """The text with the usual form of each character: full-width digits become digits, ligatures become letters."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(TYPED).split())


def _slot_problem(text: str, cited: Mapping[str, Fact]) -> str:
    for name, slot in SLOT.findall(text):
        if name not in cited or slot not in cited[name].slots:
            return "has a slot that no cited fact has"
    if BESIDE.search(text):
        return "changes what stands in a slot"
    return "has a unit of its own" if OWN_UNIT.search(text) else ""


def _text_problem(text: str) -> str:
    own = SLOT.sub("", text)
    return next((reason for reason, is_wrong in WRONG.items() if is_wrong(own)), "")


def _has_number(own: str) -> bool:
    return any(character.isnumeric() for character in own) or any(map(_is_number, WORD.findall(own)))


def _is_number(word: str) -> bool:
    is_roman = ROMAN.fullmatch(word.upper()) and (word.isupper() or len(word) > 1)
    return bool(is_roman or NUMBER.fullmatch(word.lower()))


WRONG: Mapping[str, Callable[[str], bool]] = {
    "has a number of its own": _has_number,
    "has signs that no plain sentence has": lambda own: not PLAIN.fullmatch(own),
    "has an address": lambda own: bool(INSIDE.search(own)) or "www" in own.lower(),
}


def _sentence(written: Mapping[str, Any], known: Mapping[str, Fact]) -> Sentence:
    text, ids = _plain(written["text"]), [*dict.fromkeys(written["ids"])]
    slots = {f"{name}.{slot}": known[name].slots[slot] for name, slot in SLOT.findall(text)}
    filled = SLOT.sub(lambda found: slots[f"{found[1]}.{found[2]}"].text, text)
    results = dict.fromkeys(result for name in ids for result in known[name].results)
    return Sentence(filled, tuple(results)[:MOST_RESULTS], {name: slot.value for name, slot in slots.items()})
