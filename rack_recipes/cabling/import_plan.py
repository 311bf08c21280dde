# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads cabling plans from files and from NetBox, in any of the formats; which one is seen from the content."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rack_recipes.cabling.formats import csv_files, netbox_json, topology_dot, yaml_files
from rack_recipes.cabling.formats.csv_files import headings
from rack_recipes.cabling.formats.yaml_files import YamlFile, read_yaml
from rack_recipes.cabling.plan_model import CablingPlan, Draft, build_plan, problem, refused
from rack_recipes.errors import UsageError
from rack_recipes.recipe.values_in_messages import closest, listed, quoted, shown
from rack_recipes.recipe.yaml.decode import UTF16_BOMS, foreign_byte, reason
from rack_recipes.yaml_suffixes import either

LARGEST = 64 * 1024 * 1024  # bytes of a file: some 60,000 cables of NetBox
URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A text, and the name that it has in messages."""

    name: str
    text: str


def read_sources(given: Sequence[str], token: str = "") -> list[Source]:
    """The contents of files and URLs. `token` is that of NetBox. Raises UsageError for what cannot be read."""
    return [source for one in given for source in (_from_url(one, token) if URL.match(one) else [_from_file(one)])]


def _from_url(url: str, token: str) -> list[Source]:
    # a plan from files does not pay for this import
    from rack_recipes.cabling.netbox_api import fetch

    return [Source(name, json.dumps(entries)) for name, entries in fetch(url, token)]


def _from_file(path: str) -> Source:
    found = either(Path(path))
    try:
        with found.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected a file that can be read, or a URL, got {reason(error)}") from error
    if len(content) > LARGEST:
        raise UsageError(f"{path}: expected a file of at most {LARGEST // 1024**2} MiB, got a larger one")
    return Source(str(found), _decoded(content, str(found)))


def _decoded(content: bytes, name: str) -> str:
    if content.startswith(UTF16_BOMS):
        raise UsageError(f"{name}:1:1: expected a file in UTF-8, got one in UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")  # a spreadsheet puts a mark before it
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        byte = foreign_byte(content[error.start])
        raise UsageError(f"{name}:{line}:{column}: expected a file in UTF-8, got {byte}") from None


JSON, YAML, CSV, DOT = "JSON", "YAML", "CSV", "dot"
HEADS = ("topology", "cables", "results")  # at the top of a file


@dataclass(frozen=True, slots=True)
class Format:
    """A format: what it is of, how its content is recognised, and how it is read.

    Both functions get the content as the syntax has it: data of JSON, a YamlFile, or the text. `devices` says that it
    only lists devices, as a companion of a plan.
    """

    about: str
    syntax: str
    recognises: Callable[[Any], bool]
    read: Callable[[Any, str], Draft]
    devices: bool = False


def _has(*columns: str) -> Callable[[Any], bool]:
    """Whether the first row has one of these headings."""
    return lambda text: bool({*columns} & {*headings(text)})


FORMATS: Mapping[str, Format] = {
    "cabling": Format(
        "our own cabling.yml", YAML, lambda file: yaml_files.is_own(file.data),
        lambda file, _name: yaml_files.read_own(file),
    ),
    "netbox": Format(
        "cables as NetBox's REST API has them", JSON, netbox_json.is_cable_list, netbox_json.read_cables
    ),
    "netbox-devices": Format(
        "devices as NetBox's REST API has them, for their positions", JSON, netbox_json.is_device_list,
        netbox_json.read_devices, devices=True,
    ),
    "netbox-inventory": Format(
        "`ansible-inventory --list` with NetBox's inventory plugin and `interfaces: true`", JSON,
        netbox_json.is_inventory, netbox_json.read_inventory,
    ),
    "netbox-csv": Format(
        "NetBox's form for importing cables, CSV", CSV, _has("side_a_device", "side_b_device"),
        partial(csv_files.read_cables, columns=csv_files.IMPORT_FORM),
    ),
    "netbox-table": Format(
        "an export of NetBox's table of cables, CSV", CSV, _has("device a", "termination a"),
        partial(csv_files.read_cables, columns=csv_files.TABLE),
    ),
    "containerlab": Format(
        "a topology of containerlab", YAML, lambda file: yaml_files.is_containerlab(file.data),
        lambda file, _name: yaml_files.read_containerlab(file),
    ),
    "sonic": Format(
        "a link file of sonic-mgmt, CSV", CSV, _has("startdevice", "enddevice"),
        partial(csv_files.read_cables, columns=csv_files.SONIC),
    ),
    "sonic-devices": Format(
        "a device file of sonic-mgmt, CSV, for its names", CSV,
        lambda text: {*csv_files.SONIC_DEVICES} <= {*headings(text)},
        csv_files.read_sonic_devices, devices=True,
    ),
    "ptm": Format("PTM's topology.dot", DOT, topology_dot.is_dot, topology_dot.read_dot),
}  # fmt: skip
"""Each format by its name; the first that recognises a content reads it."""


def import_plan(sources: Sequence[Source], name: str = "") -> CablingPlan:
    """The plan in these sources together, in the format of this name. Raises UsageError with all that is wrong."""
    whole, formats = Draft(), []
    for source in sources:
        found, content = _format_of(source, name)
        formats.append(found)
        whole.add(found.read(content, source.name))
    if all(found.devices for found in formats):
        names = ", ".join(source.name for source in sources)
        raise UsageError(f"{names}: expected cables, got {formats[0].about}: name the file with the cables, too")
    return build_plan(whole)


def _format_of(source: Source, name: str) -> tuple[Format, Any]:
    """The format of a source, and its content as the format's functions take it. Raises UsageError."""
    if name and name not in FORMATS:
        near = closest(name, tuple(FORMATS))
        raise refused([problem("--format", f"one of {listed(FORMATS, len(FORMATS))}", quoted(name), near)])
    if name:
        return FORMATS[name], _content_of_kind(source, FORMATS[name])
    is_json = source.text.lstrip()[:1] in ("{", "[")
    syntaxes = (DOT, CSV, JSON) if is_json else (DOT, CSV, YAML)
    for syntax in syntaxes:
        content = _content(source, syntax)
        for found in FORMATS.values():
            if found.syntax == syntax and found.recognises(content):
                return found, content
    raise refused([_unknown(source, content)])


