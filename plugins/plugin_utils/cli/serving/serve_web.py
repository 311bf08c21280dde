# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `serve --web` does: pages of the runs in a store, and of those that go on."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError

OF_CONTEXT = {"socket": "--socket", "run": "--run", "new": "--new", "tls_cert": "--tls-cert", "tls_key": "--tls-key",
              "tls_client_ca": "--tls-client-ca"}  # fmt: skip
"""Options that say something of the context server alone."""


def serve_web(options: argparse.Namespace) -> Answer:
    """Serve pages until SIGTERM or Ctrl-C. Nothing is written: neither to the store nor to a run. Raises UsageError."""
    given = [option for name, option in OF_CONTEXT.items() if getattr(options, name)]
    if given:
        raise UsageError(f"{given[0]} is for the context server, which --web does not start: leave one of them out")
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings as all_settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.web import serve_pages
    from ansible_collections.rack.recipes.plugins.plugin_utils.web.page_source import PageSource
    from ansible_collections.rack.recipes.plugins.plugin_utils.web.sign_in import Sessions

    serve_pages.check_packages()
    settings = all_settings.load()
    source = PageSource(options.db or settings.db, Path(settings.runs), Path(), tuple(map(Path, settings.scriptlets)))
    sessions = Sessions()
    with serve_pages.listening(options.listen or serve_pages.DEFAULT) as listener:
        url = serve_pages.url_of(listener)
        ready = {"status": "ready", "url": url, "token": sessions.token, "pid": os.getpid()}
        serve_pages.serve(source, listener, sessions, lambda: _tell(ready, as_json=options.json))
    source.close()
    return None, 0


def _tell(ready: dict[str, object], *, as_json: bool) -> None:
    """The line that says that the pages are there."""
    if as_json:
        sys.stdout.write(f"{json.dumps(ready)}\n")
        sys.stdout.flush()
    else:
        sys.stderr.write(f"pages at {ready['url']}/sign-in#{ready['token']} (process {ready['pid']})\n")
