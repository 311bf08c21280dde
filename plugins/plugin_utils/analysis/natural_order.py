# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which people read names with numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence


def natural(text: str) -> tuple[Sequence[str | int], str]:
    """A sort key by which r2 comes before r10."""
    parts = re.split(r"([0-9]{1,18})", text)
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], text
