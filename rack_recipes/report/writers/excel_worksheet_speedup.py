# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sheet of XlsxWriter that does not search words of conditional formats for the names of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet


def quick_sheet() -> type[Worksheet]:
    """The class of such sheets, for XlsxWriter's `add_worksheet`."""
    from xlsxwriter.worksheet import Worksheet

    class Sheet(Worksheet):  # type: ignore[misc]
        """XlsxWriter puts each formula through 150 regular expressions, half of the work of a small workbook.

        A text between quotes without a bracket calls no function, so none of them can match. Should XlsxWriter rename
        the method, this one is not called, and the file stays the same.
        """

        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:  # noqa: FBT002 (theirs)
            if formula.startswith('"') and "(" not in formula and "}" not in formula:
                return formula
            prepared: str = super()._prepare_formula(formula, expand_future_functions)
            return prepared

    return Sheet
