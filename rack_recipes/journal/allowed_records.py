# SPDX-License-Identifier: GPL-3.0-or-later

"""Which records may come from elsewhere: from a host that may have been taken over, or in a pack that may be forged.

`RECORDS` is the one table of what the fields of each kind of record may hold. It asks more than `record_fields`, which
only says what a journal can be read with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import LARGEST, MEDIA_TYPE
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import KEY, MOST_MEASUREMENTS
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import LONGEST as LONGEST_SECRET
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.journal.record_fields import FIELDS
from rack_recipes.journal.step_results_and_end_status import EXIT_CODES

RUN = ""  # the host of a step that runs once for the run
SHOWN = 60  # characters of a value in a reason
DEEPEST = 120  # levels: a value of the context has 100 at most
LEAST, MOST = -(2**63), 2**63 - 1  # integers
LONGEST_TIME = 1e10  # seconds; 300 years
LONGEST_NAME = 1000  # characters; a step may be named after an item of its loop
LONGEST_REASON = 20_000  # characters; some are made of several
LONGEST_OUTPUT = 200_000  # characters of an output, which may be longer after its secrets were masked
MOST_ATTEMPTS = 1000
MOST_SECRETS = 1000  # of a stage on a host
DIGEST = re.compile(r"[0-9a-f]{64}")
PLACE = re.compile(r"artifacts/[0-9a-f]{64}")
FILE = re.compile(r"[^/\x00-\x1f\x7f]{1,1000}")
EVENT = re.compile(r"[a-z ]{1,40}")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends the records of a stage: a host, for itself or as the delegate of others.

    `steps` has the names of the steps that it runs, by the host for which it does so.
    """

    stage: int
    steps: Mapping[str, Collection[str]]


class Rule(NamedTuple):
    """What a field may hold: in words, and as a function."""

    expected: str
    holds: Callable[[Any], bool]


def refusal(record: object, sender: Sender | None = None) -> str | None:
    """Why a record is not one that `sender` may send, None where it may. Without a sender it is any record of a run.

    A run's journal may have more fields and more kinds of records than this version knows. A host has been sent the
    code that writes its records, so it may not.
    """
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return "what is no record"
    kind = record["kind"]
    table = (_OF_HOSTS if sender else _OF_JOURNALS).get(kind)
    if table is None:
        return f"a record of the kind {_shown(kind)}" if sender else None
    if reason := table.wrong(record, is_strict=sender is not None):
        return f"a {kind} record {reason}"
    return _not_its_own(record, sender) if sender else None


def _not_its_own(record: Mapping[str, Any], sender: Sender) -> str | None:
    """Why a record, each of whose fields is right, is not about what its sender runs."""
    kind, host, step = record["kind"], record["host"], record["step"]
    if record["stage"] != sender.stage:
        return f"a {kind} record of stage {record['stage']}, and this is stage {sender.stage}"
    steps = sender.steps.get(host)
    if steps is None:
        return f"a {kind} record in the name of {_shown(host)}"
    parent = record.get("parent", step)
    if not (parent in steps or (parent == step and _is_instance(step, steps))):
        return f"a {kind} record of {_shown(step)}, which is no step of this stage there"
    if parent != step and not _is_instance(step, [parent]):
        return f"a {kind} record of {_shown(step)}, which is no instance of {_shown(parent)}"
    if kind == "delta":
        return _not_its_change(record, host)
    return None


def _not_its_change(record: Mapping[str, Any], host: str) -> str | None:
    if record["scope"] == "host" and host == RUN:
        return "a delta record of a step of the run with the scope of a host"
    if record["scope"] == "run" and host != RUN and not record["who"].endswith((f"@{host}", MASKED)):
        return f"a delta record for the run that names {_shown(record['who'])} as its author"
    return None


def _is_instance(step: str, steps: Iterable[str]) -> bool:
    return step.endswith("]") and any(step.startswith(f"{name}[") for name in steps)


def _shown(value: object) -> str:
    """A value for people. Its size and depth may be anything."""
    if isinstance(value, str):
        return ascii(value) if len(value) <= SHOWN else f"{value[:SHOWN]!a}..."
    if isinstance(value, int) and not LEAST <= value <= MOST:
        return "a very large number"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)


