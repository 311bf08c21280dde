# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command serve: the context server."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import examples

SOCKET = "server/ctx.sock"  # beside the folder of runs
JOURNAL, FSYNC = "journal", "fsync"


def add_serve(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument(
        "--socket",
        metavar="PATH",
        type=Path,
        help="the Unix socket to listen on; only you and root can use it (default: .rack-recipes/server/ctx.sock)",
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--run",
        metavar="RUN",
        default="",
        help="the run whose context is served: id or its beginning (default: the newest that a server began)",
    )
    which.add_argument("--new", action="store_true", help="begin a new context")
    command.add_argument(
        "--durability",
        choices=(JOURNAL, FSYNC),
        default=JOURNAL,
        help="what a write has survived when it is answered: journal is a crash of the server, fsync also one of the "
        "machine (default: journal)",
    )
    examples(
        command,
        "rack-recipes serve",
        "rack-recipes serve --socket ctx/ctx.sock --new --durability fsync",
    )


def serve(options: argparse.Namespace) -> Answer:
    """Serve a context over HTTP, to programs and steps that read and write it at the same time.

    It ends at SIGTERM or Ctrl-C. The next start goes on with the same context, unless --new begins another one. With
    --json the object on stdout comes as soon as the server answers.
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings as all_settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.server import serve as process
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.live_context import LiveContext
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.mask_writes import SecretValues
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.served_run import open_run
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.service import make_service

    process.check_packages()
    settings = all_settings.load()
    path = options.socket or Path(settings.runs).parent / SOCKET  # not made absolute: a socket's path must be short
    with process.listening(path) as listener:
        run = open_run(settings, options.run, new=options.new)
        live = LiveContext(run.journal, SecretValues(settings.secret_keys), run.hooks)
        ready = {"status": "ready", "run_id": run.run_id, "socket": str(path.absolute()), "pid": os.getpid()}
        service = make_service(live, fsync=options.durability == FSYNC)
        process.serve(service, listener, lambda: _tell(ready, as_json=options.json))
    return None, 0


def _tell(ready: dict[str, object], *, as_json: bool) -> None:
    """The line that says that the server answers."""
    if as_json:
        sys.stdout.write(f"{json.dumps(ready)}\n")
        sys.stdout.flush()
    else:
        sys.stderr.write(f"serving run {ready['run_id']} at {ready['socket']} (process {ready['pid']})\n")
