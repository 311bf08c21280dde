# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a web service answers as it must: status, body, a value in its JSON, time, certificate."""

from __future__ import annotations

import base64
import json
import re

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.tools.limits import in_words, judge, limits
from scriptlets.tools.patterns import check_pattern, search
from scriptlets.tools.service_answers import ADVICE, NotHttpError, ask_http, check_url, state_of

PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


class HttpCheck(Scriptlet):
    """Asks a web service once; redirections are not followed, so that their status can be expected.

    `body` is a regular expression that has to be found in the answer. `json` is the path to a value in it, as in
    `nodes[0].load`, which is judged by `equals`, `min` and `max`. `min_tls_days` is for how long the certificate has to
    hold. `token` and `password` are masked; let another secret in `headers` come from a parameter with `secret: true`.
    """

    options = {
        "url": {"type": "str", "required": True},
        "method": {"type": "str", "default": "GET"},
        "headers": {"type": "dict", "default": {}},
        "send": {"type": "str"},
        "user": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": True},
        "token": {"type": "str", "default": "", "no_log": True},
        "status": {"type": "list", "elements": "int", "default": [200]},
        "body": {"type": "str"},
        "json": {"type": "str"},
        "equals": {"type": "raw"},
        "min": {"type": "float"},
        "max": {"type": "float"},
        "unit": {"type": "str", "default": ""},
        "max_ms": {"type": "float"},
        "min_tls_days": {"type": "float"},
        "ca_file": {"type": "path"},
        "verify": {"type": "bool", "default": True},
        "timeout": {"type": "float", "default": 10},
    }
    reads = ()
    writes = ("generic.http_v1",)

    def validate(self, ctx, params):
        check_url(params["url"])
        if params["json"] is None and limits(params, ("equals", "min", "max")):
            raise ValueError("equals, min, max: a limit needs `json`, the path to the value")
        if params["min_tls_days"] is not None and not (params["verify"] and params["url"].startswith("https:")):
            raise ValueError("min_tls_days: needs https and verify: only a certificate that is verified is read")
        check_pattern("body", params["body"])

    def run(self, ctx, params):
        try:
            answer = self.asked(params)
        except NotHttpError as error:
            raise Failed(f"{params['url']} {error}") from None
        except OSError as error:
            raise Failed(f"{params['url']} {ADVICE[state_of(error)]}") from None
        value = value_at(answer.body, params["json"]) if params["json"] else None
        found = {"status": answer.status, "ms": answer.ms, "tls_days_left": answer.tls_days_left, "value": value}
        ctx.set("generic.http_v1", found)
        wrong = [*_wrong_answer(ctx, answer, params), *_wrong_value(ctx, value, params)]
        if wrong:
            raise Failed(f"{params['url']} {'; '.join(wrong)}")

    def asked(self, params):
        """The answer of the service. Raises OSError and NotHttpError."""
        body = None if params["send"] is None else params["send"].encode()
        headers = {**params["headers"], **_authorization(params)}
        return ask_http(
            params["url"], params["timeout"], params["method"], headers.items(), body, params["ca_file"],
            verify=params["verify"],
        )  # fmt: skip


def value_at(text, path):
    """The value at a path in a JSON text; None where there is none."""
    try:
        found = json.loads(text)
        for name, number in PART.findall(path):
            found = found[int(number)] if number else found[name]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return found


def _authorization(params):
    if params["token"]:
        return {"Authorization": f"Bearer {params['token']}"}
    if params["user"]:
        words = base64.b64encode(f"{params['user']}:{params['password']}".encode()).decode()
        return {"Authorization": f"Basic {words}"}
    return {}


def _wrong_answer(ctx, answer, params):
    if ctx.check("status", answer.status, one_of=params["status"]) == "failed":
        wanted = " or ".join(map(str, params["status"]))
        yield f"answers status {answer.status}, expected {wanted}: read the log of the service"
    if judge(ctx, "ms", answer.ms, "ms", max=params["max_ms"]) == "failed":
        yield f"took {answer.ms:g} ms, at most {params['max_ms']:g}: look for load on host and way"
    days = answer.tls_days_left
    if days is not None and judge(ctx, "tls_days_left", days, "d", min=params["min_tls_days"]) == "failed":
        yield f"has a certificate for {days:g} more days, at least {params['min_tls_days']:g}: renew it"
    if params["body"] is not None:
        is_found = search("body", params["body"], answer.body) is not None
        if ctx.check("body_matches", is_found, eq=True) == "failed":
            yield f"does not answer with {params['body']!r}: compare what it answers, and its version"


def _wrong_value(ctx, value, params):
    path = params["json"]
    if path is None:
        return
    if ctx.check("has_value", value is not None, eq=True) == "failed":
        yield f"answers no JSON with a value at {path}: compare the path with the answer"
        return
    if params["equals"] is not None and ctx.check(path, value, params["unit"], eq=params["equals"]) == "failed":
        yield f"has {path} {value!r}, expected {params['equals']!r}"
    given = limits(params)
    if given and judge(ctx, path, value, params["unit"], **given) == "failed":
        yield f"has {path} {value:g} {params['unit']}".rstrip() + f", expected {in_words(given)}"