class _Shape:
    """The fields that a JSON object may have, and those that it must have."""

    def __init__(self, fields: Mapping[str, Rule], required: Iterable[str]) -> None:
        self._fields = fields
        self._holds = {name: rule.holds for name, rule in fields.items()}
        self._required = frozenset(required)

    def wrong(self, given: Mapping[str, object], *, is_strict: bool) -> str:
        """What is wrong with the object, as the end of a sentence about it; empty where nothing is."""
        rules = self._holds
        for name, value in given.items():
            holds = rules.get(name)
            if holds is None:
                if is_strict:
                    return f"with the field {_shown(name)}"
            elif not holds(value):
                return f"whose {name} is {_shown(value)}, expected {self._fields[name].expected}"
        if not self._required <= given.keys():
            return f"without {', '.join(sorted(self._required - given.keys()))}"
        return ""


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_time(value: object) -> bool:
    """Whether a value is a time as `context_view.now` writes it, or without a fraction, and of a year that a clock has.

    A host's clock may be wrong, but what is before 1970 or long after us no computation with times can hold.
    """
    if (
        type(value) is not str
        or not "1970" <= value[:4] < "2200"
        or value[10:11] != "T"
        or value[-1:] != "Z"
        or not 20 <= len(value) <= 27
    ):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return value.isascii()


def _is_data(value: Any) -> bool:
    """Whether a value is JSON that every reader can hold: not too deep, and with numbers that are not too large."""
    if type(value) is str or value is None:
        return True
    level = [value]
    for _depth in range(DEEPEST):
        below: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                below += each.values()
            elif kind is list:
                below += each
            elif (kind is int and not LEAST <= each <= MOST) or (kind is float and not -1.8e308 < each < 1.8e308):
                return False
        if not below:
            return True
        level = below
    return False


def _text(longest: int) -> Rule:
    return Rule(f"a text of at most {longest} characters", lambda value: type(value) is str and len(value) <= longest)


def _matching(expected: str, pattern: re.Pattern[str]) -> Rule:
    return Rule(expected, lambda value: type(value) is str and pattern.fullmatch(value) is not None)


def _one_of(*words: str) -> Rule:
    known = frozenset(words)
    return Rule(f"one of {', '.join(words)}", lambda value: type(value) is str and value in known)


def _list(of: Rule, most: int) -> Rule:
    holds = of.holds
    return Rule(
        f"a list of at most {most}, each {of.expected}",
        lambda value: type(value) is list and len(value) <= most and all(map(holds, value)),
    )


def _object(expected: str, fields: Mapping[str, Rule], *required: str) -> Rule:
    """An object with these fields; other fields may stand beside them, if they are JSON that can be read."""
    shape = _Shape(fields, required)
    known = fields.keys()
    return Rule(
        expected,
        lambda value: (
            type(value) is dict
            and not shape.wrong(value, is_strict=False)
            and (value.keys() <= known or _is_data({name: value[name] for name in value.keys() - known}))
        ),
    )


def _or_nothing(rule: Rule) -> Rule:
    return Rule(f"{rule.expected}, or null", lambda value: value is None or rule.holds(value))


