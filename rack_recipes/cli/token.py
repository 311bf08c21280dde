# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands token create, list and revoke."""

from __future__ import annotations

import argparse
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, parse_age, takes
from rack_recipes.cli.serve import tokens_of
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import UsageError, nearest
from rack_recipes.private_files import make_output_private, read_secret
from rack_recipes.server.access.caller import ANY, ROLES

if TYPE_CHECKING:
    from rack_recipes.server.access.token_file import Grant

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
NEVER = "never"
VARIABLE = "RACK_RECIPES_TOKEN"
TITLES = ("name", "role", "keys", "runs", "certificate", "expires", "state")


def read_token(file: Path | None, role: str) -> str:
    """The token for a server of pages: from a file, else from the environment. `role` is what it needs to have.

    Raises UsageError for none, and for a file that others can read.
    """
    token = read_secret(file, "--token-file") if file else os.environ.get(VARIABLE, "")
    if not (token and token.isprintable() and token.isascii()):
        made = f"`rack-recipes token create NAME --role {role}` on the server makes one"
        raise UsageError(f"expected a token in --token-file or {VARIABLE}: {made}")
    return token


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected a name of letters, digits and . _ @ -, got {text!r}")
    return text


def _expiry(text: str) -> str:
    """The moment when an age from now is over; empty for never."""
    return "" if text == NEVER else _moment(datetime.now(UTC) + parse_age(text))


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


WHAT_ROLES_MAY = "; ".join(f"{role} {about}" for role, about in ROLES.items())


@takes(
    f"""
    NAME  whose it is; it stands in the history
    --role ROLE  {WHAT_ROLES_MAY}. Each may what those before may
    --keys PATTERN...  only keys that fit, such as power.* (default: *)
    --runs PATTERN...  only runs whose id fits, such as 2026*
    --expires AGE  such as 12h, 90d or never (default: 90d)
    --certificate CN=  make no token: the role is that of the client certificate with this name (its common name, or a
        DNS name, mail address or URI in it), see serve --tls-client-ca
    --tokens FILE
    examples:
    rack-recipes token create traffic-generator --role author --keys 'link.*' --expires 30d
    rack-recipes token create wall-screen --role viewer --expires never > wall-screen.token
    rack-recipes token create ci --role operator --certificate ci.lab.example
    """,
    name=_name,
    role={"choices": tuple(ROLES), "metavar": None, "required": True},
    keys=None,
    runs=None,
    expires={"default": "90d", "type": _expiry},
)
def create(options: argparse.Namespace) -> Answer:
    """Make a token for the context server, and print it: this is the only time that it can be seen.

    The file of tokens keeps only a digest of it. A running server knows the token at once. Where it is printed into a
    file, only the file's owner can read that from then on.
    """
    from rack_recipes import settings
    from rack_recipes.server.access.token_file import VALID, changed_grants

    made, text = _made(options)
    if text:
        make_output_private(sys.stdout)
    with changed_grants(tokens_of(options, settings.load())) as grants:
        same = [one for one in grants if one.state == VALID and _clashes(one, made)]
        if same:
            what = f"the certificate {made.certificate}" if made.certificate == same[0].certificate != "" else made.name
            raise UsageError(f"{what} has a valid grant already: `rack-recipes token revoke {same[0].name}` ends it")
        grants.append(made)
    return _shown(made, text, as_json=options.json), 0


def _made(options: argparse.Namespace) -> tuple[Grant, str]:
    """The new grant, and the text of its token, empty for a certificate."""
    from rack_recipes.server.access.token_file import Grant, new_token

    text, ident, digest = new_token()
    grant = Grant(
        options.name,
        options.role,
        ident,
        "" if options.certificate else digest,
        options.certificate,
        tuple(options.keys or ANY),
        tuple(options.runs or ANY),
        _moment(datetime.now(UTC)),
        options.expires,
    )
    return grant, "" if options.certificate else text


def _clashes(one: Grant, made: Grant) -> bool:
    return one.name == made.name or one.certificate == made.certificate != ""


def _shown(made: Grant, text: str, *, as_json: bool) -> dict[str, Any] | str | None:
    from rack_recipes.server.access.token_file import with_state

    if as_json:
        return {"status": "ok", **with_state(made), **({"token": text} if text else {})}
    until = made.expires or NEVER
    if not text:
        sys.stderr.write(f"the certificate {made.certificate} has the role {made.role}, until: {until}\n")
        return None
    sys.stderr.write(f"a token of the role {made.role}, until: {until}; it is shown this once\n")
    return f"{text}\n"


@takes(
    """
    --tokens FILE
    examples:
    rack-recipes token list
    rack-recipes token list --json | jq '.tokens[] | select(.state == "valid")'
    """
)
def list(options: argparse.Namespace) -> Answer:  # noqa: A001 the last word of the command
    """List the tokens and certificates that the context server knows: role, patterns, whether they are valid."""
    from rack_recipes import settings
    from rack_recipes.server.access.token_file import read_grants, with_state

    grants = read_grants(tokens_of(options, settings.load()))
    if options.json:
        return {"status": "ok", "tokens": [*map(with_state, grants)]}, 0
    if not grants:
        return "there are none: `rack-recipes token create NAME --role ROLE` makes one\n", 0
    return format_table(TITLES, [*map(_row, grants)]), 0


def _row(grant: Grant) -> tuple[str, ...]:
    keys, runs = " ".join(grant.keys), " ".join(grant.runs)
    return grant.name, grant.role, keys, runs, grant.certificate, grant.expires or NEVER, grant.state


@takes(
    """
    NAME  whose token or certificate ends
    --tokens FILE
    examples:
    rack-recipes token revoke traffic-generator
    """,
    name=_name,
)
def revoke(options: argparse.Namespace) -> Answer:
    """End a token, or the role of a certificate: a running server refuses its next request, and ends its streams."""
    from dataclasses import replace

    from rack_recipes import settings
    from rack_recipes.server.access.token_file import REVOKED, changed_grants

    with changed_grants(tokens_of(options, settings.load())) as grants:
        open_ones = {one.name: number for number, one in enumerate(grants) if one.state != REVOKED}
        if options.name not in open_ones:
            near = nearest(options.name, [*open_ones])
            hint = f", did you mean {near}?" if near else "; `rack-recipes token list` shows all"
            raise UsageError(f"{options.name} has no token that could be revoked{hint}")
        number = open_ones[options.name]
        grants[number] = replace(grants[number], revoked=_moment(datetime.now(UTC)), digest="")
    return {"status": "ok", "name": options.name, "revoked": grants[number].revoked}, 0
