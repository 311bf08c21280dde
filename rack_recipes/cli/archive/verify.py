# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command verify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import examples
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.archive.verify_pack import SignatureCheck, Verified


def add_verify(command: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    command.add_argument("pack", metavar="PATH", help="the pack: a folder, or an archive with its .sha256 beside it")
    command.add_argument(
        "--allowed-signers", metavar="FILE", help="a file of allowed signers in the form of OpenSSH; needs --signer"
    )
    command.add_argument(
        "--signer", metavar="WHO", help="the name in that file of the one who must have signed the pack"
    )
    examples(
        command,
        "rack-recipes verify rack-recipes-20261125-144400-3f9a2c.tar.gz",
        "rack-recipes verify /srv/evidence/burn-in --allowed-signers signers --signer lab@example.com",
    )


def verify(options: argparse.Namespace) -> Answer:
    """Check that a pack is as it was exported: name each file that was changed, is missing or was added.

    Nothing is unpacked. The exit code is 0 where nothing was changed, 1 where something was, and 2 where the pack
    cannot be read.
    """
    from rack_recipes.archive.verify_pack import verify as check
    from rack_recipes.run.launcher.progress_and_summary import StatusLine

    drawing = StatusLine(sys.stderr)
    try:
        found = check(Path(options.pack), _required_signature(options), lambda name: drawing.draw(f"reading {name}"))
    finally:
        drawing.clear()
    if options.json:
        return _to_data(found), 1 if found.problems else 0
    sys.stderr.writelines(f"{note}\n" for note in found.notes)
    return "".join(_lines(found)), 1 if found.problems else 0


def _required_signature(options: argparse.Namespace) -> SignatureCheck | None:
    from rack_recipes.archive.verify_pack import SignatureCheck

    if bool(options.allowed_signers) != bool(options.signer):
        raise UsageError("rack-recipes verify: --allowed-signers and --signer belong together; see --help")
    if not options.signer:
        return None
    allowed = Path(options.allowed_signers).expanduser()
    if not allowed.is_file():
        raise UsageError(f"--allowed-signers {allowed}: there is no such file")
    return SignatureCheck(allowed, options.signer)


def _to_data(found: Verified) -> dict[str, object]:
    return {
        "status": "changed" if found.problems else "ok",
        "run_id": found.run_id,
        "files": found.files,
        "problems": [problem._asdict() for problem in found.problems],
        "notes": found.notes,
        "signer": found.signer,
    }


def _lines(found: Verified) -> Iterator[str]:
    from rack_recipes.cli.terminal.text_table import printable

    for kind, file, detail in found.problems:
        yield printable(f"{kind}  {file}{f': {detail}' if detail else ''}") + "\n"
    signed = f", signed by {found.signer}" if found.signer else ""
    what = f"{len(found.problems)} problems" if found.problems else f"nothing was changed{signed}"
    yield printable(f"run {found.run_id or '?'}, {found.files} files: {what}") + "\n"
