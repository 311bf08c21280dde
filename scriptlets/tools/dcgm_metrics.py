# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a DCGM exporter says of each GPU.

Names of metrics are those of the DCGM API reference ("Field Identifiers"), which NVIDIA's dcgm-exporter gives
(https://github.com/NVIDIA/dcgm-exporter, etc/default-counters.csv).
"""

from __future__ import annotations

import math

from scriptlets.tools.http_api import service
from scriptlets.tools.prometheus_text import samples

# dcgm_fields.h: DCGM_INT64_BLANK and what follows it mean "no value", "not found", "not supported", "not permitted";
# likewise for 32 bits and for floating point. Exporters before 3.0 hand them on as if they were values.
BLANK_INT64, BLANK_INT32, BLANK_FP64 = 0x7FFFFFFFFFFFFFF0, 0x7FFFFFF0, 140737488355328.0
BLANKS = 4  # kinds of "no value" of each type


def read_exporter(params):
    """The metrics of each GPU by its number: {0: {"DCGM_FI_DEV_XID_ERRORS": 0.0, ...}, ...}; blanks are None.

    Raises ValueError where the exporter cannot be read.
    """
    with service(params) as api:
        return by_gpu(api.get_text("/metrics"))


def by_gpu(text):
    """The metrics of each GPU in an exporter's text. Of several samples, as of MIG instances, the largest counts."""
    found = {}
    for name, labels, value in samples(text):
        gpu = labels.get("gpu", "")
        if name.startswith("DCGM_FI_") and gpu.isdigit():
            metrics = found.setdefault(int(gpu), {})
            metrics[name] = _larger(metrics.get(name), None if is_blank(value) else value)
    return found


def is_blank(value):
    """Whether a value is one of DCGM's signs that there is none."""
    starts = (float(BLANK_INT64), float(BLANK_INT32), BLANK_FP64)
    return math.isnan(value) or any(start <= value < start + BLANKS for start in starts[1:]) or value >= starts[0]


def _larger(before, value):
    known = [each for each in (before, value) if each is not None]
    return max(known) if known else None


def few(numbers):
    """Numbers of GPUs in words: `GPU 1` or `GPUs 1, 3`."""
    return f"GPU{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"
