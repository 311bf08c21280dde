# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask NetBox for its cables, its devices with their racks, and other lists. The token goes to this server alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from rack_recipes.errors import UsageError
from rack_recipes.recipe.values_in_messages import shown

API = "/api/dcim/"
CABLES, DEVICES = "cables/", "devices/"
PAGE = "500"  # entries; a server with a lower MAX_PAGE_SIZE answers with fewer
MOST_PAGES = 2000
TIMEOUT = 30.0  # seconds for one page
LARGEST = 64 * 1024 * 1024  # bytes of a page
KEYED = "nbt_"
"""How tokens of NetBox 4.5 and newer begin: `Bearer`, others are `Token` (NetBox docs, REST API, Authentication)."""

HELP = {
    401: "set a token in the environment (NETBOX_TOKEN)",
    403: "set a token in the environment (NETBOX_TOKEN) that may see cables and devices",
    404: "give the URL of NetBox, such as https://netbox.example.com",
}


class _Stay(HTTPRedirectHandler):
    """Follows no redirection: it would take the token along."""

    def redirect_request(self, *_words: Any) -> None:
        return None


def fetch(url: str, token: str) -> list[tuple[str, Any]]:
    """The cables and the devices, each with the URL they are from. Raises UsageError where they cannot be had.

    `url` is that of NetBox, or of its list of cables with a filter.
    """
    return fetch_lists(url, token, (CABLES, DEVICES))


def fetch_lists(url: str, token: str, names: Sequence[str], more: str = "") -> list[tuple[str, Any]]:
    """Several lists, each with the URL it is from; a filter in `url` is for the first. `more` is asked of each.

    Raises UsageError where they cannot be had.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UsageError("expected a URL without a password: give the token in the environment (NETBOX_TOKEN)")
    base, slash, rest = parts.path.partition(API)
    if slash and rest.strip("/") not in ("", names[0].strip("/")):
        raise UsageError(f"{url}: expected the URL of NetBox or of {API}{names[0]}")
    root = urlunsplit((parts.scheme, parts.netloc, base.rstrip("/"), "", ""))
    opener = build_opener(_Stay)
    filters = [parts.query, *([""] * (len(names) - 1))]
    asked = [
        (f"{root}{API}{name}", "&".join(filter(None, (own, more)))) for name, own in zip(names, filters, strict=True)
    ]
    return [(address, _all_pages(opener, address, query, token)) for address, query in asked]


def _all_pages(opener: OpenerDirector, url: str, query: str, token: str) -> list[Any]:
    """The entries of all pages. Of the address of the next page only its query counts, so no other server is asked."""
    found: list[Any] = []
    asked = urlencode([("limit", PAGE), *(pair for pair in parse_qsl(query) if pair[0] != "limit")])
    for _number in range(MOST_PAGES):
        page = _page(opener, f"{url}?{asked}", token)
        found += page["results"]
        following = page.get("next")
        if not following or not page["results"]:
            return found
        asked = urlsplit(str(following)).query
    raise UsageError(f"{url}: expected at most {MOST_PAGES} pages, got more")


def _page(opener: OpenerDirector, url: str, token: str) -> Mapping[str, Any]:
    try:
        with opener.open(Request(url, headers=_headers(token)), timeout=TIMEOUT) as answer:  # noqa: S310 checked above
            content = answer.read(LARGEST + 1)
        page = json.loads(content) if len(content) <= LARGEST else None
    except HTTPError as error:
        error.close()
        advice = f": {HELP[error.code]}" if error.code in HELP else ""
        raise UsageError(f"{url}: expected NetBox's answer, got HTTP {error.code}{advice}") from None
    except (URLError, HTTPException, OSError) as error:
        raise UsageError(f"{url}: NetBox does not answer: {getattr(error, 'reason', None) or error}") from None
    except ValueError:
        raise UsageError(f"{url}: expected JSON, got something else: is this the URL of NetBox?") from None
    if not isinstance(page, dict) or not isinstance(page.get("results"), list):
        raise UsageError(f"{url}: expected `results`, a list, got {shown(page)}")
    return page


def _headers(token: str) -> Mapping[str, str]:
    kind = "Bearer" if token.startswith(KEYED) else "Token"
    return {"Accept": "application/json", **({"Authorization": f"{kind} {token}"} if token else {})}
