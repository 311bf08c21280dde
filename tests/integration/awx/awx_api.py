# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of AWX's API that the modules of awx.awx use, in memory. AWX itself needs a cluster of containers.

It refuses what AWX refuses of a survey and of its answers: awx/api/views/__init__.py (JobTemplateSurveySpec), and
awx/main/models/mixins.py (SurveyJobTemplateMixin), release 24.6.1, told here in fewer words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = "/api/v2/"
SURVEY_TYPES: Mapping[str, Any] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": (float, int),
}
FIELDS = {"type": str, "question_name": str, "variable": str, "required": bool}
DONE = {"status": "successful", "failed": False, "finished": "now", "event_processing_finished": True}
ENCRYPTED = "$encrypted$"
# Fields that objects have when nobody has set them, as far as the modules compare them.
EMPTY = {"scm_revision": "abc", "summary_fields": {}}

Item = dict[str, Any]


def refused_survey(spec: Mapping[str, Any]) -> str:
    """Why AWX would not take a survey, or an empty string."""
    if not isinstance(spec.get("name"), str) or not isinstance(spec.get("description"), str):
        return "name and description must be texts"
    if not isinstance(spec.get("spec"), list) or not spec["spec"]:
        return "spec must be a list with questions"
    variables = [question.get("variable") for question in spec["spec"]]
    if len({*variables}) < len(variables):
        return "two questions have one variable"
    return next(filter(None, map(_refused_question, spec["spec"])), "")


def _refused_question(question: Mapping[str, Any]) -> str:
    return _refused_fields(question) or _refused_default(question)


def _refused_fields(question: Mapping[str, Any]) -> str:
    for name, kind in FIELDS.items():
        if not isinstance(question.get(name), kind):
            return f"{name} must be of the type {kind.__name__}: {question}"
    if question["type"] not in SURVEY_TYPES:
        return f"there is no type {question['type']}"
    return ""


def _refused_default(question: Mapping[str, Any]) -> str:
    default = question.get("default", "")
    if default != "" and not isinstance(default, SURVEY_TYPES[question["type"]]):
        return f"the default has another type: {question}"
    if not all(isinstance(question.get(bound, 0), int) for bound in ("min", "max")):
        return f"min and max must be whole numbers: {question}"
    if question["type"] in ("multiplechoice", "multiselect"):
        if "choices" not in question:
            return f"there are no choices: {question}"
        if any(item not in question["choices"] for item in default.splitlines()):
            return f"the default is no choice: {question}"
    return ""


def refused_answer(question: Mapping[str, Any], answers: Mapping[str, Any]) -> str:
    """Why AWX would not start a job with such an answer, or an empty string."""
    name = question["variable"]
    if name not in answers:
        return f"{name} is missing" if question["required"] else ""
    answer, kind = answers[name], question["type"]
    if kind == "multiselect":
        return (
            ""
            if isinstance(answer, list) and all(one in question["choices"] for one in answer)
            else f"{name}: a choice"
        )
    if isinstance(answer, bool) or not isinstance(answer, SURVEY_TYPES[kind]):
        return f"{name}: {answer!r} is of another type than {kind}"
    if kind == "multiplechoice":
        return "" if answer in question["choices"] else f"{name}: {answer!r} is no choice"
    size = len(answer) if isinstance(answer, str) else answer
    within = question.get("min", size) <= size <= question.get("max", size)
    return "" if within else f"{name}: {answer!r} is out of bounds"


