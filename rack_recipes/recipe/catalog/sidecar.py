# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the sidecar of a script or program: the small YAML file that declares what a Python class declares itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rack_recipes.errors import CatalogError, Place, RecipeError, RecipeErrors
from rack_recipes.recipe.catalog.check_declarations import check_declared
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.recipe.yaml.values_in_messages import quoted

EXPECTED = "a mapping with description, options and writes"


def read_sidecar(content: bytes, file: str) -> Mapping[str, Any]:
    """Return what a sidecar declares. Raises CatalogError with file, line and column of all that is wrong."""
    if not content.strip():
        raise CatalogError(f"{Place(file)}: expected {EXPECTED}, got an empty file")
    try:
        document = read(content, file, EXPECTED)
    except RecipeErrors as error:
        raise CatalogError(str(error)) from error
    check_declared(document.data, document.places)
    _check_capitals(document)
    return document.data


def _check_capitals(document: Document) -> None:
    """Raise CatalogError for two options that become the same environment variable, such as `name` and `Name`."""
    options = document.data.get("options") or {}
    first = {name.upper(): name for name in reversed(options)}
    for name in options:
        if first[name.upper()] != name:
            alike = f"no name that is {quoted(first[name.upper()])} in capitals, as scripts are given it"
            raise CatalogError(str(RecipeError(document.places["options", name, KEY], alike, quoted(name))))
