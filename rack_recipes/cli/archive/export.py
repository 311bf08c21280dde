# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rack_recipes.cli.archive.pack_sources import pack_sources
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples


def add_export(command: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    add_run(command)
    command.add_argument(
        "--to",
        metavar="PATH",
        help="a new folder, or a new archive whose name ends with .tar.gz or .zip (default: rack-recipes-RUN.tar.gz)",
    )
    command.add_argument(
        "--sign", metavar="FILE", help="sign the pack with this private key; with a public key, the SSH agent signs"
    )
    add_db(command)
    examples(
        command,
        "rack-recipes export",
        "rack-recipes export 20261125-1444 --to /srv/evidence/burn-in.zip",
        "rack-recipes export 20261125-1444 --to /srv/evidence/burn-in --sign ~/.ssh/id_ed25519",
    )


def export(options: argparse.Namespace) -> Answer:
    """Pack a run into a folder or one archive, and print the paths of the files that this makes.

    A pack has recipe, playbook, hosts, journal, results, artifacts and versions, with checksums over all of it and over
    the archive itself. The same run gives the same bytes. Secrets are masked in all files.
    A run in parts gives one pack with the results of the whole, and beside it one for each part, named after it.
    """
    from rack_recipes.archive.export_pack import check_free
    from rack_recipes.archive.export_pack import export as pack
    from rack_recipes.archive.manifest_and_signatures import pack_name
    from rack_recipes.archive.tar_and_zip_packs import with_part

    key = Path(options.sign).expanduser() if options.sign else None
    with pack_sources(options) as (source, *parts):
        target = Path(options.to or f"{pack_name(source.run_id)}.tar.gz")
        targets = {target: source, **{with_part(target, part.run_id): part for part in parts}}
        check_free(targets)
        made = {one.run_id: pack(one, path, key) for path, one in targets.items()}
    for run_id, each in made.items():
        sys.stderr.writelines(_lacks(run_id if parts else "", each.about["missing"]))
    paths = [str(path) for each in made.values() for path in each.paths]
    answer = {
        "run_id": source.run_id,
        **({"parts": [part.run_id for part in parts]} if parts else {}),
        "paths": paths,
        "files": sum(each.files for each in made.values()),
        "missing": made[source.run_id].about["missing"],
    }
    return (answer if options.json else "\n".join(paths)), 0


def _lacks(run_id: str, missing: Mapping[str, str]) -> Iterator[str]:
    """A line for each file that a pack lacks; `run_id` is named where there are several packs."""
    for name, why in missing.items():
        yield f"{f'{run_id}: ' if run_id else ''}without {name}: {why}\n"
