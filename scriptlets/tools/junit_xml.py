# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cases in a file of JUnit XML, as pytest (`--junitxml`) and Robot Framework (`--xunit`) write it.

The elements are those of https://github.com/testmoapp/junitxml; there is no standard.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from scriptlets.tools.suite_cases import ERROR, FAILED, MOST, PASSED, SKIPPED, Case

OUTCOMES = {"failure": FAILED, "error": ERROR, "skipped": SKIPPED}
DOCTYPE = (b"<!doctype", "<!doctype".encode("utf-16-le"), "<!doctype".encode("utf-16-be"))
START = 4096  # bytes in which a document type would stand


def cases_of(path):
    """The cases of a file. Raises ValueError where it is not there, broken, or no JUnit XML."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path of the suite's own
            if any(word in file.read(START).lower() for word in DOCTYPE):
                raise ValueError("it has a document type, which no JUnit XML has")
            file.seek(0)
            return list(_cases(file))
    except FileNotFoundError:
        raise ValueError("it wrote no results: see the log of this step for why") from None
    except ET.ParseError as error:
        raise ValueError(f"its results are no whole XML: {error}: see the log of this step") from None


def _cases(file):
    count = 0
    for _event, element in ET.iterparse(file):  # noqa: S314 - see above
        if element.tag == "testcase":
            count += 1
            if count > MOST:
                raise ValueError(f"it has more than {MOST} cases, the most that a step can have: split the suite")
            yield _case(element)
            element.clear()


def _case(element):
    suite, name = element.get("classname") or "", element.get("name") or ""
    if not name:  # pytest was interrupted in the middle of it, and would otherwise seem to say that it passed
        return Case(suite, ERROR, None, "it began, and did not end")
    found = [part for part in element if part.tag in OUTCOMES]
    part = min(found, key=lambda each: list(OUTCOMES).index(each.tag), default=None)
    outcome = PASSED if part is None else OUTCOMES[part.tag]
    message = "" if part is None else _message(part)
    label = f"{suite}::{name}" if suite else name
    return Case(label, outcome, _seconds(element.get("time")), message, tuple(_values(element)))


def _message(part):
    """What is said of an outcome. Where pytest could not load a file, only the text below says why."""
    message, text = part.get("message") or "", part.text or ""
    if not message or message == "collection failure":
        errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
        return errors[-1] if errors else message or text.strip()
    return message


def _seconds(text):
    number = _number(text)
    return number if isinstance(number, float) and number >= 0 else None


def _values(element):
    """What a case has recorded as properties; a text that is a number is one."""
    for given in element.iterfind("properties/property"):
        name, text = given.get("name"), given.get("value") or given.text or ""
        number = _number(text)
        if name:
            yield name[:200], text[:400] if number is None else number, ""


def _number(text):
    """The finite number that a text is; None for any other text."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
