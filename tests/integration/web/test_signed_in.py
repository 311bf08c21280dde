# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages for several people: TLS, tokens, client certificates, and what they do by forms, in a real Chromium."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.accessibility import violations
from ansible_collections.rack.recipes.tests.integration.web.test_pages import LAST, make_project
from ansible_collections.rack.recipes.tests.integration.web.web_server import TIMEOUT, WebServer, web_server
from call_rack_recipes import rack_recipes
from rack_recipes.journal.step_results_and_end_status import INTERRUPTED
from rack_recipes.run.trust.os_user import this_user

RECIPE = """\
test_meta: {test_id: WAITS, description: "Waits until it is stopped"}
params: {seconds: {type: int, description: "How long", min: 1, max: 900}}
steps:
  - {name: wait_long, type: shell, module: wait_long, args: {seconds: "${params.seconds}"}, timeout: 1000}
"""
WAITS = '#!/bin/sh\nexec sleep "$RACK_PARAM_SECONDS"\n'
SIDECAR = "description: Waits.\noptions: {seconds: {type: int, required: true, description: How long.}}\n"
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
"""Chromium knows no certificates with ed25519."""


def pair(folder: Path, name: str) -> tuple[str, str]:
    """A certificate that has signed itself, and its key."""
    cert, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1")
    words = ["openssl", "req", "-x509", *EC, "-nodes", "-days", "2", "-keyout", key, "-out", cert, *subject]
    subprocess.run(words, check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_project(tmp_path_factory.mktemp("signed_in"))
    (made / "recipes/waits.yml").write_text(RECIPE)
    (made / "scriptlets").mkdir()
    (made / "scriptlets/wait_long.sh").write_text(WAITS)
    (made / "scriptlets/wait_long.yml").write_text(SIDECAR)
    return made


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    roles = ("viewer", "operator", "author", "admin")
    with chdir(folder):
        made = {role: rack_recipes("token", "create", role, "--role", role).stdout.strip() for role in roles}
        assert rack_recipes("token", "create", "ci", "--role", "operator", "--certificate", "ci.lab").code == 0
    return made


@pytest.fixture(scope="module")
def network(folder: Path, tokens: dict[str, str]) -> Iterator[WebServer]:
    """Pages on all addresses of this machine, with TLS: who comes from here is a stranger as well."""
    cert, key = pair(folder, "rack.lab")
    ca, _key = pair(folder, "ci.lab")
    trust = ssl.create_default_context(cafile=cert)
    options = ("--listen", "0.0.0.0:0", "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca)
    with web_server(folder, *options, tls=trust) as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        yield server


def bearer(token: str) -> str:
    return f"Bearer {token}"


def test_on_the_network_each_role_may_what_its_token_says(network, tokens):
    assert "token" not in network.ready
    for role, status in (("viewer", 403), ("operator", 403), ("author", 400)):
        answer = network.send(
            f"/runs/{LAST}/baseline?format=json", {"note": "x\ny"}, Authorization=bearer(tokens[role])
        )
        assert answer.status == status, role
    assert network.ask("/runs?format=json", Authorization=bearer(tokens["viewer"])).data["total"] == 10
    assert network.ask("/runs?format=json", Authorization=bearer("rrt_x")).status == 401


def test_a_client_certificate_needs_no_token(network, folder):
    known = ssl.create_default_context(cafile=folder / "rack.lab.pem")
    known.load_cert_chain(folder / "ci.lab.pem", folder / "ci.lab.key")
    before = network.tls
    assert network.ask("/runs").headers["location"] == "/sign-in?to=%2Fruns"
    try:
        network.tls = known
        assert "certificate:ci, operator" in network.ask("/runs").text
        crossed = network.send(f"/runs/{LAST}/stop?format=json", {})
        assert (crossed.status, "not one that this server made" in crossed.data["detail"]) == (403, True)
    finally:
        network.tls = before


def test_a_browser_signs_in_over_tls_and_is_out_when_its_token_is_revoked(network, browser, folder):
    with chdir(folder):
        token = rack_recipes("token", "create", "guest", "--role", "viewer").stdout.strip()
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(TIMEOUT * 1000)
    page = context.new_page()
    page.goto(f"{network.url}/runs/{LAST}?x=1")
    page.fill("input[name=token]", token)
    page.click("button")
    page.wait_for_url(f"**/runs/{LAST}?x=1")
    [cookie] = context.cookies()
    port = network.url.rpartition(":")[2]
    wanted = (f"__Host-rack_recipes_session_{port}", True, True, "Strict")
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == wanted
    assert "token:guest, viewer" in page.inner_text("nav.site")
    with chdir(folder):
        assert rack_recipes("token", "revoke", "guest").code == 0
    page.goto(f"{network.url}/runs")
    assert page.url.endswith("/sign-in?to=%2Fruns")
    context.close()


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[WebServer]:
    """Pages for this machine alone, which may start recipes."""
    with web_server(folder, "--allow-run") as server:
        yield server


@pytest.fixture
def page(own: WebServer, browser: Any) -> Iterator[Any]:
    """A browser that has signed in there."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT * 1000)
    page = context.new_page()
    page.goto(f"{own.url}/sign-in#{own.token}")
    page.wait_for_url(f"{own.url}/runs")
    yield page
    context.close()


def test_a_recipe_is_started_and_stopped_by_forms(folder, own, page):
    """From the recipe's form, with a mistake first, to the run, its end, and the trace of both."""
    page.goto(f"{own.url}/recipes/recipes/waits.yml")
    page.fill("[name='param.seconds']", "1000")
    with page.expect_navigation():
        page.click("text=Start this recipe")
    assert "expected at most 900" in page.inner_text("#start .wrong")
    assert page.input_value("[name='param.seconds']") == "1000"
    assert violations(page) == []
    page.fill("[name='param.seconds']", "900")
    page.click("text=Start this recipe")
    page.wait_for_selector("#stop")
    run_id = page.url.rpartition("/")[2]
    with page.expect_navigation():
        page.click("text=Stop this run")
    assert "nothing was done: tick this first" in page.inner_text("#stop .wrong")
    page.check("#stop [name=confirm]")
    with page.expect_navigation():
        page.click("text=Stop this run")
    page.wait_for_selector("html[data-ready]")
    assert INTERRUPTED in page.inner_text(".status")
    assert page.inner_text(".sentence").startswith(f"Stopped by {this_user().name} at 20")
    report = own.ask(f"/runs/{run_id}/report").text
    about = own.ask(f"/runs/{run_id}?format=json").data["run"]
    actions = own.ask("/actions?format=json").data["actions"]["rows"]
    assert about["user"] == actions[0]["who"]
    assert [(row["action"], row["state"]) for row in actions][:4] == [
        ("stop", "done"), ("stop", "begun"), ("start", "done"), ("start", "begun")
    ]  # fmt: skip
    assert f"Stopped by {about['user']} at 20" in report
    with chdir(folder):
        assert f"\nstopped by {about['user']} at 20" in rack_recipes("show", run_id).stdout
        assert json.loads(rack_recipes("show", run_id, "--json").stdout)["run"]["stopped"] == about["stopped"]
    assert about["stopped"]["by"] == about["user"]
    journal = (folder / ".rack-recipes/runs" / run_id / "journal.jsonl").read_text()
    assert f"{about['user']} has stopped this run" in journal


def test_a_failure_is_waived_and_a_baseline_accepted_by_keyboard(folder, own, page):
    page.goto(f"{own.url}/runs/{LAST}/hosts/r3/uplink")
    page.focus("#waive [name=reason]")
    page.keyboard.type("RMA 1234")
    page.fill("#waive [name=until]", "2099-12-31")
    page.focus("#waive [name=reason]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(f"{own.url}/runs/{LAST}")
    page.focus("#baseline [name=note]")
    page.keyboard.type("good enough")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "nothing was done: tick this first" in page.inner_text("#baseline .wrong")
    page.focus("#baseline [name=confirm]")
    page.keyboard.press("Space")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    with chdir(folder):
        [waiver] = json.loads(rack_recipes("waivers", "list", "--json").stdout)["waivers"]
        [baseline] = json.loads(rack_recipes("baseline", "show", "--json").stdout)["baselines"]
    assert (waiver["step"], waiver["hosts"], waiver["reason"]) == ("uplink", ["r3"], "RMA 1234")
    assert (baseline["run_id"], baseline["note"], baseline["user"]) == (LAST, "good enough", waiver["who"])
