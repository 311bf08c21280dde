# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the file with the waivers of a project, reports all that is wrong with it, and adds a waiver to it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.values_in_messages import listed, shown
from rack_recipes.recipe.waivers import USUAL, WAIVABLE, Waiver, WaiverFile
from rack_recipes.recipe.yaml.files_beside_recipes import (
    Check,
    Problem,
    entries,
    placed,
    read_file,
    refuse,
    unknown,
    words,
)
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.settings import Settings, config_file
from rack_recipes.yaml_suffixes import either

USUAL_NAME = "waivers.yml"  # beside ansible.cfg; .yaml will do as well
EXPECTED = "a mapping with waivers"
EXAMPLE = "{step: link_errors, reason: RMA 1234, who: alice, until: 2026-12-31}"
REQUIRED = ("step", "reason", "who")
ALL_HOSTS = "all"
LONGEST = 200  # characters of a text
MOST_PASSES = 1000
SYNONYMS = {"ticket": "reason", "why": "reason", "owner": "who", "author": "who", "by": "who", "expires": "until"}


def waivers_of(settings: Settings) -> WaiverFile:
    """The waivers that the settings name, or those beside ansible.cfg. Raises UsageError with all that is wrong."""
    path = waivers_path(settings)
    return read_waivers(str(path)) if settings.waivers or path.is_file() else WaiverFile()


def waivers_path(settings: Settings) -> Path:
    """The file that the settings name, or the one beside ansible.cfg, which may be missing. Raises UsageError."""
    if settings.waivers:
        return Path(settings.waivers)
    config = config_file()
    return either((config.parent if config else Path()) / USUAL_NAME)


