# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells all that it was given, in every way and in every form that a scriptlet can."""

import html
import json
import re
import shlex
import sys
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import quote, quote_plus

from ansible_collections.rack.recipes.plugins.module_utils.decorators import debug_trace
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


def escaped(character):
    """A character as `$'...'` of bash has it."""
    if character in "\\'\n":
        return {"\\": "\\\\", "'": "\\'", "\n": "\\n"}[character]
    return character if character.isascii() else "".join(f"\\{byte:03o}" for byte in character.encode())


def forms(text):
    """A text as people, programs and protocols write it."""
    data = text.encode()
    lines = "\n".join(text[at : at + 7] for at in range(0, len(text), 7))
    return [
        text,
        f"user:{text}@host",
        *(b64encode(b"x" * ahead + data).decode() for ahead in range(3)),
        urlsafe_b64encode(data).decode(),
        b64encode(b"Basic:" + data + b":end").decode(),
        quote(text),
        quote_plus(text),
        json.dumps(text),
        json.dumps(json.dumps({"in": text}, ensure_ascii=False)),
        repr(text),
        *map(shlex.quote, (text, json.dumps(text), shlex.quote(text))),
        "'" + text.replace("'", "'\\''") + "'",
        re.sub(r"([^A-Za-z0-9\n])", r"\\\1", text),
        "$'" + "".join(map(escaped, text)) + "'",
        "'" + text.replace("'", "''") + "'",
        '"' + text.replace('"', '""') + '"',
        *map(html.escape, (text, html.escape(text), shlex.quote(text))),
        html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;").replace("\n", "&#10;"),
        html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
        data.hex(),
        data.hex().upper(),
        lines,
        "\n".join(f"    {line}" for line in lines.splitlines()),
    ]


def tell(texts):
    for text in texts:
        for form in forms(text):
            print(form)
            sys.stderr.write(f"log: {form}\n")


class Leaks(Scriptlet):
    """Tell all, on stdout and stderr, in keys, measurements, checks, artifacts, variables and a traceback."""

    options = {
        "texts": {"type": "list", "elements": "str", "required": True},
        "hidden": {"type": "str", "no_log": True, "required": True},
        "bmc_password": {"type": "str", "required": True},
        "bmc_credentials": {"type": "dict", "required": True},
    }

    @debug_trace
    def run(self, ctx, params):
        texts = [*params["texts"], params["hidden"], params["bmc_password"], params["bmc_credentials"]["of"][0]["code"]]
        joined = "|".join(texts)
        ctx.set("c.arrived_v1", sha256(joined.encode()).hexdigest())
        tell(texts)
        ctx.set("c.texts_v1", {"list": texts, "nested": {texts[0]: forms(texts[1])}})
        ctx.set("c.bmc_password_v1", params["bmc_password"])
        for text in texts:
            ctx.measure(text, text, text)
            ctx.check(f"check of {text}", f"<{text}>", ne="nothing")
        ctx.attach("leak.txt", "\n".join(forms(joined)).encode())
        raise ValueError(f"cannot log in with {joined}")
