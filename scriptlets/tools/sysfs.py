# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read files of sysfs."""

from __future__ import annotations


def text_of(path):
    """What a file says; None where it is not there, or the kernel answers with an error, as for a port's carrier."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None
