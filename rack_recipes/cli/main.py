# SPDX-License-Identifier: GPL-3.0-or-later

"""The program `rack-recipes`. First it sees to signals, to the standard streams and to where Python looks."""

from __future__ import annotations

import os
import sys

from rack_recipes.cli.signals_and_streams import end_at_once, keep_streams_open

TYPE_CHECKING = False  # typing's would have to be imported
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code. What follows `--` is passed on to ansible-playbook.

    `arguments` are by default those of the process. Only then are its signals and streams the command's own.
    """
    if arguments is None:
        end_at_once()
        keep_streams_open()
        if "PYTHONPATH" in os.environ:
            from rack_recipes.run.start_python import leave_working_folder

            leave_working_folder()
    from rack_recipes.cli.call_command import call_command

    call_command(sys.argv[1:] if arguments is None else arguments)
