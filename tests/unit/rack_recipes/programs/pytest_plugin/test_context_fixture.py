# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import warnings

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.decorators import register_scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import run_single
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, Skipped
from ansible_collections.rack.recipes.plugins.module_utils.shell import ShellScriptlet
from ansible_collections.rack.recipes.plugins.modules.host_compare import HostCompare
from rack_recipes.programs.pytest_plugin.context_fixture import RackContext


class Probe(Scriptlet):
    options = {"how": {"type": "str", "default": "well"}, "count": {"type": "int", "default": 3}}
    writes = ("test.count_v1",)

    def validate(self, ctx, params):
        if params["count"] < 0:
            raise ValueError("count: expected 0 or more")

    def run(self, ctx, params):
        print("probing")
        ctx.set("test.count_v1", params["count"])
        ctx.measure("count", params["count"], "pieces")
        return WAYS[params["how"]](ctx)


def well(ctx):
    return None


def with_code(ctx):
    return 3


def with_text(ctx):
    return "done"


def with_much_text(ctx):
    return "done" * 1000


def with_a_long_key(ctx):
    ctx.set("A" * 1000, 1)


def with_a_long_value(ctx):
    ctx.check("long", "x" * 1000, eq=1)


def failing(ctx):
    raise Failed("3 errors")


def skipping(ctx):
    raise Skipped("no such hardware")


def mistaken(ctx):
    raise KeyError("x")


def wrong(ctx):
    raise ValueError("a clear reason")


def empty(ctx):
    raise OSError


def leaving(ctx):
    raise SystemExit


def leaving_with(code):
    def leave(ctx):
        raise SystemExit(code)

    return leave


def checking(**limits):
    def check(ctx):
        ctx.check("first", 3, "s", **limits)
        ctx.check("second", 1, "s", max=9)

    return check


def printing(**envelope):
    def write(ctx):
        print(json.dumps(envelope))

    return write


WAYS = {
    "well": well,
    "with a code": with_code,
    "with text": with_text,
    "with much text": with_much_text,
    "with a long key": with_a_long_key,
    "with a long value": with_a_long_value,
    "failing": failing,
    "skipping": skipping,
    "mistaken": mistaken,
    "wrong": wrong,
    "empty": empty,
    "leaving": leaving,
    "leaving with 0": leaving_with(0),
    "leaving with 4": leaving_with(4),
    "leaving with text": leaving_with("no"),
    "a check that passes": checking(max=3),
    "a check that warns": checking(max=9, warn={"max": 2}),
    "a check that fails": checking(max=2),
    "a check that cannot be": checking(),
    "an envelope": printing(status="ok", outputs={"test.more_v1": 1}, measurements=[{"name": "m", "value": 1}]),
    "an envelope with a list": printing(status="ok", outputs=["test.count_v1"]),
    "an envelope with a lie": printing(status="ok", outputs=["test.other_v1", 1]),
    "an envelope that failed": printing(status="failed", reason="down"),
    "an envelope that was skipped": printing(status="skipped", reason="no such hardware"),
    "an envelope with an error": printing(status="error", reason="broken"),
    "an envelope with checks": printing(status="ok", checks=[{"name": "c", "value": 4, "max": 3}]),
    "an envelope with bad checks": printing(status="ok", checks=[{"name": "c"}]),
    "an envelope with an artifact": printing(status="ok", artifacts=[{"name": "a", "path": "gone"}]),
    "a wrong envelope": printing(status="good"),
    "no envelope": printing(x=1),
}


class Registers(Scriptlet):
    def run(self, ctx, params):
        ctx.set("a_v1", ctx.secret({"token": "zebra-7777"}))


def test_one_that_checks_nothing_is_told():
    with pytest.warns(
        UserWarning, match="^Probe checked nothing: its step ends in error, unless the recipe has "
    ) as told:
        assert RackContext().run(Probe).verdict == "passed"
    assert told[0].filename == __file__
    with warnings.catch_warnings(action="error"):
        assert RackContext().run(Probe, {"how": "a check that passes"}).verdict == "passed"
        assert RackContext().run(Probe, {"how": "failing"}).verdict == "failed"


def test_what_it_registers_is_known():
    ctx = RackContext()
    assert ctx.run(Registers).verdict == "passed"
    assert (ctx.secrets, ctx["a_v1"], ctx.measurements) == (["zebra-7777"], {"token": "zebra-7777"}, [])


class Attach(Scriptlet):
    def run(self, ctx, params):
        ctx.attach("a.log", b"12345")


def test_what_it_attaches_is_known_and_kept_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ctx = RackContext()
    assert ctx.run(Attach).verdict == "passed"
    assert (ctx.attached["a.log"]["size"], ctx.measurements) == (5, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", WAYS)
def test_it_ends_as_in_a_run(how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ctx = RackContext()
    outcome = ctx.run(Probe, {"how": how})
    there = run_single(Probe, {"how": how})
    assert (outcome.verdict, outcome.reason, outcome.stdout) == (there["verdict"], there["reason"], there["stdout"])
    assert ctx.changes == there["context"]
    assert ctx.measurements == there["measurements"]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"count": -1}, "count: expected 0 or more"),
        ({"count": "many"}, "argument 'count': expected a whole number, got 'many'"),
        ({"cuont": 1}, "argument 'cuont' is not an argument, did you mean 'count'?"),
    ],
)
def test_wrong_arguments_are_an_error_as_in_a_run(params, reason):
    outcome = RackContext().run(Probe, params)
    assert (outcome.verdict, outcome.reason) == ("error", reason)


