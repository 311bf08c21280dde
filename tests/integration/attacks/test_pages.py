# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages attacked from outside: forms and sign-ins of other sites, sessions, tokens in files, a keyboard alone."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.web.test_pages import LAST, PLACES, Reader
from ansible_collections.rack.recipes.tests.integration.web.test_signed_in import folder, tokens  # noqa: F401 fixtures
from ansible_collections.rack.recipes.tests.integration.web.web_server import TIMEOUT, WebServer, web_server
from call_rack_recipes import COMMAND, environment, rack_recipes
from rack_recipes.run.trust.os_user import this_user

MOST_STOPS = 400  # of the key Tab on one page
WORST = 3.0  # the least contrast of what shows the focus (WCAG 2.2, 1.4.11)

# What shows that an element has the focus, and its contrast with what is behind it.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (place) => {
    for (; place; place = place.parentElement) {
      const colour = rgb(getComputedStyle(place).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const style = getComputedStyle(one);
  const tile = one.querySelector(":scope > .tile, :scope .chosen");
  const drawn = one instanceof SVGElement && tile ? getComputedStyle(tile) : null;
  const [width, colour] = drawn
    ? [drawn.stroke === "none" ? 0 : parseFloat(drawn.strokeWidth), rgb(drawn.stroke)]
    : [style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth), rgb(style.outlineColor)];
  const what = `${one.tagName} ${one.id} ${(one.textContent || one.name || "").trim().slice(0, 30)}`;
  const again = "reached" in one.dataset;
  one.dataset.reached = "";
  return { what, width, contrast: width ? contrast(colour, behind(one.parentElement)) : 0, again };
}"""


@pytest.fixture(scope="module")
def server(folder: Path, tokens: dict[str, str]) -> Iterator[WebServer]:  # noqa: F811 the fixtures
    with web_server(folder) as started:
        yield started


def unseen(page: Any) -> list[tuple[str, float, float]]:
    """What a keyboard reaches on a page and does not show as focused: with width and contrast of the outline."""
    reached = []
    for _stop in range(MOST_STOPS):
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUS)
        if told is None or told["again"]:
            break
        reached.append((told["what"], told["width"], told["contrast"]))
    assert len(reached) > 3, reached
    return [one for one in reached if one[1] < 2 or one[2] < WORST]


KINDS = (
    *("/runs", f"/runs/{LAST}", f"/runs/{LAST}/rack", f"/runs/{LAST}/hosts/r3/uplink"),
    *("/trends/rate?step=throughput", "/scriptlets", f"/runs/{LAST}/report", "/sign-in"),
)
"""A page of each kind: each has other things that a keyboard reaches."""


@pytest.mark.parametrize(
    ("scheme", "places"),
    [
        pytest.param("light", KINDS[::2], id="light"),
        pytest.param("dark", KINDS[1::2], id="dark"),
        pytest.param("light", (*PLACES, *KINDS[-2:]), id="light, all", marks=pytest.mark.repeats),
        pytest.param("dark", (*PLACES, *KINDS[-2:]), id="dark, all", marks=pytest.mark.repeats),
    ],
)
def test_a_keyboard_shows_where_it_is(browser, server, scheme, places):
    """On each kind of page, on the page of the sign-in, and on a report."""
    reader = Reader(browser, server, color_scheme=scheme)
    found = {}
    for place in places:
        page = reader.go(place)
        if place in (f"/runs/{LAST}", f"/runs/{LAST}/report"):
            page.wait_for_selector("html[data-ready]")
        found[place] = unseen(page)
    reader.context.close()
    assert {place: wrong[:3] for place, wrong in found.items() if wrong} == {}


@contextmanager
def elsewhere(text: str) -> Iterator[str]:
    """A page of another site; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_words: Any) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=other.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{other.server_port}/"
    finally:
        other.shutdown()
        thread.join()
        other.server_close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    context.set_default_timeout(TIMEOUT * 1000)
    yield context.new_page()
    context.close()


def test_another_site_signs_nobody_in_by_a_form(server, tokens, page):  # noqa: F811 the fixture
    page.goto(f"{server.url}/sign-in")  # the browser knows the server, and has its cookie
    form = f"""<form method=post action="{server.url}/sign-in"><input name=token value="{tokens["viewer"]}"></form>
        <script>document.forms[0].submit()</script>"""
    with elsewhere(form) as address:
        page.goto(address)
        page.wait_for_url(f"{server.url}/sign-in")
    assert "This form is not one that this server made" in page.inner_text("main [role=alert]")
    page.goto(f"{server.url}/runs")
    assert page.url.endswith("/sign-in?to=%2Fruns")


