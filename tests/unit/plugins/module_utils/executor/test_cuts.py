# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is cut before people see it, no part of a secret of more than a few characters is among what is left.

For any secret, at any place of any output: what is cut off takes no part of a secret out of hiding.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import random
import string
import sys
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE, mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import OutputCapture
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.shell import ShellScriptlet
from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, python

RUN = 8  # characters in a row, of which no more than these could be chance
PLAIN = string.ascii_letters + string.digits
ODD = PLAIN + "+/=-_.:'\"\\ \n\t%{}ä€😀"
# Each is to end badly, or to print much, with a secret that lies wherever a message or an output is cut.
IN_PYTHON = {
    "measurement": lambda ctx, key, _text: ctx.add_measurement(key),
    "check": lambda ctx, key, _text: ctx.add_check(key),
    "limit of a check": lambda ctx, key, _text: ctx.check("n", key, max=1),
    "artifact": lambda ctx, key, _text: ctx.add_artifact(key),
    "artifact's name": lambda ctx, key, _text: ctx.attach(key + "/", b"x"),
    "media type": lambda ctx, key, _text: ctx.attach("x", b"x", media_type=key + "é"),
    "context key": lambda ctx, key, _text: ctx.set(key, 1),
    "key of a mapping": lambda ctx, key, _text: ctx.set("t.x_v1", {(key, 1): 1}),
    "returned": lambda _ctx, key, _text: [key],
    "failed": lambda _ctx, _key, text: _raise(Failed(text)),
    "raised": lambda _ctx, _key, text: _raise(KeyError(text)),
    "long message": lambda _ctx, key, _text: _raise(Failed(" " + f"{key} " * (2 * LONGEST_MESSAGE // len(key)))),
    "left": lambda _ctx, _key, text: sys.exit(text),
    "stdout": lambda _ctx, _key, text: print(text * 9),
    "stderr": lambda _ctx, _key, text: print(text * 9, file=sys.stderr),
    "one line": lambda _ctx, key, _text: print(key * (30_000 // len(key) + 2), file=sys.stderr),
    "very much": lambda _ctx, key, _text: print(f"{key} " * (4_400_000 // len(key))),
    "base64": lambda _ctx, key, _text: print(_in_base64(key) * (30_000 // len(key) + 2)),
    "hexadecimal": lambda _ctx, key, _text: print(_in_hex(key) * (30_000 // len(key) + 2)),
    "no event": lambda _ctx, key, _text: os.write(3, f"{key} {key}\n".encode()),
}
IN_A_SCRIPT = {
    "status": lambda key, _text: print(json.dumps({"status": key})),
    "measurement in an envelope": lambda key, _text: print(json.dumps({"status": "ok", "measurements": [key]})),
    "reason": lambda _key, text: print(json.dumps({"status": "failed", "reason": text})),
    "no envelope": lambda _key, text: print(text * 9),
    "one line without an envelope": lambda key, _text: print(key * (30_000 // len(key) + 2)),
    "exit code": lambda key, text: sys.exit(f"{text * 9}\n{key * 9}"),
}
SCRIPT = f"""#!{sys.executable}
import json, sys
from {__name__} import IN_A_SCRIPT
params = json.load(sys.stdin)["params"]
IN_A_SCRIPT[params["how"]](params["key"], params["text"])
"""


def _raise(error):
    raise error


def _in_base64(text):
    return base64.b64encode(text.encode()).decode()


def _in_hex(text):
    return binascii.hexlify(text.encode()).decode()


class Told(Scriptlet):
    def run(self, ctx, params):
        return IN_PYTHON[params["how"]](ctx, params["key"], params["text"])


class Shown(ShellScriptlet):
    """A program that ends badly."""

    shell = True
    command = "cat >&2; exit 3"

    def stdin(self, ctx, params):
        return params["text"] * 9


class Unsaid(ShellScriptlet):
    """A program without an envelope, that prints more than is kept."""

    command = "cat"

    def stdin(self, ctx, params):
        return f"{params['key']} " * (4_400_000 // len(params["key"]))


class Number(Scriptlet):
    options = {"key": {"type": "int"}, "text": {}}

    def run(self, ctx, params):
        """Nobody comes here: the key is no number."""


def a_secret(chance, length, letters):
    return "X" + "".join(chance.choice(letters) for _index in range(length - 2)) + "Z"


def texts_in(value):
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in (name, *texts_in(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


def runs_of(text):
    return {text[at : at + RUN] for at in range(len(text) - RUN + 1)}


def shown_of(secret, records):
    """What the records show of a secret, in the forms that it was printed in."""
    forms = runs_of(secret) | runs_of(_in_hex(secret))
    for ahead in range(3):
        forms |= runs_of(_in_base64("\0" * ahead + secret)[4:-4])
    return {record["step"]: sorted(found)[:3] for record in records if (found := _runs(record) & forms)}


def _runs(record):
    return set().union(*map(runs_of, texts_in(record)))


@pytest.mark.repeats(one_in=7)
@pytest.mark.parametrize("letters", [PLAIN, ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("length", [8, 20, 73, 150, 420, 1700, 5000, 20_000])
def test_no_part_of_a_secret_is_shown(work, length, letters):
    chance = random.Random(f"{length} {letters}")
    secret = a_secret(chance, length, letters)
    steps = []
    for how in (*IN_PYTHON, *IN_A_SCRIPT):
        text = "." * chance.choice([0, 3, 79, 199, 380, 3990, 9000, 9990]) + f" {secret} " * chance.randint(1, 4)
        args = {"key": "${params.key}", "text": text, "how": how}
        kind = python(Told, how, args=args) if how in IN_PYTHON else work.script(SCRIPT, how, file="s", args=args)
        steps.append({**kind, "continue_on_fail": True})
    for scriptlet in (Shown, Unsaid, Number):
        args = {"key": "${params.key}", "text": f". {secret} "}
        steps.append(python(scriptlet, args=args, options=scriptlet.options, continue_on_fail=True))
    condition = {"value": ["${params.key}"], "eq": ["${params.key}", 1]}
    steps.append(work.script(OK, "criterion", success={"values": [condition]}, continue_on_fail=True))
    steps.append(work.script(OK, "reference", args={"x": "${t.x_v1@${params.key}}"}, continue_on_fail=True))
    ran = work.run(*steps, params={"key": secret}, secrets=[secret])
    assert shown_of(secret, ran.records) == {}
    assert {name for name, verdict in ran.verdicts.items() if verdict == "passed"} == {
        *("stdout", "stderr", "one line", "very much", "base64", "hexadecimal")
    }


class Late(Scriptlet):
    """It knows only at its second try what it has printed at its first."""

    def run(self, ctx, params):
        print("." * 9995 + params["text"] + "." * 20_000 + params["text"] + "." * 9995)
        if os.path.exists("tried"):
            ctx.secret(params["text"])
        open("tried", "w").close()
        raise Failed("once more")


def test_a_secret_that_is_registered_later_is_not_shown_where_output_was_cut(work):
    secret = a_secret(random.Random(1), 30, PLAIN)
    ran = work.run(python(Late, args={"text": secret}, retry={"max": 2}))
    first, second = ran.only["attempts"]
    assert ["bytes left out" in attempt["stdout"] for attempt in (first, second)] == [True, True]
    assert not {secret[at : at + 3] for at in range(28)} & {first["stdout"][at : at + 3] for at in range(30_000)}


def test_a_hook_s_reason_is_masked_and_cut(work):
    secret = a_secret(random.Random(2), 400, PLAIN)
    hook = python(Number, "hook", options=Number.options, args={"key": "${params.key}"})
    ran = work.run(work.script(OK), hooks={"pre_step": [hook]}, params={"key": secret}, secrets=[secret])
    assert ran.only["hooks"][0]["reason"] == "argument 'key': expected a whole number, got '********'"


EXAMPLES = 60 if "RACK_SOAK" in os.environ else 20
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


def shown_parts_of(form, text):
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
    assert shown_parts_of(form, capture.text(limit, mask)) == set()
    assert shown_parts_of(form, capture.end(400, mask)) == set()


@settings(deadline=None, max_examples=EXAMPLES)
@given(texts(2 * LONGEST_MESSAGE), st.booleans())
def test_a_message_shows_no_part_of_a_secret(made, is_value):
    """Nor where it was cut in the child, which knows no more of secrets than that there may be some."""
    secret, form, text = made
    message = f"got {mark_if_long(text)}, not 5" if is_value else text
    message = message[:LONGEST_MESSAGE] if len(message) >= LONGEST_MESSAGE else whole(form, message)
    assert shown_parts_of(form, StageSecrets({"secrets": [secret]}).reason(message)) == set()
