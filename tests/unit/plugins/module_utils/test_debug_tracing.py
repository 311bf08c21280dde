# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import debug_tracing
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.decorators import track_resources
from ansible_collections.rack.recipes.plugins.module_utils.shell import ShellScriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

SECRET = "hunter'2"
TIME = re.compile(r"\d+\.\d{3} s")
PLACE = re.compile(r"test_debug_tracing\.py:\d+")


class Probe:
    options = {"password": {"no_log": True}, "count": {"type": "int"}}

    def run(self, ctx, params):
        word = f"login {params['password']}"
        total = add_up(params["count"])
        ctx.set("test.total_v1", {"total": total})
        ctx.set("test.total_v1", {"total": total}, who="unchanged")
        ctx.set("test.total_v1", {"total": 7}, who="again")
        ctx.measure("total", total)
        if params.get("fail"):
            raise OSError(f"no {word}")
        return 0


def add_up(count):
    total = 0
    for number in range(count):
        total += number
    return total


@pytest.fixture
def untraced():
    """Coverage and debuggers use the same hook."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


@pytest.fixture
def trace(capsys, monkeypatch, untraced):
    monkeypatch.setenv("RACK_RUN", "20261125-1")

    def trace(method, scriptlet, params):
        """The lines of the log, without what differs from run to run."""
        ctx = ContextView("measure", "leaf1", "host", {}, {}, {}, [].append)
        with contextlib.suppress(OSError):
            debug_tracing.traced(method, scriptlet, ctx, params)
        text = PLACE.sub("FILE:N", TIME.sub("N s", capsys.readouterr().err))
        prefix = "[20261125-1 measure leaf1] "
        assert all(line.startswith(prefix) for line in text.splitlines())
        return [line[len(prefix) :] for line in text.splitlines()]

    return trace


def test_what_a_method_is_given_changes_and_returns(trace):
    assert trace(Probe.run, Probe(), {"password": SECRET, "count": 2}) == [
        "Probe.run starts, params: {'count': 2, 'password': '********'}",
        "FILE:N run: word = 'login ********'",
        "FILE:N add_up: count = 2",
        "FILE:N add_up: total = 0",
        "FILE:N add_up: number = 0",
        "FILE:N add_up: number = 1",
        "FILE:N add_up: total = 1",
        "FILE:N run: total = 1",
        "context: test.total_v1 set by measure, before: None, after: {'total': 1}",
        "context: test.total_v1 set by again, before: {'total': 1}, after: {'total': 7}",
        "Probe.run returned 0 after N s",
    ]


@pytest.fixture
def watch(capsys, untraced):
    def watch(scriptlet, params):
        ctx = ContextView("measure", "leaf1", "host", {}, {}, {}, [].append)
        assert debug_tracing.watched(scriptlet.run, scriptlet, ctx, params) == 0
        return [line.partition("] ")[2] for line in PLACE.sub("FILE:N", capsys.readouterr().err).splitlines()]

    return watch


class Tracked(Probe):
    run = track_resources(Probe.run)


VARIABLES = ["FILE:N run: word = 'login ********'", "FILE:N add_up: count = 0", "FILE:N add_up: total = 0"]


@pytest.mark.parametrize(("scriptlet", "more"), [(Probe, 0), (Tracked, 1)])
def test_a_method_that_tells_nothing_is_watched(watch, scriptlet, more):
    lines = watch(scriptlet(), {"password": SECRET, "count": 0})
    assert lines[: len(lines) - more] == [*VARIABLES, "FILE:N run: total = 0"]


class Names(ShellScriptlet):
    command = "echo leaf1"

    def parse(self, stdout, ctx, params):
        name = stdout.strip()
        return len(name) - 5


def test_of_an_inherited_run_the_scriptlet_s_own_methods_are_watched(watch, monkeypatch):
    monkeypatch.setenv("LAB_PASSWORD", SECRET)
    found = watch(Names(), {})
    told = ["FILE:N parse: stdout = 'leaf1\\n'", "FILE:N parse: name = 'leaf1'"]
    assert [line for line in found if "FILE:N" in line] == told
    assert not any("shell.py" in line or SECRET in line for line in found)


class Inherits(Names):
    pass


def test_files_of_a_class_and_of_those_above_it():
    assert debug_tracing.files_of(Inherits) == debug_tracing.files_of(Names) == {__file__}
    assert debug_tracing.files_of(ShellScriptlet) == set()


@pytest.mark.parametrize(
    "made", [dict, lambda environment: {**environment, "MORE": "x"}, lambda environment: environment]
)
def test_an_environment_is_not_shown(made, monkeypatch):
    monkeypatch.setenv("LAB_PASSWORD", SECRET)
    shown = debug_tracing.Shown([]).repr([made(os.environ)])
    assert re.fullmatch(r"\[<an environment of [0-9]+ variables>\]", shown)


class Answers:
    """An attribute with any name, as of a mock or of a proxy."""

    def __getattr__(self, name):
        return Answers()


class Odd(Names):
    proxy = Answers()

    @property
    def made(self):
        return 1


def test_an_attribute_that_answers_every_name_has_no_file():
    assert debug_tracing.files_of(Odd) == {__file__}


def test_what_only_looks_like_an_environment(monkeypatch):
    class Strange(dict):
        def get(self, key, default=None):
            raise TypeError

    assert debug_tracing.Shown([]).repr(Strange()) == "{}"
    assert "bytes" not in debug_tracing.Shown([]).repr(os.environb)[:5]


def test_what_is_not_written_in_python_is_not_watched(watch):
    class Silent:
        run = staticmethod(max)

    with pytest.raises(TypeError):
        watch(Silent(), {})


def test_beside_a_debugger_nothing_is_watched(watch):
    sys.settrace(lambda *_event: None)
    assert watch(Probe(), {"password": SECRET, "count": 0}) == []


def test_an_exception_has_its_traceback(trace):
    lines = trace(Probe.run, Probe(), {"password": SECRET, "count": 0, "fail": True})
    start = lines.index("Probe.run raised OSError: no login ******** after N s")
    assert lines[start + 1] == "Traceback (most recent call last):"
    assert lines[lines.index("OSError: no login ********") + 1] == "1 frame of rack.recipes:"


def test_of_a_method_that_another_decorator_wraps_the_author_s_variables_are_told(trace, monkeypatch):
    @functools.wraps(Probe.run)
    def wrapper(*args):
        return Probe.run(*args)

    monkeypatch.setattr(wrapper, "__code__", wrapper.__code__.replace(co_filename="decorators.py"))
    lines = trace(wrapper, Probe(), {"password": SECRET, "count": 2})
    assert [line for line in lines if "add_up: total" in line]
    assert not [line for line in lines if "wrapper" in line]


def test_the_view_and_the_hook_are_as_before(untraced):
    events = []
    ctx = ContextView("measure", "leaf1", "host", {}, {}, {}, events.append)
    debug_tracing.traced(Probe.run, Probe(), ctx, {"password": SECRET, "count": 0})
    ctx.set("test.later_v1", 1)
    assert [event["kind"] for event in events] == ["delta", "delta", "measurement", "delta"]
    assert sys.gettrace() is None


def unmoved(*_event):
    """A debugger's hook."""


