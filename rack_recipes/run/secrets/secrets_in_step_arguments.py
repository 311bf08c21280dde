# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that stand in a step itself, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import OPENINGS
from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import SecretNames, secrets_in

LOOPS = ("loop", "matrix")  # the fields of a step that hold values beside its arguments


def literal(texts: Iterable[str]) -> Iterator[str]:
    """Those of the texts that hold no reference and no template, so that they are values already."""
    return (text for text in texts if not any(sign in text for sign in OPENINGS))


def literal_secrets_of(step: Mapping[str, Any], options: Mapping[str, Any] | None, names: SecretNames) -> Iterator[str]:
    """The values of its no_log options, and those in its arguments and loops that have the name of a secret."""
    args = secrets_in(options, step.get("args") or {}, names)
    return literal([*args, *secrets_in(None, {word: step.get(word) for word in LOOPS}, names)])
