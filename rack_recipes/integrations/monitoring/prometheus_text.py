# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics as the text that Prometheus reads.

The format is "Text-based format", version 0.0.4, of
https://prometheus.io/docs/instrumenting/exposition_formats/. All metrics here are gauges: what a store holds may also
become less.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from rack_recipes.errors import UsageError

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOR_ALL = 0o644  # node_exporter is another user
_IN_LABELS = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_IN_HELP = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One number, and the labels that tell it from the others of its metric."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name with its unit, what it means, and its samples."""

    name: str
    meaning: str
    samples: Sequence[Sample]


def as_text(metrics: Sequence[Metric]) -> str:
    """The text that Prometheus reads; metrics without samples are left out."""
    return "".join(line for metric in metrics if metric.samples for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.meaning.translate(_IN_HELP)}\n"
    yield f"# TYPE {metric.name} gauge\n"
    for sample in metric.samples:
        labels = ",".join(f'{name}="{value.translate(_IN_LABELS)}"' for name, value in sample.labels.items())
        yield f"{metric.name}{f'{{{labels}}}' if labels else ''} {sample.value!r}\n"


def write_textfile(path: Path, text: str) -> None:
    """Put a text into a file for node_exporter, which never sees a half of it. Raises UsageError.

    The draft lies beside the file. Its name has another ending than `.prom`, so that it is not read.
    """
    draft = None
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            draft = Path(file.name)
            file.write(text)
            os.fchmod(file.fileno(), FOR_ALL)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
