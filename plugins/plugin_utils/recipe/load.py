# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text -> Recipe: the one way into this project.

`load` takes a file, `parse` its bytes. Whatever these hold, the answer is a Recipe or RecipeErrors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.check import check
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Recipe, Retry, Step, Success, TestMeta
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.reader import Document, read
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.source import read_bytes

LISTS = ("depends_on", "reads", "writes")


def load(path: str) -> Recipe:
    """The recipe in a file; raises RecipeErrors with everything that is wrong with it, each with its place."""
    return parse(read_bytes(path), path)


def parse(text: bytes, name: str) -> Recipe:
    """The recipe in a file's bytes, `name` being the file's in errors; raises RecipeErrors."""
    document = read(text, name)
    check(document)
    data = document.data
    return Recipe(
        path=name,
        digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        test_meta=TestMeta(**data["test_meta"]),
        steps=tuple(sorted(steps_of(document), key=lambda step: step.idx)),
        hosts=data.get("hosts", "all"),
        places=document.places,
    )


def steps_of(document: Document) -> Iterator[Step]:
    """The steps as they stand in the file; one without an idx takes the one after the step above it."""
    idx = 0
    for index, step in enumerate(document.data["steps"]):
        idx = int(step.get("idx", idx + 1))
        yield step_of({**step, "idx": idx}, document.places["steps", index])


def step_of(step: Mapping[str, Any], place: Place) -> Step:
    """One checked step."""
    made = {
        **step,
        **{key: tuple(step[key]) for key in LISTS if key in step},
        "type": step.get("type", "python"),
        "place": place,
        "retry": retry_of(step.get("retry", {})),
        "success": Success(tuple(step.get("success", {}).get("ctx_has_keys", ()))),
    }
    if "timeout" in step:
        made["timeout"] = float(step["timeout"])
    return Step(**made)


def retry_of(retry: Mapping[str, Any]) -> Retry:
    """How often and how slowly; JSON Schema counts 3.0 among the whole numbers."""
    return Retry(int(retry.get("max", 1)), float(retry.get("delay_sec", 0)))