@pytest.mark.parametrize("place", ["/sign-in", "/runs"])
def test_another_site_signs_nobody_in_by_a_link(server, tokens, page, place):  # noqa: F811 the fixture
    """The second place leads to the first, with what is behind the #."""
    with elsewhere(f'<a href="{server.url}{place}#{tokens["viewer"]}">Look here</a>') as address:
        page.goto(address)
        page.click("a")
        page.wait_for_selector("#led-here:visible")
    assert "/sign-in" in page.url
    assert tokens["viewer"] not in page.url
    page.goto(f"{server.url}/runs")
    assert page.url.endswith("/sign-in?to=%2Fruns")


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("serve", "--web", "--listen", "127.0.0.1:0", "--json"), 1),
        (("serve", "--web", "--listen", "127.0.0.1:0"), 2),
        (("token", "create", "wall", "--role", "viewer"), 1),
    ],
    ids=["serve --json", "serve", "token create"],
)
def test_a_token_in_a_file_is_for_its_owner_alone(tmp_path, words, number):
    """As a shell with the usual umask makes the file of `>`."""
    said = tmp_path / "said"
    said.touch(0o666)
    said.chmod(0o644)
    with said.open("w") as file, (tmp_path / "other").open("w") as other:
        outputs = (file, other) if number == 1 else (other, file)
        command = [sys.executable, "-c", COMMAND, *words]
        process = subprocess.Popen(command, stdout=outputs[0], stderr=outputs[1], env=environment(), cwd=tmp_path)
    try:
        wait_until(lambda: "rrt_" in said.read_text() or process.poll() is not None)
    finally:
        process.terminate()
        process.wait(TIMEOUT)
    assert "rrt_" in said.read_text()
    assert stat.S_IMODE(said.stat().st_mode) == 0o600
    assert f"{said}: a token stands in it, so only you can read it now" in "".join(
        (tmp_path / name).read_text() for name in ("said", "other")
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + TIMEOUT
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)


def test_a_token_is_not_printed_into_a_file_that_stays_open_to_others(tmp_path):
    """Nobody can change who may read the files of /proc."""
    with Path("/proc/self/comm").open("w") as file:
        command = [sys.executable, "-c", COMMAND, "token", "create", "wall", "--role", "viewer"]
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.PIPE, text=True, check=False, env=environment(), cwd=tmp_path
        )
    assert (done.returncode, "others can read it, and a token would stand in it" in done.stderr) == (2, True)
    assert not (tmp_path / ".rack-recipes/server/tokens.json").exists()


@pytest.mark.parametrize("way", ["page", "command", "signal"])
def test_who_has_stopped_a_run_is_said_by_everything_that_shows_it(server, folder, tokens, way):  # noqa: F811 fixtures
    """The name comes from the token, or from the system: a field, a header and the environment say nothing."""
    with chdir(folder):
        before = {*Path(".rack-recipes/runs").iterdir()}
        command = [sys.executable, "-c", COMMAND, "run", "recipes/waits.yml", "--param", "seconds=900"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        wait_until(lambda: any("clock" in text for text in journals(before)))
        [run] = {*Path(".rack-recipes/runs").iterdir()} - before
        if way == "page":
            form = {"who": "mallory", "stopped_by": "mallory", "confirm": "yes"}
            headers = {"Authorization": f"Bearer {tokens['operator']}", "X_Remote_User": "mallory"}
            assert server.send(f"/runs/{run.name}/stop?format=json&who=mallory", form, **headers).status == 200
        elif way == "command":
            assert rack_recipes("stop", run.name, USER="mallory", LOGNAME="mallory").code == 0
        else:
            process.send_signal(signal.SIGTERM)
        answer, _none = process.communicate(timeout=TIMEOUT)
        who = {"page": "token:operator", "command": this_user().name, "signal": "a signal (SIGTERM)"}[way]
        stopped = json.loads(rack_recipes("show", run.name, "--json").stdout)["run"]["stopped"]
        shown, analysed = rack_recipes("show", run.name).stdout, rack_recipes("analyse", run.name, "--json").stdout
    assert (process.returncode, json.loads(answer)["status"]) == (143, "interrupted")
    assert stopped["by"] == who
    told = f"by {who} at {stopped['time'][:19].replace('T', ' ')} UTC"
    assert f"stopped {told}\n" in shown
    for place in (f"/runs/{run.name}", f"/runs/{run.name}/report"):
        assert f"Stopped {told}" in server.ask(place).text
    end = json.loads([line for line in (folder / run / "journal.jsonl").read_text().splitlines() if line][-1])
    assert (end["kind"], end["stopped"]) == ("end", stopped)
    blamed = [one["title"] for one in json.loads(analysed)["findings"] if one["kind"] != "coverage" and one["results"]]
    assert blamed == []


def journals(before: set[Path]) -> Iterator[str]:
    """The texts of the journals that are new in the project in the working folder."""
    for path in {*Path(".rack-recipes/runs").iterdir()} - before:
        if (path / "journal.jsonl").exists():
            yield (path / "journal.jsonl").read_text()