VALUE_FIELDS = ("key", "scope", "value", "shown")  # of a value that is written masked
MANY = 10**7  # entries: as many as a file may hold
DATA = Rule(f"JSON of at most {DEEPEST} levels, with integers of 64 bits", _is_data)
DATA_OBJECT = Rule("an object", lambda value: type(value) is dict and _is_data(value))
TEXT = Rule("a text", lambda value: type(value) is str)
NAME = _text(LONGEST_NAME)
REASON = _text(LONGEST_REASON)
SECRET = _text(LONGEST_SECRET)
OUTPUT = _text(LONGEST_OUTPUT)
WORDS = _list(TEXT, MANY)
COUNT = Rule("an integer of at least 0", _is_count)
INTEGER = Rule("an integer of 64 bits", lambda value: type(value) is int and LEAST <= value <= MOST)
# NaN is in no range.
NUMBER = Rule("a number", lambda value: type(value) in (float, int) and -1e308 <= value <= 1e308)
SECONDS = Rule("a number of seconds", lambda value: type(value) in (float, int) and 0 <= value <= LONGEST_TIME)
NUMBERED = Rule("a number from 1 on", lambda value: type(value) is int and 0 < value < 2**24)
FLAG = Rule("true", lambda value: value is True)
TRUTH = Rule("true or false", lambda value: type(value) is bool)
MOMENT = Rule("a time in UTC from 1970 to 2199", _is_time)
VERDICT = _one_of(*VERDICTS)
SCOPE, PLANNED_SCOPE = _one_of("host", "run"), _one_of("host", "run", "pair", "group")
CONTEXT_KEY = _matching("a key of the context", KEY)
SHA256 = _matching("a SHA-256", DIGEST)
SIZE = Rule(f"a size of at most {LARGEST} bytes", lambda value: type(value) is int and 0 <= value <= LARGEST)
FINDING = _object(
    "a finding",
    {
        "title": TEXT,
        "grade": TEXT,
        "results": _list(_list(TEXT, 3), MANY),
        "figures": DATA_OBJECT,
        "advice": TEXT,
        "method": TEXT,
        "suggestion": TRUTH,
    },
    "title", "grade", "results",
)  # fmt: skip
MEASUREMENT = _object(
    "a measurement",
    {
        "name": TEXT,
        "value": DATA,
        "unit": TEXT,
        "limits": DATA_OBJECT,
        "distance": _or_nothing(NUMBER),
        "verdict": VERDICT,
    },
    "name", "value",
)  # fmt: skip
ATTEMPT = _object(
    "an attempt",
    {
        "verdict": VERDICT,
        "reason": REASON,
        "started": MOMENT,
        "stdout": OUTPUT,
        "stderr": OUTPUT,
        "group": _object("figures of a group", {}),
        "findings": _list(FINDING, MANY),
        "waiting": TRUTH,
        **dict.fromkeys(("seconds", "user_sec", "system_sec"), SECONDS),
        **dict.fromkeys(("exit_code", "signal", "max_rss_kib", "in_blocks", "out_blocks"), INTEGER),
        **dict.fromkeys(("voluntary_switches", "involuntary_switches", "try", "round"), COUNT),
    },
    "verdict",
)  # fmt: skip
HOOK = _object("a hook", {"hook": TEXT, "when": TEXT, "verdict": VERDICT, "reason": REASON}, "hook", "verdict")
WAIVED = _object("a waiver's use", {"verdict": VERDICT, "reason": REASON, "by": WORDS}, "verdict", "by")
ROUNDS = _object("counts of rounds", {"count": COUNT, "passed": COUNT}, "count", "passed")
PLANNED_STEP = _object(
    "a planned step",
    {
        "name": NAME,
        "stage": COUNT,
        "idx": COUNT,
        "scope": PLANNED_SCOPE,
        "hosts": WORDS,
        "members": WORDS,
        "cache_key": TEXT,
        "optional": TRUTH,
    },
    "name",
)  # fmt: skip
COUNTS = Rule("counts", lambda value: type(value) is dict and all(map(_is_count, value.values())))
ARTIFACT_PIECE = _object(
    "a piece of an artifact",
    {"kind": _one_of("piece"), "sha256": SHA256, "offset": COUNT, "data": TEXT, "problem": REASON},
    "kind", "sha256", "offset",
)  # fmt: skip
_SECRET = _object("", {"secret": SECRET, "host": NAME}, "secret")
_VALUE = _object("", {"key": CONTEXT_KEY, "scope": SCOPE, "value": DATA, "shown": DATA, "host": NAME}, *VALUE_FIELDS)
SECRET_ENTRY = Rule(
    f"a text of at most {LONGEST_SECRET} characters, or a value of a key",
    lambda value: _SECRET.holds(value) or _VALUE.holds(value),
)
GROUP = _object("a group", {"id": NAME, "part": NAME, "info": DATA_OBJECT}, "id")
MERGE_RULE = _object("a merge policy", {"keys": TEXT, "policy": TEXT, "digest": TEXT}, "keys", "policy")


