# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a web service answers as it must: status, body, a value in its JSON, time, certificate."""

from __future__ import annotations

import base64
import json
import re

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.limits import in_words, judge, limits
from scriptlets.tools.patterns import check_pattern, search
from scriptlets.tools.service_answers import NoServiceError, NotHttpError, ask_http, check_url

PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


class HttpCheck(Scriptlet):
    """Asks a web service once; redirections are not followed, so that their status can be expected.

    Redirections are not followed, so that their status can be expected.
    """

    options = {
        "url": {
            "type": "str",
            "required": True,
            "description": "The address of the page, http or https",
        },
        "method": {
            "type": "str",
            "default": "GET",
            "description": "The HTTP method",
        },
        "headers": {
            "type": "dict",
            "default": {},
            "description": "Headers to send; let a secret come from a parameter with `secret: true`",
        },
        "send": {
            "type": "str",
            "description": "The body to send",
        },
        "user": {
            "type": "str",
            "default": "",
            "description": "Who logs in, by HTTP's basic authentication",
        },
        "password": {
            "type": "str",
            "default": "",
            "no_log": True,
            "description": "The password",
        },
        "token": {
            "type": "str",
            "default": "",
            "no_log": True,
            "description": "A bearer token",
        },
        "status": {
            "type": "list",
            "elements": "int",
            "default": [200],
            "description": "The statuses that are right",
        },
        "body": {
            "type": "str",
            "description": "A regular expression that has to be found in the answer",
        },
        "json": {
            "type": "str",
            "description": "The path to a value in the answer, as in `nodes[0].load`",
        },
        "equals": {
            "type": "raw",
            "description": "What this value must be",
        },
        "min": {
            "type": "float",
            "description": "The least value, in its unit",
            "unit": "that of `unit`",
        },
        "max": {
            "type": "float",
            "description": "The greatest value, in its unit",
            "unit": "that of `unit`",
        },
        "unit": {
            "type": "str",
            "default": "",
            "description": "The unit of this value",
        },
        "max_ms": {
            "type": "float",
            "description": "How long the answer may take",
            "unit": "ms",
        },
        "min_tls_days": {
            "type": "float",
            "description": "For how long the certificate has to hold",
            "unit": "d",
        },
        "ca_file": {
            "type": "path",
            "description": "The certificate of the authority that is trusted",
        },
        "verify": {
            "type": "bool",
            "default": True,
            "description": "Whether the certificate must be trusted",
        },
        "timeout": {
            "type": "float",
            "default": 10,
            "description": "How long the service may be silent",
            "unit": "s",
        },
    }
    reads = ()
    writes = {"generic.http_v1": "status, ms (ms), tls_days_left (d) and value (in `unit`)"}
    needs = ()
    verdicts = {
        "failed": "the service does not answer, or not as it must",
        "error": "an argument is wrong",
    }
    example = """
        - name: health
          module: generic.http_check
          args:
            url: https://api.example.net/health
            json: nodes[0].load
            max: 0.9
            min_tls_days: 14
    """

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
        except (NotHttpError, NoServiceError) as error:
            raise Failed(f"{params['url']} {error}") from None
        value = value_at(answer.body, params["json"]) if params["json"] else None
        found = {"status": answer.status, "ms": answer.ms, "tls_days_left": answer.tls_days_left, "value": value}
        ctx.set("generic.http_v1", found)
        wrong = [*_wrong_answer(ctx, answer, params), *_wrong_value(ctx, value, params)]
        if wrong:
            raise Failed(f"{params['url']} {'; '.join(wrong)}")

    def asked(self, params):
        """The answer of the service. Raises NoServiceError and NotHttpError."""
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
