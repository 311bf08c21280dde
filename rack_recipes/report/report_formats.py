# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of report formats: a format is a row here and a file in `writers/`."""

from __future__ import annotations

WRITERS = {
    "html": "html",
    "xlsx": "excel",
    "csv": "csv",
    "md": "markdown",
    "md-full": "markdown_full",
    "json": "json",
    "junit": "junit",
    "ocp": "ocp",
    "pdf": "pdf",
}
"""For each format the module in `writers/` whose function `write` makes its files."""

FORMATS = tuple(WRITERS)
DEFAULT_FORMATS = ("html", "xlsx", "csv", "md")
"""The formats of a report for which nobody names any."""