def test_only_what_is_declared_can_be_read_as_in_a_run():
    class Reads(Scriptlet):
        reads = ("a_v1",)

        def run(self, ctx, params):
            ctx.get(params["key"])

    ctx = RackContext()
    ctx["a_v1"], ctx["b_v1"] = 1, 2
    assert ctx.run(Reads, {"key": "a_v1"}).verdict == "passed"
    outcome = ctx.run(Reads, {"key": "b_v1"})
    assert outcome.verdict == "error"
    assert outcome.reason.startswith("the key b_v1 is not among those that the scriptlet reads (a_v1)")
    assert ctx["b_v1"] == 2


def test_what_was_set_measured_and_checked():
    ctx = RackContext()
    assert ctx.run(Probe, {"how": "a check that warns", "count": "4"}).verdict == "marginal"
    assert ctx["test.count_v1"] == 4
    assert ctx.changes == {"test.count_v1": 4}
    assert ctx.measured == {"count": 4, "first": 3, "second": 1}
    assert ctx.checked == {"first": "marginal", "second": "passed"}
    assert ctx.measurements[0] == {"name": "count", "value": 4, "unit": "pieces"}
    assert ctx.measurements[1]["limits"] == {"max": 9, "warn": {"max": 2}}


def test_an_earlier_check_does_not_count_for_a_later_run():
    ctx = RackContext()
    assert ctx.run(Probe, {"how": "a check that fails"}).verdict == "failed"
    assert ctx.run(Probe).verdict == "passed"


def test_a_mistake_has_its_traceback_on_stderr(capsys):
    assert repr(RackContext().run(Probe, {"how": "mistaken"}).verdict) == "'error' (KeyError: 'x')"
    assert "in mistaken" in capsys.readouterr().err


def interrupt(ctx):
    raise KeyboardInterrupt


def fail(ctx):
    pytest.fail("from inside")


@pytest.mark.parametrize(("way", "error"), [(interrupt, KeyboardInterrupt), (fail, pytest.fail.Exception)])
def test_what_ends_the_test_is_not_the_scriptlets(way, error, monkeypatch):
    monkeypatch.setitem(WAYS, "well", way)
    with pytest.raises(error):
        RackContext().run(Probe)


def test_keys_may_be_there_before():
    class Add(Scriptlet):
        reads = ("test.count_v1",)

        def run(self, ctx, params):
            ctx.set("test.sum_v1", ctx.get("test.count_v1") + ctx.get("test.count_v1", host="other"))

    ctx = RackContext()
    ctx["test.count_v1"] = 1
    ctx.give("test.count_v1", 2, host="other")
    assert ctx.run(Add).verdict == "passed"
    assert ctx["test.sum_v1"] == 3
    assert ctx.changes == {"test.sum_v1": 3}


def test_a_test_may_name_the_host():
    class Named(Scriptlet):
        reads = ("test.count_v1",)

        def run(self, ctx, params):
            ctx.check("own", [ctx.host, ctx.get("test.count_v1", host=ctx.host)], eq=["leaf1", 1])

    ctx = RackContext()
    ctx.host = "leaf1"
    ctx.give("test.count_v1", 1, host="leaf1")
    assert ctx.run(Named).verdict == "passed"


def test_a_scriptlet_of_the_run_sees_all_hosts():
    ctx = RackContext()
    for host, mtu in (("h1", 9000), ("h2", 9000), ("h3", 1500)):
        ctx.give("host.inventory_v1", {"mtu": mtu}, host=host)
    outcome = ctx.run(HostCompare, {"fail": True})
    assert (outcome.verdict, ctx.checked["hosts_differing"]) == ("failed", "failed")
    assert ctx["host.differences_v1"]["differing_hosts"] == ["h3"]


@pytest.mark.parametrize(("key", "value"), [("Wrong", 1), ("test.x_v1", object())])
def test_what_cannot_be_given(key, value):
    with pytest.raises(ValueError):
        RackContext().give(key, value)


def test_a_key_that_is_not_there():
    ctx = RackContext()
    with pytest.raises(KeyError) as caught:
        ctx["test.x_v1"]
    assert caught.value.args == ("'test.x_v1' is not set; there is nothing",)
    ctx["test.y_v1"] = 1
    with pytest.raises(KeyError) as caught:
        ctx["test.x_v1"]
    assert caught.value.args == ("'test.x_v1' is not set; there is test.y_v1",)


def test_a_class_that_derives_from_nothing():
    @register_scriptlet
    class Plain:
        def run(self, ctx, params):
            ctx.measure("x", params["x"])

    ctx = RackContext()
    assert ctx.run(Plain, {"x": 1}).verdict == "passed"
    assert ctx.measured == {"x": 1}


def test_a_shell_scriptlet():
    class Kernel(ShellScriptlet):
        command = "uname -s"

        def parse(self, stdout, ctx, params):
            ctx.check("kernel", stdout.strip(), eq="Linux")

    ctx = RackContext()
    assert ctx.run(Kernel).verdict == "passed"
    assert ctx.measured == {"kernel": "Linux"}
