# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `serve --web` does: pages of the runs in a store, and of those that go on."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.serving.shared_serving_options import identify_of, limits_of, network_of, tell_ready
from rack_recipes.errors import UsageError
from rack_recipes.private_files import make_output_private

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
    from rack_recipes.server.access.tokens import new_token
    from rack_recipes.server.guarded_server import listening_on_network
    from rack_recipes.web import serve_pages
    from rack_recipes.web.page_source import LARGEST_UPLOAD, PageSource

    serve_pages.check_packages()
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
    [where] = network_of(options, serve_pages.DEFAULT)
    with listening_on_network(*where) as listener:
        token = new_token()[0] if serve_pages.is_own_address(listener) else ""
        if token:
            make_output_private(sys.stdout if options.json else sys.stderr)
        identify, _shared = identify_of(options, settings, token)
        ready = {"status": "ready", "url": listener.url, **({"token": token} if token else {}), "pid": os.getpid()}
        tell = partial(_tell, ready, as_json=options.json)
        serve_pages.serve(source, listener, identify, limits_of(options), tell)
    source.close()
    return None, 0


def _tell(ready: dict[str, object], *, as_json: bool) -> None:
    """The line that says that the pages are there."""
    if as_json:
        tell_ready(ready)
    else:
        place = f"{ready['url']}/sign-in#{ready['token']}" if "token" in ready else ready["url"]
        sys.stderr.write(f"pages at {place} (process {ready['pid']})\n")
