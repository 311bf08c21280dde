# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command serve: the context server."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.archive.ages_and_sizes import number
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.serving.serve_web import serve_web
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.serving.shared_serving_options import (
    add_tokens,
    tokens_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import add_db, examples
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.server.network.limits import Limits

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.identify import Identify
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.network.network_socket import Tls
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.served_run import ServedRun
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.shared.valkey_log import ValkeyLog
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.steps.step_door import StepDoor
    from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings

SOCKET = "server/ctx.sock"  # beside the folder of runs
LIMITS = {  # fields of Limits
    "connections": "connections that one network address may have",
    "all_connections": "connections that all may have together",
    "requests": "requests a second that one network address may send",
    "patience": "seconds that a client may take for its headers, or send or read nothing",
}
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
    _add_network(command)
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
        help="serve pages for browsers instead, of the runs in the store (--db) and of those that go on; --listen "
        "names a port of this machine's own address then, 0 is any free one (default: 127.0.0.1:8321)",
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
        "rack-recipes serve --web --listen 127.0.0.1:8321",
    )


def _add_network(command: argparse.ArgumentParser) -> None:
    """The options of the network."""
    network = command.add_argument_group("the network")
    network.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="listen on the network, too; who asks there needs a token or a certificate (rack-recipes token)",
    )
    network.add_argument("--tls-cert", metavar="FILE", type=Path, help="the server's certificate and its chain, in PEM")
    network.add_argument("--tls-key", metavar="FILE", type=Path, help="its key, if it is in a file of its own")
    network.add_argument(
        "--tls-client-ca",
        metavar="FILE",
        type=Path,
        help="who has signed the certificates of clients; `token create --certificate` gives them roles",
    )
    add_tokens(network)
    for name, about in LIMITS.items():
        default = getattr(Limits(), name)
        network.add_argument(
            f"--{name.replace('_', '-')}", metavar="N", type=number, default=default, help=f"{about} ({default:g})"
        )


def serve(options: argparse.Namespace) -> Answer:
    """Serve a context over HTTP, to programs and steps that read and write it at the same time.

    It ends at SIGTERM or Ctrl-C. The next start goes on with the same context, unless --new begins another one. With
    --json the object on stdout comes as soon as the server answers. Nothing listens on a network without --listen.

    With --web it serves pages that only read, and the line that it prints has the address that signs a browser in.
    """
    if options.web:
        return serve_web(options)
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings as all_settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.server import serve as process
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.live_context import LiveContext
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.live.mask_writes import SecretValues
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.served_run import bring_to_disk
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.service import make_service
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.shared.shared_commit import catch_up
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.steps.step_door import step_door

    if options.with_run and not options.run:
        raise UsageError("serve --with-run ends with a run: name it by --run RUN")
    process.check_packages()
    settings = all_settings.load()
    path = options.socket or Path(settings.runs).parent / SOCKET  # not made absolute: a socket's path must be short
    identify, shared = _identify(options, settings)
    with ExitStack() as stack:
        network = [stack.enter_context(process.listening_on_network(*each)) for each in _network(options)]
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
        limits = Limits(**{name: getattr(options, name) for name in LIMITS})
        door = stack.enter_context(step_door(run.journal.parent, with_run=options.with_run))
        process.serve(service, own, network, identify, limits, partial(_tell, ready, door, as_json=options.json), door)
    return None, 0


def _run(options: argparse.Namespace, settings: Settings) -> tuple[ServedRun, ValkeyLog | None]:
    """The run that is served, and the log if several servers share it. Raises UsageError."""
    url = options.valkey or settings.valkey
    if not url or options.run:
        from ansible_collections.rack.recipes.plugins.plugin_utils.server.served_run import open_run

        if options.valkey:
            raise UsageError("serve --valkey goes on with the run of its Valkey: leave out --run")
        return open_run(settings, options.run, new=options.new), None
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.shared.shared_run import open_shared_run
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.shared.valkey_log import check_durability, connect

    client = connect(url)
    warning = check_durability(client, always=options.durability == FSYNC)
    if warning:
        _log(warning)
    return open_shared_run(settings, client, new=options.new)


def _network(options: argparse.Namespace) -> list[tuple[str, Tls | None]]:
    """Where to listen on the network, and with which TLS. Raises UsageError for options that do not go together."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.network.network_socket import Tls

    needs = {"--tls-key": options.tls_key, "--tls-client-ca": options.tls_client_ca}
    alone = [name for name, value in needs.items() if value and not options.tls_cert]
    if alone:
        raise UsageError(f"{alone[0]} needs --tls-cert, too")
    if options.tls_cert and not options.listen:
        raise UsageError("--tls-cert is for the network: say where with --listen HOST:PORT")
    tls = Tls(options.tls_cert, options.tls_key, options.tls_client_ca) if options.tls_cert else None
    return [(options.listen, tls)] if options.listen else []


def _identify(options: argparse.Namespace, settings: Settings) -> tuple[Identify, bool]:
    """How callers are recognized, and whether other users of this machine may be among them."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.identify import Identify
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.token_file import LiveGrants, read_grants

    path = tokens_of(options, settings)
    if options.listen and not read_grants(path):
        sys.stderr.write("nobody has a token yet: `rack-recipes token create NAME --role ROLE` makes one\n")
    grants = LiveGrants(path, _log)
    if not settings.policy:
        return Identify(grants), False
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.role_by_policy import identify_by
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.key_access import guarded_actions
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.parse_policy import read_policy

    policy = read_policy(settings.policy)
    return identify_by(policy, grants), bool(guarded_actions(policy))


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _tell(ready: Mapping[str, object], door: StepDoor, *, as_json: bool) -> None:
    """Let the run know, and write the line that says that the server answers."""
    door.tell()
    if as_json:
        sys.stdout.write(f"{json.dumps(ready)}\n")
        sys.stdout.flush()
    else:
        places = " and ".join(str(ready[name]) for name in ("socket", "url") if name in ready)
        sys.stderr.write(f"serving run {ready['run_id']} at {places} (process {ready['pid']})\n")
