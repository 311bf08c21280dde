# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library for authors of shell, awk and C scriptlets: which files of it a scriptlet uses, by what its text names.

A scriptlet that does not use it has nothing of it sent.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from rack_recipes.collection_path import COLLECTION as ROOT

FOLDER = "plugins/module_utils/script_library"
INSIDE = f"ansible_collections/rack/recipes/{FOLDER}"  # the path of the library in the payload
FOR_SCRIPTS = ("envelope.sh", "json.awk", "rack.awk", "rack.sh")
LIVE = "plugins/module_utils/live_client.py"  # the program behind `rack_live`
LIVE_CALL = re.compile(rb"\brack_live\b")
CALLS = "param|get|percent|set|set_number|set_json|field|field_number|measure|check|secret|attach|fail|error|skip"
# The sign of its use in a file with this suffix, and the files that are sent then.
USES = {
    ".sh": (re.compile(rb"\bRACK_(?:SH|AWK)\b"), FOR_SCRIPTS),
    ".awk": (re.compile(rf"\brack_(?:{CALLS})\(".encode()), FOR_SCRIPTS),
    ".c": (re.compile(rb'(?m)^[ \t]*#[ \t]*include[ \t]*"rack\.h"'), ("rack.h",)),
}


def library_files(name: str, content: bytes) -> dict[str, Path]:
    """The files of the library that a scriptlet of this name and content uses, by their paths in the payload."""
    sign, files = USES.get(PurePosixPath(name).suffix, (None, ()))
    if not (sign and sign.search(content)):
        return {}
    live = {f"{INSIDE}/rack_live": ROOT / LIVE} if LIVE_CALL.search(content) else {}
    return {**{f"{INSIDE}/{file}": ROOT / FOLDER / file for file in files}, **live}
