# SPDX-License-Identifier: GPL-3.0-or-later

"""A plugin without its library says which package is missing and the command that installs it."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import check_library
from ansible_collections.rack.recipes.plugins.module_utils.check_library import VERSION, Library, problem_of

COMMAND = f"Install it for the Python of Ansible: {sys.executable} -m pip install rack-recipes=={VERSION}"


def installed(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    monkeypatch.setattr(check_library, "_installed", lambda: version)


def test_with_the_library_a_plugin_goes_on(monkeypatch: pytest.MonkeyPatch):
    installed(monkeypatch, VERSION)
    with Library() as found:
        import json  # noqa: F401
    found.check(ValueError)


def test_without_it_the_use_is_an_error_and_the_import_is_none(monkeypatch: pytest.MonkeyPatch):
    installed(monkeypatch, None)
    with Library() as found:
        import no_such_library  # noqa: F401
    with pytest.raises(ValueError, match="is not installed") as caught:
        found.check(ValueError)
    assert str(caught.value) == f"the Python package rack-recipes {VERSION} is not installed. {COMMAND}"


def test_another_version_is_named_with_both_places(monkeypatch: pytest.MonkeyPatch):
    installed(monkeypatch, "0.0.9")
    monkeypatch.setattr(check_library, "_place", lambda: "/other/rack_recipes/__init__.py")
    told = problem_of("")
    assert check_library.__file__ in told
    assert "needs rack-recipes 0.1.0, and /other/rack_recipes/__init__.py is 0.0.9" in told
    assert told.endswith(COMMAND)


def test_all_packages_that_are_missing_are_named_at_once(monkeypatch: pytest.MonkeyPatch):
    def version(name: str) -> str:
        if name.startswith("gone"):
            raise metadata.PackageNotFoundError
        return "1"

    installed(monkeypatch, VERSION)
    needed = ["gone-one>=2", "here", "gone_two<3", "gone-extra; extra == 'server'"]
    monkeypatch.setattr(metadata, "requires", lambda _name: needed)
    monkeypatch.setattr(metadata, "version", version)
    assert problem_of("No module named 'gone'").startswith(
        "packages that rack-recipes needs are missing: gone-one, gone_two. Install"
    )


def test_what_else_an_import_says_is_told(monkeypatch: pytest.MonkeyPatch):
    installed(monkeypatch, VERSION)
    monkeypatch.setattr(metadata, "requires", lambda _name: None)
    assert "are missing: cannot import name 'x'. " in problem_of("cannot import name 'x'")


def test_what_is_no_import_error_is_raised():
    with pytest.raises(ValueError, match="invalid literal"), Library():
        int("x")
