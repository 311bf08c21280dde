# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import inspect

from openapi_spec_validator import OpenAPIV31SpecValidator

from rack_recipes.server.http.openapi import SCHEMAS, document
from rack_recipes.server.http.route_model import EVENTS
from rack_recipes.server.http.route_table import ROUTES


def test_the_document_is_openapi_3_1():
    assert [*OpenAPIV31SpecValidator(document(ROUTES)).iter_errors()] == []


def test_every_route_is_described():
    for entry in ROUTES:
        assert entry.about, entry.path
        assert inspect.getdoc(entry.handler), entry.path
        assert entry.answer in SCHEMAS or entry.media == EVENTS, entry.path
        assert all(param.about for param in entry.params), entry.path
    assert len({entry.name for entry in ROUTES}) == len(ROUTES)
    assert len({(entry.method, entry.path) for entry in ROUTES}) == len(ROUTES)


def test_every_parameter_of_a_path_is_in_the_table():
    for entry in ROUTES:
        in_path = {part[1:-1] for part in entry.path.split("/") if part.startswith("{")}
        assert in_path == {param.name for param in entry.params if param.place == "path"}, entry.path
