# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command serve: the context server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.archive.ages_and_sizes import size
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.serving.serve_web import refuse_web_options, serve_web
from rack_recipes.cli.serving.shared_serving_options import add_network, identify_of, limits_of, network_of, tell_ready
from rack_recipes.cli.shared_options import add_db, examples
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.server.open_served_run import ServedRun
    from rack_recipes.server.shared.valkey_log import ValkeyLog
    from rack_recipes.server.steps.step_door import StepDoor
    from rack_recipes.settings import Settings

SOCKET = "server/ctx.sock"  # beside the folder of runs
JOURNAL, FSYNC = "journal", "fsync"


def add_serve(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument(
        "--socket",
        metavar="PATH",
        type=Path,
        help="the Unix socket to listen on; only you and root can use it, unless the policy lets others read or write "
        "keys (default: .rack-recipes/server/ctx.sock)",
    )
    add_network(command)
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--run",
        metavar="RUN",
        default="",
        help="the run whose context is served: id or its beginning (default: the newest that a server began)",
    )
    which.add_argument("--new", action="store_true", help="begin a new context")
    command.add_argument(
        "--valkey",
        metavar="URL",
        help="the Valkey in which several servers share one context, such as valkey://HOST:6379/0 (default: the "
        "setting `valkey`; in RACK_RECIPES_VALKEY a password stays out of the list of processes)",
    )
    command.add_argument("--with-run", action="store_true", help="end when the run of --run ends")
    command.add_argument(
        "--durability",
        choices=(JOURNAL, FSYNC),
        default=JOURNAL,
        help="what a write has survived when it is answered: journal is a crash of the server, fsync also one of the "
        "machine (default: journal)",
    )
    command.add_argument(
        "--web",
        action="store_true",
        help="serve pages for browsers instead, of the runs in the store (--db) and of those that go on, at --listen "
        "(default: 127.0.0.1:8321)",
    )
    command.add_argument(
        "--allow-run",
        action="store_true",
        help="with --web: those with the role operator may start the recipes of this project from their pages",
    )
    command.add_argument(
        "-i",
        "--inventory",
        metavar="PATH",
        action="append",
        default=[],
        help="with --allow-run: the inventory of the runs that pages start; may be repeated (default: Ansible's "
        "setting, else this machine)",
    )
    command.add_argument(
        "--allow-upload",
        action="store_true",
        help="with --web: those with the role operator may bring runs of other controllers here (rack-recipes upload)",
    )
    command.add_argument(
        "--max-upload",
        metavar="SIZE",
        type=size,
        help="with --allow-upload: how large the pack of a run may be, compressed (default: 1GiB)",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes serve",
        "rack-recipes serve --socket ctx/ctx.sock --new --durability fsync",
        "rack-recipes serve --run 20261129 --with-run",
        "rack-recipes serve --valkey unix:///run/valkey/valkey.sock --durability fsync",
        "rack-recipes serve --listen 127.0.0.1:8470",
        "rack-recipes serve --listen 0.0.0.0:8470 --tls-cert cert.pem --tls-key key.pem --tls-client-ca clients.pem",
        "rack-recipes serve --web",
        "rack-recipes serve --web --listen 0.0.0.0:8321 --tls-cert cert.pem --tls-key key.pem",
        "rack-recipes serve --web --allow-run -i inventory.yml",
        "rack-recipes serve --web --allow-upload --max-upload 10GiB --listen 0.0.0.0:8321 --tls-cert cert.pem",
    )


def serve(options: argparse.Namespace) -> Answer:
    """Serve a context over HTTP, to programs and steps that read and write it at the same time.

    It ends at SIGTERM or Ctrl-C. The next start goes on with the same context, unless --new begins another one. With
    --json the object on stdout comes as soon as the server answers. Nothing listens on a network without --listen.

    With --web it serves pages instead. On this machine's own address the line that it prints has the address that signs
    a browser in; elsewhere people sign in with a token.
    """
    if options.web:
        return serve_web(options)
    refuse_web_options(options)
    from rack_recipes import settings as all_settings
    from rack_recipes.server import serve as process
    from rack_recipes.server.guarded_server import listening_on_network
    from rack_recipes.server.live.live_context import LiveContext
    from rack_recipes.server.live.mask_writes import SecretValues
    from rack_recipes.server.open_served_run import bring_to_disk
    from rack_recipes.server.served_context import make_service
    from rack_recipes.server.shared.shared_commit import catch_up
    from rack_recipes.server.steps.step_door import step_door

    if options.with_run and not options.run:
        raise UsageError("serve --with-run ends with a run: name it by --run RUN")
    process.check_packages()
    settings = all_settings.load()
    path = options.socket or Path(settings.runs).parent / SOCKET  # not made absolute: a socket's path must be short
    identify, shared = identify_of(options, settings)
    with ExitStack() as stack:
        network = [stack.enter_context(listening_on_network(*each)) for each in network_of(options)]
        own = stack.enter_context(process.listening(path, shared=shared))
        run, log = _run(options, settings)
        if options.durability == FSYNC:
            bring_to_disk(run.journal)
        live = LiveContext(run.journal, SecretValues(settings.secret_keys), run.hooks)
        if log:
            catch_up(live, log)
        ready = {"status": "ready", "run_id": run.run_id, "socket": str(path.absolute()), "pid": os.getpid()}
        ready |= {"url": network[0].url} if network else {}
        service = make_service(live, fsync=options.durability == FSYNC, log=log)
        door = stack.enter_context(step_door(run.journal.parent, with_run=options.with_run))
        tell = partial(_tell, ready, door, as_json=options.json)
        process.serve(service, own, network, identify, limits_of(options), tell, door)
    return None, 0


def _run(options: argparse.Namespace, settings: Settings) -> tuple[ServedRun, ValkeyLog | None]:
    """The run that is served, and the log if several servers share it. Raises UsageError."""
    url = options.valkey or settings.valkey
    if not url or options.run:
        from rack_recipes.server.open_served_run import open_run

        if options.valkey:
            raise UsageError("serve --valkey goes on with the run of its Valkey: leave out --run")
        return open_run(settings, options.run, new=options.new), None
    from rack_recipes.server.shared.shared_run import open_shared_run
    from rack_recipes.server.shared.valkey_log import check_durability, connect

    client = connect(url)
    warning = check_durability(client, always=options.durability == FSYNC)
    if warning:
        _log(warning)
    return open_shared_run(settings, client, new=options.new)


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _tell(ready: Mapping[str, object], door: StepDoor, *, as_json: bool) -> None:
    """Let the run know, and write the line that says that the server answers."""
    door.tell()
    if as_json:
        tell_ready(ready)
    else:
        places = " and ".join(str(ready[name]) for name in ("socket", "url") if name in ready)
        sys.stderr.write(f"serving run {ready['run_id']} at {places} (process {ready['pid']})\n")
