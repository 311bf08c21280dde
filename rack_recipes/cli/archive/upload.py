# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command upload."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.archive.ages_and_sizes import size_text
from rack_recipes.cli.archive.pack_sources import pack_sources
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples
from rack_recipes.errors import UsageError
from rack_recipes.visible_text import visible

if TYPE_CHECKING:
    from rack_recipes.archive.send_pack import Server

VARIABLE = "RACK_RECIPES_TOKEN"


def add_upload(command: argparse.ArgumentParser) -> None:
    """Add the options of `upload`."""
    add_run(command)
    command.add_argument(
        "--to",
        metavar="URL",
        required=True,
        help="the server, https://HOST:PORT (http:// only for this machine), which serve --web --allow-upload started",
    )
    command.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help=f"a token of that server with the role operator, in a file that others cannot read (default: {VARIABLE} "
        "of the environment)",
    )
    command.add_argument(
        "--ca",
        metavar="FILE",
        help="who has signed the server's certificate, in PEM (default: the setting rack_recipes_server_ca, else those "
        "that the system trusts)",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes upload --to https://rack.lab:8321 --token-file ci.token",
        "rack-recipes upload 20261125-1444 --to https://rack.lab:8321 --token-file ci.token --ca lab.pem --json",
    )


def upload(options: argparse.Namespace) -> Answer:
    """Send a run with all that belongs to it to a server of pages, and print the addresses of its page and report.

    For a controller that is thrown away, such as the container of a job: journal, artifacts, recipe and playbook go as
    one pack, and the server has the run as if it had been made there. It can be called again: what the server has is
    not changed. A part of a group joins it there; the id of a group stands for its parts. A lost connection is tried
    again.
    """
    from rack_recipes import settings
    from rack_recipes.archive.export_pack import export as export_run
    from rack_recipes.archive.send_pack import send, server_of
    from rack_recipes.run.launcher.progress_and_summary import StatusLine
    from rack_recipes.run.run_folders import is_run_held
    from rack_recipes.run.store_writer import end_abandoned_run

    drawing = StatusLine(sys.stderr)

    def show(sent: int, size: int) -> None:
        drawing.draw(f"sent {size_text(sent)} of {size_text(size)}")

    told: list[dict[str, Any]] = []
    with pack_sources(options) as (run, *parts), TemporaryDirectory(prefix="rack-recipes-") as folder:
        server = server_of(options.to, _token(options), options.ca or settings.load().server_ca)
        for source in parts or [run]:
            if source.journal is None:
                raise UsageError(f"run {source.run_id} has no folder here: upload it where it was made")
            if not is_run_held(source.journal.parent):
                end_abandoned_run(source.journal)  # it may have had no room for its end record, as on a full disk
            drawing.draw(f"packing run {source.run_id}")
            try:
                pack = export_run(source, Path(folder) / f"{len(told)}.tar.gz").paths[0]
                told.append(send(server, pack, show))
            finally:
                drawing.clear()
            pack.unlink()
        answer = _whole(run.run_id, told) if parts else told[0]
    return _told(server, answer, as_json=options.json), 0


def _whole(group: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer about a group, from those about its parts."""
    page = parts[-1].get("group_page")
    named = [part["run_id"] for part in parts]
    return {**parts[-1], "run_id": group, "page": page, "report": page and f"{page}/report", "parts": named}


def _token(options: argparse.Namespace) -> str:
    """The token for the server. Raises UsageError for none, and for a file that others can read."""
    from rack_recipes.private_files import read_secret

    token = read_secret(options.token_file, "--token-file") if options.token_file else os.environ.get(VARIABLE, "")
    if not (token and token.isprintable() and token.isascii()):
        made = "`rack-recipes token create NAME --role operator` on the server makes one"
        raise UsageError(f"expected a token in --token-file or {VARIABLE}: {made}")
    return token


def _told(server: Server, told: Mapping[str, Any], *, as_json: bool) -> dict[str, Any] | str:
    addresses = {
        name: f"{server.address}{told[name]}" if told.get(name) else None for name in ("page", "report", "group_page")
    }
    if as_json:
        parts = {"parts": told["parts"]} if "parts" in told else {}
        return {"status": "ok", **{name: told.get(name) for name in ("run_id", "state", "group")}, **addresses, **parts}
    return "".join(f"{visible(address)}\n" for address in dict.fromkeys(addresses.values()) if address)
