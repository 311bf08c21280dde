# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that a value shows, in what filters make of them."""

from __future__ import annotations

import html
import json
import shlex
import textwrap
import time
from base64 import b64encode
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, quote_plus

import markupsafe
import pytest
import yaml

from rack_recipes.run.run_secrets import secrets_shown_in

SECRETS = ["hunter2-of-r2", 'a "b" \\ ü→/+\nsecond line of it', 'it\'s <a> & "b"', "12345678", "abcd", "ab"]
FORMS: dict[str, Callable[[str], Any]] = {
    "itself": lambda text: text,
    "in a longer text": lambda text: {"url": [f"http://me:{text}@host"]},
    "a name": lambda text: [{f"<{text}>": None}],
    "to_json": lambda text: json.dumps({"a": text}),
    "to_json without escapes": lambda text: json.dumps([text], ensure_ascii=False),
    "urlencode": lambda text: f"x={quote(text)}",
    "urlencode of all": lambda text: quote(text, safe=""),
    "a form's field": quote_plus,
    "b64encode": lambda text: b64encode(text.encode()).decode(),
    "b64encode, one before": lambda text: b64encode(f"x{text}:y".encode()).decode(),
    "b64encode, two before": lambda text: b64encode(f"me{text}yy".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "indent": lambda text: textwrap.indent(text, "    "),
    "quote": shlex.quote,
    "escape": lambda text: str(markupsafe.escape(text)),
    "xml": html.escape,
    "to_yaml": lambda text: yaml.safe_dump([text], default_style="'", width=1000),
    "trim": lambda text: text.strip(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("secret", SECRETS[:5])
def test_what_filters_make_of_a_secret(secret: str, form: Callable[[str], Any]):
    assert secret in secrets_shown_in(SECRETS, ["before", form(secret), 5])
    assert f"{secret}\n" in secrets_shown_in([f"{secret}\n"], form(secret))


def test_nothing_else():
    assert secrets_shown_in(SECRETS, ["hunter", {"x": 1234567, "y": None}, "AB", ()]) == []
    assert secrets_shown_in(["", "\n"], ["", "x"]) == []
    assert secrets_shown_in([], ["hunter2"]) == []


def test_a_short_one_is_found_anywhere():
    assert secrets_shown_in(["ab", "xy"], ["c ab c"]) == ["ab"]


def test_a_number_is_looked_for_as_text():
    assert secrets_shown_in(SECRETS, [{"pin": 12345678}]) == ["12345678"]
    assert secrets_shown_in(SECRETS, [{"pin": 12345678.0}]) == ["12345678"]


def test_many_secrets_take_no_time():
    many = [token_urlsafe(16) for _number in range(2_000)]
    text = token_urlsafe(20_000)
    start = time.process_time()
    assert secrets_shown_in([*many, "it"], [text, f"<{many[7]}>", "it"]) == [many[7], "it"]
    assert time.process_time() - start < 1
