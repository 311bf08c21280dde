# SPDX-License-Identifier: GPL-3.0-or-later

"""For any secret, at any place of any output: what is cut off takes no part of a secret out of hiding."""

from __future__ import annotations

import base64
import os
import random
import string
from urllib.parse import quote

import pytest

pytest.importorskip("hypothesis")  # not everywhere that targets' Pythons are tested
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE, mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import OutputCapture
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_secrets import StageSecrets
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

EXAMPLES = 60 if "RACK_SOAK" in os.environ else 20
RUN = 8  # characters in a row, of which no more than these could be chance
FORMS = (
    str,
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: secret.encode().hex(),
    lambda secret: quote(secret, safe=""),
    lambda secret: repr(secret)[1:-1],
)
LENGTHS = st.one_of(st.integers(8, 100), st.integers(100, 3000), st.integers(3000, 20_000))
ALPHABETS = st.sampled_from([string.ascii_letters + string.digits, string.ascii_letters + "+/=-_%\"'\\"])
FILLERS = st.sampled_from([" ", "\n", ". ", ".\n", "\t"])


@st.composite
def texts(draw, largest):
    """A secret, one of its forms, and a text of that and of what is no part of it."""
    chance, alphabet = random.Random(draw(st.integers(0, 2**32))), draw(ALPHABETS)
    secret = "X" + "".join(chance.choice(alphabet) for _index in range(draw(LENGTHS) - 2)) + "Z"
    form, filler, pieces, size = draw(st.sampled_from(FORMS))(secret), draw(FILLERS), [], 0
    while size < largest:
        pieces.append(filler * chance.choice([1, 3, 50, 1000]) if chance.random() < 0.5 else f"{filler[-1]}{form}")
        size += len(pieces[-1])
    return secret, form, "".join(pieces)[: draw(st.sampled_from([largest, largest // 3])) - chance.randrange(500)]


def shown_of(form, text):
    return {form[at : at + RUN] for at in range(len(form) - RUN + 1)} & {
        text[at : at + RUN] for at in range(len(text) - RUN + 1)
    }


def whole(form, text):
    """The text without the part of a form at its very end: what ends so was printed so."""
    start = text.rfind(form[:RUN])
    return text if start < 0 or form in text[start:] else text[:start]


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    texts(60_000), st.sampled_from([400, 2000, 20_000]), st.sampled_from([0, 500, 16_384]), st.integers(20_000, 60_000)
)
def test_an_output_shows_no_part_of_a_secret(made, limit, head, tail):
    secret, form, text = made
    capture, mask = OutputCapture(head, tail), Mask([secret])
    capture.add(whole(form, text).encode())
    assert shown_of(form, capture.text(limit, mask)) == set()
    assert shown_of(form, capture.end(400, mask)) == set()


@settings(deadline=None, max_examples=EXAMPLES)
@given(texts(2 * LONGEST_MESSAGE), st.booleans())
def test_a_message_shows_no_part_of_a_secret(made, is_value):
    """Nor where it was cut in the child, which knows no more of secrets than that there may be some."""
    secret, form, text = made
    message = f"got {mark_if_long(text)}, not 5" if is_value else text
    message = message[:LONGEST_MESSAGE] if len(message) >= LONGEST_MESSAGE else whole(form, message)
    assert shown_of(form, StageSecrets({"secrets": [secret]}).reason(message)) == set()
