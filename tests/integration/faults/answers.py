# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What commands answer that only look, or that are not what a test is about. No process is started."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import parse_command_line


def answer(*words: str) -> dict[str, Any]:
    """The answer of a command with --json, which ends well."""
    command, options = parse_command_line([*words, "--json"])
    found, code = command(options)
    assert code == 0, found
    answered: dict[str, Any] = json.loads(json.dumps(found))
    return answered


def text(*words: str) -> str:
    """What a command prints without --json."""
    command, options = parse_command_line([*words])
    return str(command(options)[0])
