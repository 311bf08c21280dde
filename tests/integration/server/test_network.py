# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on the network: TLS, tokens that come and go, client certificates, and no token in anything that is kept."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.rack.recipes.tests.integration.server.certificates import Authority
from ansible_collections.rack.recipes.tests.integration.server.network_client import (
    NetworkConnection,
    ask,
    new_token,
    trusting,
)
from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, served
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.access.wrong_tokens import mangled
from call_rack_recipes import rack_recipes

WRONG = 10_000 if "RACK_SOAK" in os.environ else 400  # tokens


class Network(NamedTuple):
    """A server with TLS, its project, what its clients trust, and a token."""

    server: Server
    project: Path
    authority: Authority
    context: ssl.SSLContext
    token: str


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One server for all tests of this file."""
    project, files = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("pem")
    authority = Authority(files)
    own = authority.signed("localhost")
    tls = ("--tls-cert", str(own.cert), "--tls-key", str(own.key), "--tls-client-ca", str(authority.pair.cert))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        token = new_token("zoe", "author", "--keys", "link.*")
        with served("--listen", "localhost:0", "--requests", "1000000", *tls) as server:
            yield Network(server, project, authority, trusting(authority.pair), token)


def test_a_token_lets_in_and_its_name_is_in_the_history(network):
    server, context, token = network.server, network.context, network.token
    assert server.ready["url"].startswith("https://localhost:")
    assert ask(server, "PUT", "/ctx/link.a_v1", 1, token, context=context).data["version"] == 1
    changes = ask(server, "GET", "/ctx/link.a_v1/history", token=token, context=context).data["changes"]
    assert changes[0]["who"] == "token:zoe"
    refused = ask(server, "PUT", "/ctx/power_v1", 1, token, context=context)
    assert (refused.status, refused.data["detail"]) == (403, "token:zoe may write the keys link.*, not power_v1")
    for target in ("/ctx", "/", "/openapi.json", "/nowhere"):
        nobody = ask(server, "GET", target, context=context)
        assert (nobody.status, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="rack-recipes"')


def test_without_tls_there_is_no_answer(network):
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(network.server, "GET", "/ctx", token=network.token)


def test_foreign_expired_mangled_and_revoked_tokens_are_not_let_in(network):
    server = network.server
    ended = new_token("ended", "admin")
    rack_recipes("token", "revoke", "ended")
    expired = new_token("short", "admin", "--expires", "0h")
    connection = NetworkConnection(server, network.context)
    answers = {}
    for wrong in (ended, expired, *mangled(network.token, WRONG)):
        text = wrong.encode("latin-1", "replace").decode("latin-1").strip("\r\n")
        answer = connection.ask("GET", "/ctx", Authorization=f"Bearer {text}")
        answers.setdefault((answer.status, answer.text), text)
    connection.close()
    assert [status for status, _text in answers] == [401], "all are told the same"
    unix = server.ask("GET", "/ctx", Authorization=f"Bearer {ended}")
    assert unix.status == 401, "nor by the Unix socket"
    _no_trace_of(network, ended, expired, network.token)


def _no_trace_of(network: Network, *tokens: str) -> None:
    """No secret of a token is in a file of the project, in the log, or in what /proc shows of the server."""
    process = Path(f"/proc/{network.server.process.pid}")
    files = [file for file in network.project.rglob("*") if file.is_file()]
    shown = [file.read_bytes() for file in (*files, network.server.log, process / "cmdline", process / "environ")]
    assert [token for token in tokens for text in shown if token[21:].encode() in text] == []
    assert network.server.log.read_text() == ""


def test_a_revoked_token_ends_at_once_also_for_streams_and_those_who_wait(network):
    server, context = network.server, network.context
    token = new_token("guest", "viewer")
    stream = NetworkConnection(server, context)
    stream.request("GET", "/events", headers={"Authorization": f"Bearer {token}"})
    events = stream.getresponse()
    assert events.status == 200
    waiting: list[int] = []
    waiter = threading.Thread(
        target=lambda: waiting.append(ask(server, "GET", "/ctx/late_v1?wait=60", token=token, context=context).status)
    )
    waiter.start()
    assert ask(server, "GET", "/ctx", token=token, context=context).status == 200
    rack_recipes("token", "revoke", "guest")
    assert ask(server, "GET", "/ctx", token=token, context=context).status == 401
    server.ask("PUT", "/ctx/late_v1", 1)
    assert b"late_v1" not in events.read(), "the stream ends before it shows anything more"
    waiter.join()
    assert waiting == [401]
    stream.close()


def test_the_name_of_a_client_certificate_has_a_role(network):
    server, authority = network.server, network.authority
    known, other = authority.signed("ci", "ci.lab"), authority.signed("stranger")
    assert rack_recipes("token", "create", "ci", "--role", "viewer", "--certificate", "ci.lab").code == 0
    context = trusting(authority.pair, known)
    assert ask(server, "GET", "/ctx", context=context).status == 200
    refused = ask(server, "PUT", "/ctx/a_v1", 1, context=context)
    assert refused.data["detail"] == "certificate:ci has the role viewer, PUT /ctx/{key} needs author"
    assert ask(server, "GET", "/ctx", context=trusting(authority.pair, other)).status == 401
    rack_recipes("token", "revoke", "ci")
    assert ask(server, "GET", "/ctx", context=context).status == 401


def test_a_certificate_of_another_authority_is_refused(network, tmp_path):
    foreign = Authority(tmp_path, "foreign").signed("ci", "ci.lab")
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        ask(network.server, "GET", "/ctx", context=trusting(network.authority.pair, foreign))
    assert ask(network.server, "GET", "/ctx", token=network.token, context=network.context).status == 200