def entry_errors(entry: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with an entry that is to be added, by the name of its field: `until` where no end is given.

    In a file an entry without hosts is for all of them; whoever adds one has to say so.
    """
    errors: dict[str, str] = {}
    for path, expected, got, _near in _entry_problems(dict(entry), ()):
        name = str(path[0]) if path else next((one for one in REQUIRED if one not in entry), "until")
        errors.setdefault(name, f"expected {expected}, got {got}")
    today = datetime.now(UTC).date()
    if "until" in entry and not errors and date.fromisoformat(entry["until"]) < today:
        errors["until"] = f"expected a date from {today} on, since the waiver would be over, got {entry['until']!r}"
    if "hosts" not in entry:
        errors["hosts"] = f"expected hosts, such as leaf3 or leaf*, or {ALL_HOSTS} for all of them, got none"
    return errors


def read_waivers(path: str) -> WaiverFile:
    """The waivers in a file. Raises UsageError with all that is wrong with it, each problem with its place."""
    document, digest = read_file(path, EXPECTED)
    refuse(placed(document, entries(document, "waivers", "waivers", _entry_problems, may_be_empty=True)))
    found = tuple(_waiver(document, number, entry) for number, entry in enumerate(document.data["waivers"] or ()))
    _check_each_once(path, found)
    return WaiverFile(path, digest, found)


def _waiver(document: Document, number: int, data: Mapping[str, Any]) -> Waiver:
    texts = {
        name: data[name].strip()
        for name in ("step", "reason", "who", "test_id", "recipe", "measurement")
        if name in data
    }
    hosts = data.get("hosts", ())
    return Waiver(
        **texts,
        until=date.fromisoformat(data["until"]) if "until" in data else None,
        passes=data.get("passes", 0),
        hosts=(hosts,) if isinstance(hosts, str) else tuple(hosts),
        verdicts=tuple(data.get("verdicts", USUAL)),
        attributes=dict(data.get("attributes", {})),
        line=document.places["waivers", number].line,
    )


def _check_each_once(path: str, waivers: tuple[Waiver, ...]) -> None:
    first: dict[str, Waiver] = {}
    for waiver in waivers:
        same = first.setdefault(waiver.id, waiver)
        if same is not waiver:
            raise UsageError(f"{path}:{waiver.line}: expected each waiver once, got that of line {same.line} again")


def _entry_problems(entry: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(entry, dict):
        yield path, f"a waiver, such as {EXAMPLE}", shown(entry), ""
        return
    yield from unknown(entry, CHECKS, path, lambda name: SYNONYMS.get(name, ""))
    for name in entry.keys() & CHECKS.keys():
        yield from CHECKS[name](entry[name], (*path, name))
    missing = [name for name in REQUIRED if name not in entry]
    if missing:
        yield path, f"{listed(missing)} in a waiver", "none", ""
    if not entry.keys() & {"until", "passes"}:
        yield (
            path,
            "until (a date) or passes (how many in a row end it), since a waiver has an end",
            "neither",
            "",
        )


def _text(value: object, path: ValuePath) -> Iterator[Problem]:
    is_line = isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= LONGEST
    if not is_line:
        yield path, f"one line of text, at most {LONGEST} characters", shown(value), ""


def _texts(value: object, path: ValuePath) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from _text(value, path)
    elif not isinstance(value, list) or not value:
        yield path, "a pattern of hosts, or a list of them", shown(value), ""
    else:
        for number, item in enumerate(value):
            yield from _text(item, (*path, number))


def _patterns(value: object, path: ValuePath) -> Iterator[Problem]:
    """Ansible would fail on a broken pattern in the middle of each run."""
    yield from _texts(value, path)
    for item in [value] if isinstance(value, str) else value if isinstance(value, list) else ():
        if isinstance(item, str) and not _is_pattern(item.strip()):
            yield path, "a pattern of hosts: names, groups, or a regular expression behind ~", shown(item), ""


def _is_pattern(text: str) -> bool:
    if not text.startswith("~"):
        return not text.startswith("@") and "{{" not in text and text.count("[") == text.count("]")
    try:
        re.compile(text[1:])
    except re.error:
        return False
    return True


def _attributes(value: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(value, dict) or not value:
        yield path, "a mapping of attributes of hosts, such as {nic_model: CX-6}", shown(value), ""
        return
    for name, item in value.items():
        if not isinstance(item, str | int | float):
            yield (*path, name), "text, a number, true or false", shown(item), ""


def _verdicts(value: object, path: ValuePath) -> Iterator[Problem]:
    return words(value, path, WAIVABLE)


def _date(value: object, path: ValuePath) -> Iterator[Problem]:
    try:
        is_date = isinstance(value, str) and str(date.fromisoformat(value)) == value
    except ValueError:
        is_date = False
    if not is_date:
        yield path, "a date such as 2026-12-31", shown(value), ""


def _passes(value: object, path: ValuePath) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PASSES:
        yield path, f"a whole number from 1 to {MOST_PASSES}", shown(value), ""


CHECKS: Mapping[str, Check] = {
    "test_id": _text,
    "recipe": _text,
    "step": _text,
    "hosts": _patterns,
    "attributes": _attributes,
    "measurement": _text,
    "verdicts": _verdicts,
    "reason": _text,
    "who": _text,
    "until": _date,
    "passes": _passes,
}
EMPTY = "waivers:\n"
ENTRY = re.compile(r"^waivers:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)  # with its indentation
INDENTATION = "  "


def as_line(entry: Mapping[str, object], indentation: str = INDENTATION) -> str:
    """An entry as a line of YAML, to stand under `waivers:`."""
    fields = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items())
    return f"{indentation}- {{{fields}}}\n"


def add_waiver(path: Path, entry: Mapping[str, object]) -> Waiver:
    """Add an entry at the end of the file, which is made where there is none; returns it as it is read again.

    One for all hosts has none in the file: then it is for a step that runs once for the run, too.

    Raises UsageError for a file that is wrong or cannot be written, and for an entry that is wrong or there already.
    """
    real = path.resolve()
    if entry.get("hosts") == [ALL_HOSTS]:
        entry = {name: value for name, value in entry.items() if name != "hosts"}
    try:
        with _alone(real.parent):
            return _added(path, real, entry)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder, so that no two entries are added at the same moment."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _added(path: Path, real: Path, entry: Mapping[str, object]) -> Waiver:
    is_there = real.exists()
    before = read_waivers(str(path)).waivers if is_there else ()
    text = real.read_text(encoding="utf-8") if is_there else EMPTY
    found = ENTRY.search(text)
    line = as_line(entry, found[1] if found else INDENTATION)
    made = real.with_name(f".{real.name}.new")
    try:
        made.write_text(f"{text}{'' if text.endswith(chr(10)) else chr(10)}{line}", encoding="utf-8")
        after = _read(made, path, line)
        if after[:-1] != before:
            raise UsageError(_by_hand(path, line))
        if is_there:
            shutil.copymode(real, made)
        made.replace(real)
    finally:
        made.unlink(missing_ok=True)
    return after[-1]


def _read(made: Path, path: Path, line: str) -> tuple[Waiver, ...]:
    """The waivers of the new file; errors are about the file that it becomes."""
    try:
        return read_waivers(str(made)).waivers
    except UsageError as error:
        text = str(error).replace(str(made), str(path))
        raise UsageError(text if "expected each waiver once" in text else _by_hand(path, line)) from None


def _by_hand(path: Path, line: str) -> str:
    return f"{path}: its list is not one to whose end a line can be added; put this into it yourself: {line.strip()}"
