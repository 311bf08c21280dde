# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one HTML file that needs no network, no font and no library."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS
from rack_recipes.analysis.findings import format_count
from rack_recipes.report import format_values
from rack_recipes.report.format_values import visible
from rack_recipes.report.page import hosts_by_rack, page_pictures, page_tables, run_and_finding_texts
from rack_recipes.report.page.hosts_by_rack import HostPlace
from rack_recipes.report.page.page_pictures import draw_pictures
from rack_recipes.report.page.page_tables import Block, block
from rack_recipes.report.page.since_when import since_when
from rack_recipes.report.page.templates import PAGE, Templates
from rack_recipes.report.table_model import Table, named

NOT_IN_BLOCKS = frozenset({"summary", "counts", "matrix"})
"""Tables that the page shows in other ways than as rows."""


def write(tables: Sequence[Table], folder: Path, templates: str = "") -> list[Path]:
    """Write `report.html` into the folder. `templates` is the project's folder of own parts, where it has one."""
    path = folder / "report.html"
    path.write_text(render(tables, templates), encoding="utf-8", newline="\n")
    return [path]


def render(tables: Sequence[Table], templates: str = "", page: str = PAGE) -> str:
    """The text of the page; the same tables give the same text. Raises UsageError for a template that is wrong.

    `page` is the name of its template, which a project may have.
    """
    own = Templates(templates)
    by_name = named(tables)
    hosts = hosts_by_rack.places(by_name["hosts"])
    by_name["verdicts"] = hosts_by_rack.with_racks(by_name["verdicts"], hosts)
    style, script = format_values.css() + own.style(), own.script()
    blocks = [block(table) for name, table in by_name.items() if name not in NOT_IN_BLOCKS and table.rows]
    return own.render(
        page,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        logo=own.logo(),
        blocks=blocks,
        head=_head(by_name, hosts, blocks),
        tables=by_name,
        **_told(by_name, hosts),
        **words(),
    )


def _told(by_name: Mapping[str, Table], hosts: Sequence[HostPlace]) -> dict[str, Any]:
    """What the parts of the page say of the run."""
    run = by_name["summary"].record()
    racks = {one.host: one.rack for one in hosts if one.rack}
    return {
        "run": run,
        "sentence": run_and_finding_texts.sentence(run, hosts),
        "facts": run_and_finding_texts.facts(by_name["summary"]),
        "since_when": since_when(run, by_name["past_runs"]),
        "last_pass": run_and_finding_texts.last_pass(by_name["past_runs"]),
        "findings": run_and_finding_texts.findings(by_name, _addresses(by_name["verdicts"])),
        "not_passed": page_tables.view(by_name["not_passed"]),
        "pictures": draw_pictures(by_name, hosts),
        "measured": page_pictures.measurement_pictures(by_name["values"], racks, by_name["trend"]),
        "key_trends": page_pictures.key_trends(by_name["trend"]),
        "key_samples": page_pictures.key_samples(by_name["context"], racks),
        "hosts": hosts,
    }


def words() -> dict[str, Any]:
    """What the macros of the page work with."""
    return {
        "looks": VERDICTS,
        "look": format_values.style_of,
        "passing": PASSING,
        "left_out": NOT_TRIED,
        "counted": format_count,
        "view": page_tables.view,
    }


def _addresses(verdicts: Table) -> run_and_finding_texts.AddressOf:
    """What gives the address of each result in the table of results, by host and step."""
    pairs = zip(verdicts.values("host"), verdicts.values("step"), strict=True)
    numbers = {pair: number for number, pair in enumerate(pairs, 1)}

    def address_of(host: str, step: str) -> str:
        return f"#r{numbers[host, step]}" if (host, step) in numbers else ""

    return address_of


def _head(by_name: Mapping[str, Table], hosts: Sequence[HostPlace], blocks: Sequence[Block]) -> dict[str, Any]:
    """The data that the page's script needs at once; that of the tables is in their blocks."""
    matrix = by_name["matrix"]
    return {
        **format_values.for_script(),
        "tables": [_about(own) for own in blocks],
        "steps": [visible(column.name) for column in matrix.columns[1:]],
        "hosts": [visible(one.host) for one in hosts],
        "rows": [visible(row[0]) for row in hosts_by_rack.by_place(matrix, hosts).rows],
        "racks": [visible(group.name) for group in hosts_by_rack.groups(hosts)],
        "hasRacks": any(one.rack for one in hosts),
    }


def _about(own: Block) -> dict[str, Any]:
    table = own.table
    about = {"name": table.name, "title": visible(table.title), "about": visible(table.about)}
    return {**about, "total": own.total, "rows": own.rows}


def _policy(style: str, script: str) -> str:
    allowed = {"script-src": _hash(script), "style-src": _hash(style), "img-src": "data:"}
    rules = ["default-src 'none'", *(f"{name} {source}" for name, source in allowed.items())]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
