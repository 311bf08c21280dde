# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the text in which exporters give their metrics.

The format is described at https://prometheus.io/docs/instrumenting/exposition_formats/ (text-based format 0.0.4).
"""

from __future__ import annotations

import re

LINE = re.compile(r"\s*([A-Za-z_:][A-Za-z0-9_:]*)\s*(\{.*\})?\s+(\S+)(?:\s+-?\d+)?\s*$")
LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:\\.|[^"\\])*)"\s*(?:,|$)')
ESCAPE = re.compile(r'\\(\\|"|n)')


def samples(text):
    """The samples as (name, labels, value). Raises ValueError, with the line's number, for what is no sample."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found.append(_sample(number, line))
    return found


def _sample(number, line):
    match = LINE.match(line)
    if not match:
        raise ValueError(f"line {number} of the metrics is no sample: {line.strip()[:80]!r}")
    name, labels, value = match.groups()
    try:
        return name, _labels(labels[1:-1]) if labels else {}, float(value)
    except ValueError:
        raise ValueError(f"line {number} of the metrics is no sample: {line.strip()[:80]!r}") from None


def _labels(text):
    """The labels between the braces. Raises ValueError where they are malformed."""
    found, at = {}, 0
    while text[at:].strip():
        match = LABEL.match(text, at)
        if not match:
            raise ValueError(text)
        found[match[1]] = ESCAPE.sub(lambda escaped: "\n" if escaped[1] == "n" else escaped[1], match[2])
        at = match.end()
    return found
