# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The envelope: the JSON object on the last line of a scriptlet's stdout."""

from __future__ import annotations

import json

from ansible_collections.rack.recipes.plugins.module_utils.executor.capture import Capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERDICTS = {"ok": "passed", "failed": "failed", "error": "error"}
SHOWN = 400


def read_envelope(stdout: Capture) -> dict[str, Any] | None:
    """The envelope, or None where the last line is no JSON object. Raises ValueError for one that breaks the rules."""
    line = stdout.ending().rstrip().rpartition(b"\n")[2].strip()
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if not isinstance(found.get("status"), str) or found["status"] not in VERDICTS:
        raise ValueError("the envelope's status must be ok, failed or error, got %.80r" % (found.get("status"),))
    if not isinstance(found.get("outputs", []), (list, dict)):
        raise ValueError("the envelope's outputs must be a list of keys or an object of key and value")
    if not isinstance(found.get("measurements", []), list):
        raise ValueError("the envelope's measurements must be a list")
    return found


def missing(stdout: Capture) -> str:
    """Why there is no envelope, with what was printed instead."""
    if not stdout.size:
        return "printed no envelope: its stdout is empty"
    text = stdout.ending()[-SHOWN:].decode("utf-8", "backslashreplace").strip()
    return "printed no envelope as its last line, but %d bytes that end with: %s" % (stdout.size, text)
