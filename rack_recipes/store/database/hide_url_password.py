# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The URL of a store in messages: without passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from sqlalchemy import URL


def shown(url: URL) -> str:
    """The URL for people, without the password and without options, which may contain a password too.

    An SQLite file that is opened for reading only has a URI as its path; the path itself is shown.
    """
    if url.query.get("uri") and url.database:
        url = url.set(database=unquote(url.database.removeprefix("file:")))
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(text: str, url: URL) -> str:
    """The text with all passwords of the URL masked, those in its options too."""
    options = [value for name, value in url.normalized_query.items() if "pass" in name.lower()]
    secrets = [str(url.password or ""), *(secret for value in options for secret in value)]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