def test_beside_a_debugger_variables_are_left_to_it(trace):
    sys.settrace(unmoved)
    lines = trace(Probe.run, Probe(), {"password": SECRET, "count": 2})
    assert lines[1] == "variables: not watched beside a debugger or a measurement of coverage"
    assert not [line for line in lines if "add_up" in line]
    assert sys.gettrace() is not None


def test_a_long_loop_is_not_watched_for_ever(trace, monkeypatch):
    monkeypatch.setattr(debug_tracing, "MOST", 10)
    lines = trace(Probe.run, Probe(), {"password": SECRET, "count": 10_000})
    assert lines[11] == "variables: more than 10 changes, not watched any more"
    assert lines[12].startswith("context: test.total_v1")
    assert len(lines) == 15


def test_without_a_context_or_a_run_it_still_works(capsys, monkeypatch, untraced):
    monkeypatch.delenv("RACK_RUN", raising=False)
    assert debug_tracing.traced(unmoved, None, None, None) is None
    assert capsys.readouterr().err.startswith("[- - -] NoneType.unmoved starts, params: None\n")


class Broken:
    def __repr__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECRET, "'********'"),
        ([{"a": SECRET}], "[{'a': '********'}]"),
        (f"a {SECRET} b", "'a ******** b'"),
        ("x" * 390 + SECRET + "x" * 100, None),
        (SECRET.encode(), 'b"********"'),
        (OSError(SECRET), 'OSError("********")'),
        (12, "12"),
        (1234, "'********'"),
        (0.25, "'********'"),
        (0.5, "0.5"),
        ("7", "'********'"),
        ("17", "'17'"),
        (Broken(), "<Broken, whose repr raises ValueError>"),
        (b"x" * 1000, None),
    ],
)
def test_values_as_text(value, expected):
    shown = debug_tracing.Shown([SECRET, "1234", "0.25", "7", ""]).repr(value)
    assert shown == expected or expected is None
    assert "hunter" not in shown
    assert len(shown) <= debug_tracing.LONGEST


@table("options", "params", "expected")
def test_which_texts_are_secrets(options, params, expected):
    assert debug_tracing.secrets_of(options, params) == expected
