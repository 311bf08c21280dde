# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands serve and token have in common: the network, the file of tokens, who asks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.archive.ages_and_sizes import number
from rack_recipes.cli.standard_streams import write_stdout
from rack_recipes.errors import UsageError
from rack_recipes.server.network.client_limits import Limits

if TYPE_CHECKING:
    from rack_recipes.server.access.identify import Identify
    from rack_recipes.server.network.network_socket import Tls
    from rack_recipes.settings import Settings

LIMITS = {  # fields of Limits
    "connections": "connections that one network address may have",
    "all_connections": "connections that all may have together",
    "requests": "requests a second that one network address may send",
    "patience": "seconds that a client may take for its headers, or send or read nothing",
}


def add_tokens(command: argparse._ActionsContainer) -> None:
    """Add the option --tokens."""
    command.add_argument(
        "--tokens",
        metavar="FILE",
        type=Path,
        help="the file of tokens, which only its owner can read (default: .rack-recipes/server/tokens.json)",
    )


def add_network(command: argparse.ArgumentParser) -> None:
    """Add the options of the network."""
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
    from rack_recipes.server.network.network_socket import Tls

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
    from rack_recipes.server.access.role_by_policy import identify_by

    policy = read_policy(settings.policy)
    return identify_by(policy, grants, start_token), bool(guarded_actions(policy))


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def tell_ready(ready: Mapping[str, object]) -> None:
    """Write the JSON line that says that the server answers. Raises UsageError where nobody can read it."""
    problem = write_stdout(f"{json.dumps(ready)}\n")
    if problem:
        raise UsageError(f"stdout: {problem}: nobody can learn from it where the server is")
