# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small YAML file beside a script or a program, which says what Python scriptlets say in their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.declared import check_declared
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import CatalogError, Place, RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import read

EXPECTED = "a mapping with description, options and writes"


def read_sidecar(content: bytes, file: str) -> Mapping[str, Any]:
    """What a sidecar declares; raises CatalogError with file, line and column of all that is wrong with it."""
    if not content.strip():
        raise CatalogError(f"{Place(file)}: expected {EXPECTED}, got an empty file")
    try:
        document = read(content, file, EXPECTED)
    except RecipeErrors as error:
        raise CatalogError(str(error)) from error
    check_declared(document.data, document.places)
    return document.data
