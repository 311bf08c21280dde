# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the pages of a large run in Chromium beside ARA's server, and write the figures for docs/performance.md.

    python tests/bench/pages_speed.py [--hosts 1000] [--rounds 5] [--write]

Both have a run of HOSTS hosts with 100 steps each in SQLite, of which every fiftieth has failed, and are asked for the
same by a browser that has nothing of theirs. ARA comes from PyPI, with gunicorn, as its manual has it. A page is there
when the browser has painted it first. With `--write` the figures go into docs/pages.json, which the page of the fleet
benchmark shows; that is written after this.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench import ara_results, many_results
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import virtual_environments
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections
from ansible_collections.rack.recipes.tests.bench.report_page import CHROMIUM, SEARCH
from ansible_collections.rack.recipes.tests.bench.server_writes import free_port
from rack_recipes.journal.append import append

STEPS = many_results.STEPS
RACK = 40  # hosts
HOST, STEP = "rack-0007", "step43"
RUN = f"/runs/{many_results.RUN}"
OURS = {
    "the list of runs": "/runs",
    "a run": RUN,
    "a host in a run": f"{RUN}/hosts/{HOST}",
    "a result": f"{RUN}/hosts/{HOST}/{STEP}",
    "hosts": "/hosts",
    "the rack, each step of each host": f"{RUN}/rack",
    "a measurement by rack": f"{RUN}/rack?measurement=rx_errors&step={STEP}",
    "the steps with their times": f"{RUN}/steps",
    "the context": f"{RUN}/context",
}
ARA = {
    "the list of runs": "/",
    "a run": "/playbooks/1.html",
    "a host in a run": "/hosts/8.html",
    "a result": "/results/744.html",
    "hosts": "/hosts?latest=false",
}
FILTER = "failed results of a run"
ARA_FILTER = "/playbooks/1.html?status=failed"
SEARCHES = ("failed", HOST, f"{STEP} {HOST}", "nothing like this", "")
PACKAGES = ("ara[server]", "gunicorn")
START_LIMIT = 60.0  # seconds
PAINTED = """() => new Promise((told) => new PerformanceObserver((list) => {
  for (const one of list.getEntriesByName("first-contentful-paint")) told(one.startTime / 1000);
}).observe({type: "paint", buffered: true}))"""
Answer = list[float]
"""Seconds until the first visit has painted, and the median of those after it."""


def records(hosts: int) -> Iterator[dict[str, Any]]:
    """The records of the run, with a rack and a position for each host."""
    places = {
        f"rack-{number:04}": {"rack": f"r{number // RACK + 1:02}", "position": number % RACK + 1}
        for number in range(hosts)
    }
    for record in many_results.records(hosts):
        yield {**record, "attributes": places} if record["kind"] == "run" else record


@contextmanager
def our_pages(hosts: int) -> Iterator[tuple[str, str]]:
    """The address and the token of our server over such a run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        append(folder / ".rack-recipes" / "runs" / many_results.RUN / "journal.jsonl", records(hosts))
        many_results.call(folder, f"flush {many_results.RUN}")
        words = [sys.executable, "-c", many_results.COMMAND, "serve", "--web", "--json", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            try:
                assert server.stdout
                ready = json.loads(server.stdout.readline())
                yield ready["url"], ready["token"]
            finally:
                server.terminate()


@contextmanager
def ara_pages(hosts: int) -> Iterator[str]:
    """The address of ARA's server over a playbook of the same size."""
    programs = virtual_environments.programs(virtual_environments.default_cache(), "ara-server", PACKAGES)
    with tempfile.TemporaryDirectory() as name:
        home = {
            "ARA_BASE_DIR": name,
            "ARA_ALLOWED_HOSTS": "['127.0.0.1']",
            "DJANGO_SETTINGS_MODULE": "ara.server.settings",
        }
        env = virtual_environments.clean_environment(Path(name), programs, home)
        fill = [str(programs / "python"), str(ara_results.__file__), str(hosts), str(STEPS)]
        subprocess.run(fill, env=env, check=True, stdout=subprocess.DEVNULL)
        socket = f"127.0.0.1:{free_port()}"
        words = [str(programs / "gunicorn"), "--workers", str(os.cpu_count()), "--bind", socket, "ara.server.wsgi"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(words, env=env, stdout=quiet, stderr=quiet) as server:
            try:
                _wait_for(f"http://{socket}/")
                yield f"http://{socket}"
            finally:
                server.terminate()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            urllib.request.urlopen(address, timeout=START_LIMIT).close()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


class Browser:
    """Pages of one server, each opened by a browser that has nothing of it."""

    def __init__(self, chromium: Any, url: str, begin: Callable[[Any], None] = lambda _page: None) -> None:
        self.chromium, self.url, self.begin = chromium, url, begin

    @contextmanager
    def opened(self, place: str) -> Iterator[Any]:
        """The page of this address."""
        context = self.chromium.new_context(viewport={"width": 1340, "height": 900})
        page = context.new_page()
        self.begin(page)
        answer = page.goto(self.url + place)
        assert answer.status == 200, (place, answer.status)
        yield page
        context.close()

    def paint(self, place: str) -> float:
        """Seconds until something of the page is painted."""
        with self.opened(place) as page:
            return float(page.evaluate(PAINTED))

    def paints(self, places: Mapping[str, str], rounds: int) -> dict[str, Answer]:
        """The times of each page."""
        found = {name: [self.paint(place) for _round in range(rounds + 1)] for name, place in places.items()}
        return {name: [seconds[0], statistics.median(seconds[1:])] for name, seconds in found.items()}


def filtered(browser: Browser) -> float:
    """Seconds of the longest search among all results of our run."""
    with browser.opened(f"{RUN}#results") as page:
        page.wait_for_selector("#results-table tbody tr")
        return max(float(page.evaluate(SEARCH, words)) for words in SEARCHES)


def measured(hosts: int, rounds: int) -> dict[str, Any]:
    """The figures, in seconds: for each page of ours and of ARA's the first visit and the median of `rounds` more."""
    from playwright.sync_api import sync_playwright

    about = stored_sections.about(hosts=hosts, steps=STEPS, rounds=rounds)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM)
        with our_pages(hosts) as (url, token):

            def sign_in(page: Any) -> None:
                page.goto(f"{url}/sign-in#{token}")
                page.wait_for_url(f"{url}/runs")

            browser = Browser(chromium, url, sign_in)
            ours = browser.paints(OURS, rounds)
            searches = [filtered(browser) for _round in range(rounds)]
        with ara_pages(hosts) as url:
            browser = Browser(chromium, url)
            ara = browser.paints(ARA, rounds)
            (ara_filter,) = browser.paints({FILTER: ARA_FILTER}, rounds).values()
        chromium.close()
    rows = [[name, *(_rounded(found.get(name)) for found in (ours, ara))] for name in OURS]
    return {
        **about,
        "pages": rows,
        "filter": [FILTER, round(statistics.median(searches), 3), round(ara_filter[1], 3)],
    }


def _rounded(found: Sequence[float] | None) -> Answer | None:
    return [round(seconds, 3) for seconds in found] if found else None


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the figures, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    figures = measured(options.hosts, options.rounds)
    stored_sections.show("pages", figures, write=options.write)


if __name__ == "__main__":
    main()