# What the fields of each kind of record hold, where a record has them.
_HEAD = {"kind": TEXT, "stage": COUNT, "n": COUNT, "host": NAME, "step": NAME, "attempt": COUNT, "time": MOMENT}
_CHANGE = {**_HEAD, "scope": SCOPE, "key": CONTEXT_KEY, "after": DATA, "based_on": COUNT, "who": NAME}
RECORDS: Mapping[str, Mapping[str, Rule]] = {
    "run": {
        "kind": TEXT,
        "run": NAME,
        "time": MOMENT,
        "recipe": _object(
            "a recipe", dict.fromkeys(("path", "digest", "test_id", "tester", "description"), _or_nothing(TEXT))
        ),
        "hosts": WORDS,
        "inventory": WORDS,
        "steps": _list(PLANNED_STEP, MANY),
        "canary": WORDS,
        "resumes": NAME,
        "group": GROUP,
        "controller": TEXT,
        "user": TEXT,
        "merge": _list(MERGE_RULE, MANY),
        **dict.fromkeys(("params", "labels", "attributes", "options", "waivers", "versions"), DATA_OBJECT),
    },
    "delta": {**_CHANGE, "exact": TRUTH, "unless_changed": TRUTH},
    "merge": {**_CHANGE, "theirs": DATA},
    "step": {
        **_HEAD,
        "verdict": VERDICT,
        "reason": REASON,
        "started": MOMENT,
        "seconds": SECONDS,
        "attempts": _list(ATTEMPT, MANY),
        "measurements": _list(MEASUREMENT, MANY),
        "checks": COUNT,
        "blocks": TRUTH,
        "flake": TRUTH,
        "rounds": ROUNDS,
        "hooks": _list(HOOK, MANY),
        "secrets": COUNT,
        "inputs": NAME,
        "from": NAME,
        "instances": COUNT,
        "parent": NAME,
        "tags": WORDS,
        "waived": WAIVED,
        "final": TRUTH,
        "through": NAME,
        "members": WORDS,
        "phase": NAME,
    },
    "artifact": {
        **_HEAD,
        "name": _matching("the name of a file", FILE),
        "sha256": SHA256,
        "size": SIZE,
        "media_type": _matching("a media type", MEDIA_TYPE),
        "who": NAME,
        "masked": TRUTH,
    },
    "log": {**_HEAD, "event": _matching("a word", EVENT), "text": TEXT},
    "transfer": {
        **_HEAD,
        "sha256": SHA256,
        "path": _or_nothing(_matching("the place of an artifact", PLACE)),
        "note": TEXT,
    },
    "clock": {**_HEAD, "offset": NUMBER},
    "warning": {"kind": TEXT, "time": MOMENT, "text": TEXT, "stopped_by": TEXT},
    "end": {
        "kind": TEXT,
        "time": MOMENT,
        "status": _one_of(*EXIT_CODES),
        "exit_code": COUNT,
        "counts": COUNTS,
        "stopped": DATA_OBJECT,
    },
}
# What hosts send: these kinds, without the fields that only the controller writes, and always with some.
NOT_OF_HOSTS = frozenset(("final", "through", "members", "phase", "exact", "unless_changed"))
OF_HOSTS: Mapping[str, tuple[str, ...]] = {
    "delta": (),
    "step": ("reason", "started", "seconds", "attempts", "measurements"),
    "artifact": ("media_type", "who"),
    "log": ("stage", "n", "host", "step", "attempt", "time", "event", "text"),
}
LIMITED: Mapping[str, Rule] = {  # in what hosts send
    "after": DATA,
    "n": NUMBERED,
    "attempts": _list(ATTEMPT, MOST_ATTEMPTS),
    "measurements": _list(MEASUREMENT, MOST_MEASUREMENTS),
    "hooks": _list(HOOK, MOST_ATTEMPTS),
}


def _of_host(kind: str, always: Iterable[str]) -> _Shape:
    fields = {name: rule for name, rule in RECORDS[kind].items() if name not in NOT_OF_HOSTS}
    limited = {name: rule for name, rule in LIMITED.items() if name in fields}
    return _Shape({**fields, **limited}, [*FIELDS.get(kind, ()), *always])


_OF_JOURNALS = {kind: _Shape(fields, FIELDS.get(kind, ())) for kind, fields in RECORDS.items()}
_OF_HOSTS = {kind: _of_host(kind, always) for kind, always in OF_HOSTS.items()}