def _content_of_kind(source: Source, wanted: Format) -> Any:
    """The content of a source whose format was asked for. What columns a CSV file lacks is said by its reader."""
    content = _content(source, wanted.syntax)
    if wanted.syntax != CSV and not wanted.recognises(content):
        data = content.data if isinstance(content, YamlFile) else content
        raise refused([problem(f"{source.name}:1:1", wanted.about, shown(data))])
    return content


def _content(source: Source, syntax: str) -> Any:
    if syntax == YAML:
        return read_yaml(source.text, source.name)
    return _json(source) if syntax == JSON else source.text


def _json(source: Source) -> Any:
    try:
        return json.loads(source.text)
    except RecursionError:
        raise UsageError(f"{source.name}: expected JSON, got lists inside of each other without end") from None
    except json.JSONDecodeError as error:
        where = f"{source.name}:{error.lineno}:{error.colno}"
        raise refused([problem(where, "JSON", error.msg[:1].lower() + error.msg[1:])]) from None


def _unknown(source: Source, content: object) -> str:
    """The problem of a content that no format recognises."""
    data = content.data if isinstance(content, YamlFile) else content
    words = [*data] if isinstance(data, dict) else []
    expected = "a cabling plan: " + "; ".join(found.about for found in FORMATS.values() if not found.devices)
    if isinstance(data, dict) and data.get("results") == []:
        return problem(f"{source.name}: results", "cables", "none: is this token allowed to see them?")
    near = next(filter(None, (closest(str(word), HEADS) for word in words)), "")
    text = source.text.strip()
    return problem(f"{source.name}:1:1", expected, shown(data) if text else "an empty file", near)
