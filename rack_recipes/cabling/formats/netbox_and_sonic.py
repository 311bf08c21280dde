# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cables in CSV files: NetBox's import form, the export of its table of cables, the link files of sonic-mgmt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rack_recipes.cabling.build_plan import Draft
from rack_recipes.cabling.formats.csv_with_positions import CsvRow, headings, rows
from rack_recipes.cabling.plan_model import Cable, End, Position
from rack_recipes.recipe.yaml.values_in_messages import closest, listed

INTERFACES = ("dcim.interface", "interface", "")
CONNECTED = ("connected", "")


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings of a format in small letters; those of `a` and `b` are device and port.

    `joined` says that several ports at one end stand in one cell, with commas between them.
    """

    a: tuple[str, str]
    b: tuple[str, str]
    types: tuple[str, ...] = ()
    racks: tuple[str, ...] = ()
    joined: bool = False
    label: str = "label"
    status: str = "status"

    @property
    def needed(self) -> tuple[str, ...]:
        """The headings without which there are no cables."""
        return (*self.a, *self.b)


IMPORT_FORM = Columns(
    ("side_a_device", "side_a_name"), ("side_b_device", "side_b_name"), types=("side_a_type", "side_b_type")
)
"""NetBox's form (netbox/dcim/forms/bulk_import.py, CableImportForm)."""

TABLE = Columns(("device a", "termination a"), ("device b", "termination b"), racks=("rack a", "rack b"), joined=True)
"""NetBox's table (netbox/dcim/tables/cables.py, CableTable) as it is exported."""

SONIC = Columns(("startdevice", "startport"), ("enddevice", "endport"))
"""sonic-mgmt's ansible/files/*_links.csv (docs/testbed/README.testbed.Config.md)."""

SONIC_DEVICES = ("hostname", "hwsku")


def read_import_form(text: str, name: str) -> Draft:
    """The cables in NetBox's import form."""
    return _read(text, name, IMPORT_FORM)


def read_table(text: str, name: str) -> Draft:
    """The cables in an export of NetBox's table, with the racks of the devices."""
    return _read(text, name, TABLE)


def read_sonic_links(text: str, name: str) -> Draft:
    """The cables in a link file of sonic-mgmt."""
    return _read(text, name, SONIC)


def read_sonic_devices(text: str, name: str) -> Draft:
    """The names in a device file of sonic-mgmt."""
    draft = Draft(listed_in=[name])
    for row in rows(text, name):
        if row["hostname"]:
            draft.devices.setdefault(row["hostname"], row.place("hostname"))
    return draft


def _read(text: str, name: str, columns: Columns) -> Draft:
    draft = Draft()
    known = headings(text)
    for missing in (title for title in columns.needed if title not in known):
        draft.wrong(f"{name}:1:1", f"the column {missing}", listed(known, len(known)), closest(missing, tuple(known)))
    if draft.problems:
        return draft
    for row in rows(text, name):
        if reason := _is_left_out(row, columns):
            draft.left_out[reason] += 1
        else:
            _add(draft, row, columns)
    return draft


def _is_left_out(row: CsvRow, columns: Columns) -> str:
    """Why a row is no cable between two ports of a network; empty where it is one."""
    other = next((row[title] for title in columns.types if row[title].casefold() not in INTERFACES), "")
    if other:
        return f"ends at {other}"
    if row[columns.status].casefold() not in CONNECTED:
        return f"status {row[columns.status]}"
    several = columns.joined and any("," in row[title] for title in columns.needed)
    return "several ports at one end" if several else ""


def _add(draft: Draft, row: CsvRow, columns: Columns) -> None:
    empty = [title for title in columns.needed if not row[title]]
    for title in empty:
        draft.wrong(row.place(title), f"a name in the column {title}", "nothing")
    if empty:
        return
    a, b = (End(row[device], row[port]) for device, port in (columns.a, columns.b))
    draft.cables.append(Cable(a, b, row[columns.label], where=row.where))
    for end, title in zip((a, b), columns.racks, strict=False):
        if row[title]:
            draft.positions[end.device] = Position(row[title])


COLUMNS: Mapping[str, Columns] = {"netbox-csv": IMPORT_FORM, "netbox-table": TABLE, "sonic": SONIC}
