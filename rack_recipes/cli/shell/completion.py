# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `completion`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rack_recipes.cli.command_options import Answer, takes

SHELLS = ("bash", "zsh", "fish")


@takes(
    """
    SHELL  the shell that will read the script: bash, zsh or fish
    examples:
    rack-recipes completion bash > ~/.local/share/bash-completion/completions/rack-recipes
    rack-recipes completion zsh > "${fpath[1]}/_rack-recipes"
    rack-recipes completion fish > ~/.config/fish/completions/rack-recipes.fish
    """,
    shell=SHELLS,
)
def completion(options: argparse.Namespace) -> Answer:
    """Print a script that makes a shell complete rack-recipes.

    It completes commands, options and their values, recipes, the steps and parameters of a recipe, runs and scriptlets.
    """
    script = Path(__file__).with_suffix(f".{options.shell}").read_text(encoding="utf-8")
    return ({"status": "ok", "script": script} if options.json else script), 0
