# SPDX-License-Identifier: GPL-3.0-or-later

"""What programs read: the fields of each page as data, with their kinds, and the numbers for Prometheus.

A kind with `?` may be missing; a name with `*` stands for several. Beside these, each page has `title`, those of one
run their `status`, and `note` says what is left out for want of rights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rack_recipes.integrations.monitoring.prometheus_metrics import MEDIA_TYPE, as_text, read_metrics
from rack_recipes.report.table_model import Column
from rack_recipes.web.page_model import Asked, Page, Section, table

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource
Schema = Mapping[str, object]
TABLE, RECORD, RECORDS, TEXT, NUMBER, LIST = "table", "record", "records", "text", "number", "list"
MISSING = "?"
SCHEMAS: Mapping[str, Schema] = {
    TABLE: {
        "type": "object",
        "required": ["title", "about", "columns", "rows"],
        "properties": {
            "title": {"type": "string"},
            "about": {"type": "string"},
            "columns": {"type": "array", "items": {"type": "object", "required": ["name", "title", "kind", "unit"]}},
            "rows": {"type": "array", "items": {"type": "object"}},
        },
        "additionalProperties": False,
    },
    RECORD: {"type": "object"},
    RECORDS: {"type": "array", "items": {"type": "object"}},
    TEXT: {"type": ["string", "null"]},
    NUMBER: {"type": ["number", "null"]},
    LIST: {"type": "array"},
}
COMMON: Mapping[str, str] = {"title": TEXT, "status": f"{TEXT}?", "note": f"{TEXT}?"}
OF_START = {"run_id": TEXT, "address": f"{TEXT}?"}
SHAPES: Mapping[str, Mapping[str, str]] = {
    "/runs": {"total": NUMBER, "found": NUMBER, "page": NUMBER, "problem": f"{TEXT}?", "runs": RECORDS},
    "/runs/{run}": {
        "run": RECORD,
        "counts": f"{RECORDS}?",
        "findings": f"{RECORDS}?",
        "finding_results": f"{RECORDS}?",
        "reasons": f"{RECORDS}?",
        "past_runs": f"{RECORDS}?",
        "hosts_not_passed": f"{RECORDS}?",
    },
    "/runs/{run}/findings": {"*": TABLE},
    "/runs/{run}/steps": {"steps": TABLE, "timeline": f"{TABLE}?"},
    "/runs/{run}/rack": {"map": f"{TABLE}?", "places": TABLE, "values": f"{TABLE}?"},
    "/runs/{run}/context": {"context": TABLE},
    "/runs/{run}/hosts": {"hosts": TABLE},
    "/runs/{run}/hosts/{host}": {
        "results": TABLE,
        "findings": f"{TABLE}?",
        "measurements": f"{TABLE}?",
        "context": f"{TABLE}?",
    },
    "/runs/{run}/hosts/{host}/{step}": {
        "result": RECORD,
        "history": TABLE,
        "findings": f"{TABLE}?",
        "measurements": f"{TABLE}?",
        "attachments": f"{TABLE}?",
        "log-*": TEXT,
        "attachment-*": TEXT,
        "record": f"{TEXT}?",
    },
    "/runs/{run}/attachments": {"attachments": TABLE},
    "/hosts": {"hosts": TABLE},
    "/hosts/{host}": {"runs": TABLE, "findings": f"{TABLE}?"},
    "/keys": {"keys": TABLE},
    "/keys/{key}": {"history": TABLE},
    "/trends": {"measured": TABLE},
    "/trends/{key}": {"key": TEXT, "run_id": TEXT, "series": RECORDS, "series-*": TABLE},
    "/diff/{first}/{second}": {"runs": LIST, "changes": RECORD, "*": TABLE},
    "/recipes": {"recipes": RECORDS},
    "/recipes/{name}": {"steps": TABLE, "arguments": f"{TABLE}?", "graph": f"{TABLE}?", "run": TEXT, "text": TEXT},
    "/scriptlets": {"scriptlets": RECORDS},
    "/scriptlets/{name}": {
        "arguments": f"{TABLE}?",
        "keys": f"{TABLE}?",
        "verdicts": f"{TABLE}?",
        "example": f"{TEXT}?",
    },
    "/starts/{run}": {**OF_START, "exit_code": f"{NUMBER}?", "said": f"{TEXT}?"},
    "/actions": {"actions": TABLE},
    "/shapes": {"pages": RECORD, "fields": TABLE},
    "/runs/{run}/baseline": {
        "run_id": TEXT,
        "test_id": TEXT,
        "accepted": TEXT,
        "user": TEXT,
        "note": TEXT,
        "withdrawn": TEXT,
    },
    "/runs/{run}/stop": {"run_id": TEXT},
    "/runs/{run}/hosts/{host}/{step}/waiver": {"waiver": RECORD},
    "/recipes/{name}/runs": OF_START,
    "/uploads": {
        "run_id": TEXT,
        "state": TEXT,
        "page": TEXT,
        "report": TEXT,
        "group": TEXT,
        "group_page": TEXT,
        "rows": NUMBER,
        "damaged": LIST,
    },
}
"""By the paths of the table of pages; those that are no data are left out."""


def schema_of(path: str) -> Schema:
    """The JSON Schema of a page as data, by its path in the table of pages."""
    shape = {**COMMON, **SHAPES[path]}
    schemas = {name: SCHEMAS[kind.rstrip(MISSING)] for name, kind in shape.items()}
    several = {_pattern(name): schema for name, schema in schemas.items() if "*" in name and name != "*"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": [name for name, kind in shape.items() if kind[-1] != MISSING and "*" not in name],
        "properties": {name: schema for name, schema in schemas.items() if "*" not in name},
        "patternProperties": several,
        "additionalProperties": schemas.get("*", False),
    }


def _pattern(name: str) -> str:
    return f"^{re.escape(name.rstrip('*'))}.*$"


FIELDS = (Column("address", "Address"), Column("field", "Field"), Column("kind", "Kind"))


def shapes(source: PageSource, asked: Asked) -> Page:
    """The fields of each page with `?format=json`; as data also the JSON Schema of each."""
    rows = [
        {"address": path, "field": name, "kind": kind} for path, shape in SHAPES.items() for name, kind in shape.items()
    ]
    about = "A kind with ? may be missing, a name with * stands for several. Each page also has its title."
    listed = table("fields", "Fields", FIELDS, rows, {})
    data = {"pages": {path: schema_of(path) for path in SHAPES}}
    return Page("Pages as data", sections=[Section("fields", "Fields", about, listed)], data=data)


def metrics(source: PageSource, asked: Asked) -> Page:
    """The metrics of the store, read at this moment."""
    return Page("Metrics", kind=MEDIA_TYPE, body=as_text(read_metrics(source.store())).encode())
