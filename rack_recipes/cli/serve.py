# SPDX-License-Identifier: GPL-3.0-or-later

"""The command serve.

The context server, or pages with `--web`; and the options of the network and of tokens, which `token` shares.
"""

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

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.signals_and_streams import write_stdout
from rack_recipes.errors import UsageError
from rack_recipes.private_files import make_output_private
from rack_recipes.server.network.clients import Limits

if TYPE_CHECKING:
    from rack_recipes.server.access.identify import Identify
    from rack_recipes.server.network.listening_sockets import Tls
    from rack_recipes.server.open_served_run import ServedRun
    from rack_recipes.server.shared_run import ValkeyLog
    from rack_recipes.server.step_door import StepDoor
    from rack_recipes.settings import Settings
WHAT_IS_LIMITED = {
    "connections": "connections that one network address may have",
    "all_connections": "connections that all may have together",
    "requests": "requests a second that one network address may send",
    "patience": "seconds that a client may take for its headers, or send or read nothing",
}
LIMITS = {name: getattr(Limits(), name) for name in WHAT_IS_LIMITED}
OF_LIMITS = "\n".join(
    f"    --{name.replace('_', '-')} N  {about} ({LIMITS[name]:g})" for name, about in WHAT_IS_LIMITED.items()
)


def tokens_of(options: argparse.Namespace, settings: Settings) -> Path:
    """The file of tokens."""
    from rack_recipes.server.access.token_file import tokens_path

    path: Path = options.tokens or tokens_path(settings.runs)
    return path


def limits_of(options: argparse.Namespace) -> Limits:
    """What one client may use."""
    return Limits(**{name: getattr(options, name) for name in LIMITS})


def network_of(options: argparse.Namespace, default: str = "") -> list[tuple[str, Tls | None]]:
    """Where to listen on the network, `default` without --listen, and with which TLS.

    Raises UsageError for options that do not go together.
    """
    from rack_recipes.server.network.listening_sockets import Tls

    listen = options.listen or default
    needs = {"--tls-key": options.tls_key, "--tls-client-ca": options.tls_client_ca}
    alone = [name for name, value in needs.items() if value and not options.tls_cert]
    if alone:
        raise UsageError(f"{alone[0]} needs --tls-cert, too")
    if options.tls_cert and not listen:
        raise UsageError("--tls-cert is for the network: say where with --listen HOST:PORT")
    tls = Tls(options.tls_cert, options.tls_key, options.tls_client_ca) if options.tls_cert else None
    return [(listen, tls)] if listen else []


def identify_of(options: argparse.Namespace, settings: Settings, start_token: str = "") -> tuple[Identify, bool]:
    """How callers are recognized, and whether other users of this machine may be among them.

    Whoever shows `start_token` counts as the user who started the server.
    """
    from rack_recipes.server.access.identify import Identify
    from rack_recipes.server.access.token_file import LiveGrants, read_grants

    path = tokens_of(options, settings)
    if options.listen and not read_grants(path) and not start_token:
        sys.stderr.write("nobody has a token yet: `rack-recipes token create NAME --role ROLE` makes one\n")
    grants = LiveGrants(path, _log)
    if not settings.policy:
        return Identify(grants, start_token=start_token), False
    from rack_recipes.run.trust.context_key_access import guarded_actions
    from rack_recipes.run.trust.read_policy_file import read_policy
    from rack_recipes.server.access.identify import identify_by

    policy = read_policy(settings.policy)
    return identify_by(policy, grants, start_token), bool(guarded_actions(policy))


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def tell_ready(ready: Mapping[str, object]) -> None:
    """Write the JSON line that says that the server answers. Raises UsageError where nobody can read it."""
    problem = write_stdout(f"{json.dumps(ready)}\n")
    if problem:
        raise UsageError(f"stdout: {problem}: nobody can learn from it where the server is")


OF_CONTEXT = {"socket": "--socket", "run": "--run", "new": "--new", "valkey": "--valkey"}
"""Options that say something of the context server alone."""
OF_WEB = {
    "allow_run": "--allow-run",
    "inventory": "--inventory",
    "allow_upload": "--allow-upload",
    "max_upload": "--max-upload",
}
"""Options that say something of pages alone."""


def refuse_web_options(options: argparse.Namespace) -> None:
    """Raise UsageError for options of pages where none are served."""
    given = [option for name, option in OF_WEB.items() if getattr(options, name)]
    if given:
        raise UsageError(f"{given[0]} is for pages: add --web, or leave it out")


def serve_web(options: argparse.Namespace) -> Answer:
    """Serve pages until SIGTERM or Ctrl-C. Raises UsageError."""
    given = [option for name, option in OF_CONTEXT.items() if getattr(options, name)]
    if given:
        raise UsageError(f"{given[0]} is for the context server, which --web does not start: leave one of them out")
    if options.inventory and not options.allow_run:
        raise UsageError("--inventory is for the runs that pages start: add --allow-run, or leave it out")
    if options.max_upload and not options.allow_upload:
        raise UsageError(
            "--max-upload is for the runs that other controllers bring: add --allow-upload, or leave it out"
        )
    from rack_recipes import settings as all_settings
    from rack_recipes.archive.import_pack import remove_leftovers
    from rack_recipes.server.access.token_file import new_token
    from rack_recipes.server.network.guarded_server import check_packages, listening_on_network
    from rack_recipes.web.page_source import LARGEST_UPLOAD, PageSource

    check_packages("pages need")
    from rack_recipes.web import site

    settings = all_settings.load()
    source = PageSource(
        options.db or settings.db,
        Path(settings.runs),
        Path(),
        tuple(map(Path, settings.scriptlets)),
        options.allow_run,
        tuple(options.inventory),
        options.allow_upload,
        options.max_upload or LARGEST_UPLOAD,
    )
    if options.allow_upload:
        remove_leftovers(source.runs)
    [where] = network_of(options, site.DEFAULT)
    with listening_on_network(*where) as listener:
        token = new_token()[0] if site.is_own_address(listener) else ""
        if token:
            make_output_private(sys.stdout if options.json else sys.stderr)
        identify, _shared = identify_of(options, settings, token)
        ready = {"status": "ready", "url": listener.url, **({"token": token} if token else {}), "pid": os.getpid()}
        tell = partial(_tell_pages_ready, ready, as_json=options.json)
        site.serve(source, listener, identify, limits_of(options), tell)
    source.close()
    return None, 0


