# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of `serve --web` that do not go together, or name what it cannot use."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call


@pytest.mark.parametrize("words", [("--new",), ("--run", "R1"), ("--socket", "x.sock")])
def test_options_of_the_context_server_are_refused(words, project):
    code, _out, err = call("serve", "--web", *words)
    assert (code, f"{words[0]} is for the context server" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--web", "--listen", "0.0.0.0:0"), "--listen 0.0.0.0:0 without TLS: everybody on the network could read"),
        (("--web", "--listen", "8321"), "--listen: expected HOST:PORT such as 127.0.0.1:8470"),
        (("--web", "--listen", "127.0.0.1:0", "--tls-cert", "none.pem"), "--tls-key none.pem: No such file"),
        (("--web", "--tls-key", "none.key"), "--tls-key needs --tls-cert, too"),
        (("--web", "-i", "inventory.yml"), "--inventory is for the runs that pages start: add --allow-run"),
        (("--allow-run",), "--allow-run is for pages: add --web, or leave it out"),
        (("--allow-upload",), "--allow-upload is for pages: add --web, or leave it out"),
        (("--max-upload", "1MB"), "--max-upload is for pages: add --web, or leave it out"),
        (("--web", "--max-upload", "1MB"), "--max-upload is for the runs that other controllers bring: add --allow-up"),
        (("--web", "--allow-upload", "--max-upload", "x"), "expected a size such as 10GiB, 500MB or 4096, got 'x'"),
        (("-i", "inventory.yml"), "--inventory is for pages: add --web, or leave it out"),
    ],
)
def test_what_does_not_go_together_is_told(words, message, project):
    code, _out, err = call("serve", *words)
    assert (code, message in err) == (2, True), err


def test_tokens_that_others_can_read_are_refused(project):
    Path("tokens.json").write_text("{}")
    Path("tokens.json").chmod(0o644)
    code, _out, err = call("serve", "--web", "--listen", "127.0.0.1:0", "--tokens", "tokens.json")
    assert (code, "chmod 600 tokens.json" in err) == (2, True)