class AwxApi:
    """The objects of an AWX by kind and id, and what was refused."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, Item]] = {}
        self.links: dict[str, list[int]] = {}
        self.refused: list[str] = []
        self._next = 0
        self.create("organizations", {"name": "Default"})

    def create(self, kind: str, data: Item) -> Item:
        """A new object."""
        self._next += 1
        url = f"{ROOT}{kind}/{self._next}/"
        related = {name: f"{url}{name}/" for name in ("survey_spec", "update")}
        made = {**EMPTY, **data, "id": self._next, "url": url, "type": kind.rstrip("s"), "related": related}
        self.objects.setdefault(kind, {})[self._next] = made
        return made

    def named(self, kind: str, name: str) -> Item:
        """The object of a kind with this name."""
        return next(item for item in self.objects[kind].values() if item["name"] == name)

    def linked(self, kind: str, name: str, links: str) -> list[Any]:
        """The names of the objects that an object is linked with."""
        item = self.named(kind, name)
        return [self.find(number).get("name") for number in self.links.get(f"{kind}/{item['id']}/{links}", [])]

    def find(self, number: int) -> Item:
        """The object with this id."""
        return next(items[number] for items in self.objects.values() if number in items)

    def launch_errors(self, template: str, answers: Mapping[str, Any]) -> list[str]:
        """Why AWX would not start a job template with these answers."""
        spec = self.named("job_templates", template)["survey"]["spec"]
        return [*filter(None, (refused_answer(question, answers) for question in spec))]

    def answer(self, method: str, path: str, query: Mapping[str, str], data: Item) -> tuple[int, Any]:
        """The status and the content of an answer."""
        kind, number, part = [*path.removeprefix(ROOT).strip("/").split("/"), "", ""][:3]
        if not number:
            return (201, self.create(kind, data)) if method == "POST" else (200, self._list(kind, query))
        item = self.objects[kind][int(number)]
        if part:
            return self._part(method, item, f"{kind}/{number}", part, data)
        if method == "PATCH":
            item.update(data)
        return 200, self._shown(item)

    def _part(self, method: str, item: Item, place: str, part: str, data: Item) -> tuple[int, Any]:
        if part == "update":
            return 202, self.create(f"{place.partition('/')[0].rstrip('s')}_updates", {**DONE})
        if part == "survey_spec":
            return self._survey(method, item, data)
        links = self.links.setdefault(f"{place}/{part}", [])
        if method == "GET":
            return 200, {"count": len(links), "next": None, "results": [self.find(number) for number in links]}
        links.remove(data["id"]) if data.get("disassociate") else links.append(data["id"])
        return 204, None

    def _survey(self, method: str, item: Item, data: Item) -> tuple[int, Any]:
        if method == "GET":
            return 200, item.get("survey", {})
        problem = refused_survey(data)
        if problem:
            self.refused.append(problem)
            return 400, {"error": problem}
        item["survey"] = data
        return 200, {}

    def _list(self, kind: str, query: Mapping[str, str]) -> Item:
        kinds = ("job_templates", "workflow_job_templates") if kind == "unified_job_templates" else (kind,)
        items = [item for one in kinds for item in self.objects.get(one, {}).values()]
        found = [item for item in items if all(str(item.get(name)) == value for name, value in query.items())]
        return {"count": len(found), "next": None, "results": [*map(self._shown, found)]}

    def _shown(self, item: Item) -> Item:
        """An object without the secrets of its credential."""
        if "credential_type" not in item:
            return item
        fields = self.objects["credential_types"][item["credential_type"]]["inputs"]["fields"]
        secret = {field["id"] for field in fields if field.get("secret")}
        inputs = {name: ENCRYPTED if name in secret and value else value for name, value in item["inputs"].items()}
        return {**item, "inputs": inputs}


def handler_of(awx: AwxApi) -> type[BaseHTTPRequestHandler]:
    """What answers requests to an AWX."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            data = json.loads(self.rfile.read(size) or b"{}")
            path = urlsplit(self.path)
            status, content = awx.answer(self.command, path.path, dict(parse_qsl(path.query)), data)
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names are http.server's

        def log_message(self, *words: Any) -> None:
            pass

    return Handler


def is_playbook(text: str) -> bool:
    """Whether AWX lists a file as a playbook: awx/main/utils/ansible.py."""
    line = re.compile(
        r"^\s*?-?\s*?(?:hosts|(ansible\.builtin\.)?include|(ansible\.builtin\.)?import_playbook):\s*?.*?$"
    )
    return any(map(line.match, text.splitlines()))