def _tell_pages_ready(ready: dict[str, object], *, as_json: bool) -> None:
    """The line that says that the pages are there."""
    if as_json:
        tell_ready(ready)
    else:
        place = f"{ready['url']}/sign-in#{ready['token']}" if "token" in ready else ready["url"]
        sys.stderr.write(f"pages at {place} (process {ready['pid']})\n")


SOCKET = "server/ctx.sock"  # beside the folder of runs
JOURNAL, FSYNC = "journal", "fsync"


@takes(
    f"""
    --socket PATH  the Unix socket to listen on; only you and root can use it, unless the policy lets others read or
        write keys (default: .rack-recipes/server/ctx.sock)
    --run RUN=  the run whose context is served: its id, or its beginning (default: the newest that a server began)
    --new  begin a new context
    --valkey URL  the Valkey in which several servers share one context, such as valkey://HOST:6379/0 (default: the
        setting `valkey`; in RACK_RECIPES_VALKEY a password stays out of the list of processes)
    --with-run  end when the run of --run ends
    --durability journal|fsync=journal  what a write has survived when it is answered: journal is a crash of the server,
        fsync also one of the machine (default: journal)
    --web  serve pages for browsers instead, of the runs in the store (--db) and of those that go on, at --listen
        (default: 127.0.0.1:8321)
    --allow-run  with --web: those with the role operator may start the recipes of this project from their pages
    -i, --inventory PATH...  with --allow-run: the inventory of the runs that pages start (default: Ansible's setting,
        else this machine)
    --allow-upload  with --web: those with the role operator may bring runs of other controllers here (rack-recipes
        upload)
    --max-upload SIZE  with --allow-upload: how large the pack of a run may be, compressed (default: 1GiB)
    --db URL
    the network:
    --listen HOST:PORT  listen on the network, too; who asks there needs a token or a certificate (rack-recipes token)
    --tls-cert FILE  the server's certificate and its chain, in PEM
    --tls-key FILE  its key, if it is in a file of its own
    --tls-client-ca FILE  who has signed the certificates of clients; `token create --certificate` gives them roles
    --tokens FILE
{OF_LIMITS}
    examples:
    rack-recipes serve
    rack-recipes serve --socket ctx/ctx.sock --new --durability fsync
    rack-recipes serve --run 20261129 --with-run
    rack-recipes serve --valkey unix:///run/valkey/valkey.sock --durability fsync
    rack-recipes serve --listen 127.0.0.1:8470
    rack-recipes serve --listen 0.0.0.0:8470 --tls-cert cert.pem --tls-key key.pem --tls-client-ca clients.pem
    rack-recipes serve --web
    rack-recipes serve --web --listen 0.0.0.0:8321 --tls-cert cert.pem --tls-key key.pem
    rack-recipes serve --web --allow-run -i inventory.yml
    rack-recipes serve --web --allow-upload --max-upload 10GiB --listen 0.0.0.0:8321 --tls-cert cert.pem
    """,
    socket=Path,
    tls_cert=Path,
    tls_key=Path,
    tls_client_ca=Path,
    either=("run", "new"),
    **LIMITS,
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
    from rack_recipes.server.live.live_context import LiveContext, SecretValues
    from rack_recipes.server.network.guarded_server import check_packages, listening_on_network
    from rack_recipes.server.open_served_run import bring_to_disk, end_served
    from rack_recipes.server.served_context import make_service
    from rack_recipes.server.shared_run import catch_up
    from rack_recipes.server.step_door import step_door

    if options.with_run and not options.run:
        raise UsageError("serve --with-run ends with a run: name it by --run RUN")
    check_packages("the context server needs")
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
        tell = partial(_tell_context_ready, ready, door, as_json=options.json)
        process.serve(service, own, network, identify, limits_of(options), tell, door)
        end_served(run.journal)
    return None, 0


def _run(options: argparse.Namespace, settings: Settings) -> tuple[ServedRun, ValkeyLog | None]:
    """The run that is served, and the log if several servers share it. Raises UsageError."""
    url = options.valkey or settings.valkey
    if not url or options.run:
        from rack_recipes.server.open_served_run import open_run

        if options.valkey:
            raise UsageError("serve --valkey goes on with the run of its Valkey: leave out --run")
        return open_run(settings, options.run, new=options.new), None
    from rack_recipes.server.shared_run import check_durability, connect, open_shared_run

    client = connect(url)
    warning = check_durability(client, always=options.durability == FSYNC)
    if warning:
        _log(warning)
    return open_shared_run(settings, client, new=options.new)


def _tell_context_ready(ready: Mapping[str, object], door: StepDoor, *, as_json: bool) -> None:
    """Let the run know, and write the line that says that the server answers."""
    door.tell()
    if as_json:
        tell_ready(ready)
    else:
        places = " and ".join(str(ready[name]) for name in ("socket", "url") if name in ready)
        sys.stderr.write(f"serving run {ready['run_id']} at {places} (process {ready['pid']})\n")
