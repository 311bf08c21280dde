# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where pages are served: on this machine's own addresses alone."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.web import serve_pages


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0"])
def test_a_free_port_is_found(address):
    with serve_pages.listening(address) as listener:
        assert serve_pages.url_of(listener).startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("8321", "expected HOST:PORT, such as 127.0.0.1:8321"),
        ("127.0.0.1:x", "expected HOST:PORT, such as 127.0.0.1:8321"),
        ("127.0.0.1:99999", "expected HOST:PORT, such as 127.0.0.1:8321"),
        ("0.0.0.0:8321", "pages are served on this machine's own address alone"),
        ("192.0.2.1:8321", "pages are served on this machine's own address alone"),
    ],
)
def test_another_address_is_refused(address, reason):
    with pytest.raises(UsageError, match=f"--listen {address}: {reason}"), serve_pages.listening(address):
        pass


def test_a_port_in_use_is_named():
    with serve_pages.listening("127.0.0.1:0") as first:
        address = serve_pages.url_of(first).removeprefix("http://")
        with (
            pytest.raises(UsageError, match="in use; give another port, or 0 for any free one"),
            serve_pages.listening(address),
        ):
            pass
