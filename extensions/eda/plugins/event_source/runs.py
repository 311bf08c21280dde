# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source of events for Event-Driven Ansible: runs that end, and what their analysis has found."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

DOCUMENTATION = r"""
---
short_description: Runs of rack.recipes that have ended, and their findings
description:
  - Asks a server of pages (C(rack-recipes serve --web)) again and again, and gives an event for each run that has
    ended since (C(kind) is C(run), with C(status), C(counts) and the C(reasons) of failures), and one for each of its
    findings (C(kind) is C(finding), with C(grade), C(title) and C(advice)).
  - Runs that had ended before the first question are left out, unless O(since) names one of them.
  - A run that another controller uploads after 50 later ones have ended may be left out.
  - A server that cannot be reached is asked again. One that refuses the token ends the source with an error.
options:
  url:
    description: The address of the server, such as C(https://rack.lab:8321).
    type: str
    required: true
  token:
    description: A token with the role viewer. One of O(token) and O(token_file) is needed.
    type: str
  token_file:
    description: The file of the token.
    type: str
  ca:
    description: The file of who has signed the server's certificate.
    type: str
  interval:
    description: Seconds between two questions.
    type: float
    default: 15
  test:
    description: Only runs of this test, by its C(test_id).
    type: str
  since:
    description: The id of a run; those that have ended after it are told, too.
    type: str
"""

EXAMPLES = r"""
- name: Open a ticket for what a night has found
  hosts: localhost
  sources:
    - rack.recipes.runs:
        url: https://rack.lab:8321
        token_file: /etc/rack-recipes/viewer.token
  rules:
    - name: A problem
      condition: event.kind == "finding" and event.grade == "problem"
      action:
        run_playbook:
          name: open_ticket.yml
    - name: A run that did not pass
      condition: event.kind == "run" and event.status != "passed"
      action:
        debug:
          msg: "{{ event.run_id }} {{ event.status }}: {{ event.address }}"
"""

LOG = logging.getLogger(__name__)
TIMEOUT = 60.0  # seconds
REFUSALS = (401, 403, 404)
FIRST_PAGE, A_PAGE = 1, 50


class Pages:
    """The server of pages, and which of its runs were told."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        """Take the arguments of the source. Raises ValueError for those that are missing or wrong, OSError."""
        self.url = str(args.get("url") or "").rstrip("/")
        token = str(args.get("token") or "")
        if args.get("token_file"):
            token = Path(str(args["token_file"])).read_text(encoding="ascii").strip()
        if not self.url.startswith(("http://", "https://")) or not token:
            raise ValueError("rack.recipes.runs: expected `url` (https://HOST:PORT) and `token` or `token_file`")
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        is_tls = self.url.startswith("https")
        self.tls = ssl.create_default_context(cafile=args.get("ca") or None) if is_tls else None
        self.test, self.since = args.get("test"), args.get("since")
        self.start: datetime | None = None
        self.told: set[str] = set()

    def events(self) -> list[dict[str, Any]]:
        """What has happened since the last call: for each run that has ended itself, then its findings.

        Raises PermissionError where the server refuses, OSError where it cannot be reached.
        """
        if self.start is None:
            self.start = self._begin()
        found = [*self._new(self.start)]
        events = [event for run in reversed(found) if self._is_wanted(run) for event in self._events_of(run)]
        self.told |= {run["run_id"] for run in found}
        return events

    def _begin(self) -> datetime:
        """The moment after which runs have to end to be told: the end of `since`, else the last end."""
        runs = self._ask("/runs?sort=ended")["runs"][:1]
        if self.since:
            runs = [self._ask(f"/runs/{quote(str(self.since), safe='')}")["run"]]
        self.told |= {run["run_id"] for run in runs}
        ends = [datetime.fromisoformat(run["ended"]) for run in runs if run["ended"]]
        return max(ends, default=datetime.min.replace(tzinfo=UTC))

    def _new(self, start: datetime) -> Iterator[dict[str, Any]]:
        """The runs that have ended since and were not told, the last end first."""
        page = FIRST_PAGE
        while True:
            listed = self._ask(f"/runs?sort=ended&page={page}")
            runs = [run for run in listed["runs"] if run["ended"] and datetime.fromisoformat(run["ended"]) >= start]
            yield from (run for run in runs if run["run_id"] not in self.told)
            is_last = page * A_PAGE >= listed["found"] or len(runs) < len(listed["runs"])
            if is_last or any(run["run_id"] in self.told for run in runs):
                return
            page += 1

    def _is_wanted(self, run: Mapping[str, Any]) -> bool:
        return not self.test or run["test_id"] == self.test

    def _events_of(self, run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        address = f"{self.url}/runs/{quote(run['run_id'], safe='')}"
        page = self._ask(f"/runs/{quote(run['run_id'], safe='')}")
        yield {"kind": "run", **run, "address": address, "reasons": page.get("reasons", [])}
        of_run = {name: run[name] for name in ("run_id", "test_id", "labels")}
        for finding in page.get("findings", []):
            yield {"kind": "finding", **of_run, "address": address, **_plain(finding)}

    def _ask(self, place: str) -> dict[str, Any]:
        asked = urllib.request.Request(self.url + place, headers=self.headers)  # noqa: S310 - http or https, as __init__ says
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.tls))
        try:
            with opener.open(asked, timeout=TIMEOUT) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                text = error.read(2000).decode("utf-8", "replace")
            if error.code in REFUSALS:
                raise PermissionError(f"rack.recipes.runs: {self.url}{place}: status {error.code}: {text}") from None
            raise


def _plain(finding: Mapping[str, Any]) -> dict[str, Any]:
    """A finding without the names that the event has of its run."""
    return {name: value for name, value in finding.items() if name not in ("kind", "run_id", "address")} | {
        "finding": finding.get("kind")
    }


async def main(queue: asyncio.Queue[dict[str, Any]], args: dict[str, Any]) -> None:
    """Put an event into the queue for each run that ends and for each finding; called by ansible-rulebook."""
    pages, interval = Pages(args), float(args.get("interval", 15))
    while True:
        try:
            for event in await asyncio.to_thread(pages.events):
                await queue.put(event)
        except PermissionError:
            raise
        except (OSError, ValueError, KeyError) as error:
            LOG.warning("rack.recipes.runs: %s: %s; asked again in %g s", pages.url, error, interval)
        await asyncio.sleep(interval)
