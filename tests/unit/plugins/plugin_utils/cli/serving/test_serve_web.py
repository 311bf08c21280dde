# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of `serve --web` that do not go together, or name what it cannot use."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.call_command import call


@pytest.mark.parametrize("words", [("--new",), ("--run", "R1"), ("--socket", "x.sock"), ("--tls-cert", "c.pem")])
def test_options_of_the_context_server_are_refused(words, project):
    code, _out, err = call("serve", "--web", *words)
    assert (code, f"{words[0]} is for the context server" in err) == (2, True)


def test_another_machine_cannot_be_served(project):
    code, _out, err = call("serve", "--web", "--listen", "0.0.0.0:8321")
    assert (code, "pages are served on this machine's own address alone" in err) == (2, True)
