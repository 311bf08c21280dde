# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import add_db, add_run, examples

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.archive.packing.pack_contents import PackSource


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
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils.archive.manifest import pack_name
    from ansible_collections.rack.recipes.plugins.plugin_utils.archive.packing.export_run import export as pack

    with _source(options) as source:
        target = Path(options.to or f"{pack_name(source.run_id)}.tar.gz")
        made = pack(source, target, Path(options.sign).expanduser() if options.sign else None)
    for name, why in made.about["missing"].items():
        sys.stderr.write(f"without {name}: {why}\n")
    paths = [str(path) for path in made.paths]
    answer = {"run_id": source.run_id, "paths": paths, "files": made.files, "missing": made.about["missing"]}
    return (answer if options.json else "\n".join(paths)), 0


@contextmanager
def _source(options: argparse.Namespace) -> Iterator[PackSource]:
    """Where the run is: its journal here, its rows in the store, or both. Raises UsageError, also for a running one."""
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.archive.packing.pack_contents import PackSource
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.results.open_store import opened, run_id_of
    from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError, UsageError
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import is_held, journal_of, journals
    from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.import_journal import run_of

    runs = Path(settings.load().runs)
    is_here = any(path.parent.name.startswith(options.run) for path in journals(runs))
    journal = journal_of(runs, options.run) if is_here else None
    if journal and is_held(journal.parent):
        raise UsageError(f"run {journal.parent.name} still goes on: it can be exported when it has ended")
    with ExitStack() as stack:
        try:
            store = stack.enter_context(opened(options))
        except StoreError:
            if journal is None:
                raise
            store = None
        run_id = run_of(journal) if journal else run_id_of(store, options.run, options.db) if store else options.run
        yield PackSource(run_id, journal, store)
