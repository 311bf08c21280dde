# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands serve and token have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings


def add_tokens(command: argparse._ActionsContainer) -> None:
    """Add the option --tokens."""
    command.add_argument(
        "--tokens",
        metavar="FILE",
        type=Path,
        help="the file of tokens, which only its owner can read (default: .rack-recipes/server/tokens.json)",
    )


def tokens_of(options: argparse.Namespace, settings: Settings) -> Path:
    """The file of tokens."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.token_file import tokens_path

    path: Path = options.tokens or tokens_path(settings.runs)
    return path
