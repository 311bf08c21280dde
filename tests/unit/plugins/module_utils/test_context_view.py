# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import ArtifactStore
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST_VALUE
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView, now
from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

OTHERS = {"r2": {"a_v1": [1, "other"]}, "r1": {"a_v1": [3, {"x": 1}], "b_v1": [1, 2]}}


class Seen(ContextView):
    """A view that keeps what it emits."""

    def __init__(self, scope="host", own=None, run=None, others=None):
        self.events = []
        run = {} if run is None else run
        own = run if scope == "run" else {} if own is None else own
        super().__init__("step1", "r1", scope, own, run, others or {}, self.events.append)


def test_now_is_utc_with_microseconds():
    text = now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - moment).total_seconds()) < 60


def test_a_change_is_emitted_with_what_it_is_based_on():
    view = Seen(own={"a_v1": [4, 1]})
    view.set("a_v1", 2)
    view.set("b_v1", [1], who="somebody")
    for event in view.events:
        assert event.pop("time").endswith("Z")
    assert view.events == [
        {"kind": "delta", "scope": "host", "key": "a_v1", "after": 2, "based_on": 4, "who": "step1"},
        {"kind": "delta", "scope": "host", "key": "b_v1", "after": [1], "based_on": 0, "who": "somebody"},
    ]


def test_a_second_change_is_based_on_the_first():
    view = Seen()
    view.set("a_v1", 1)
    view.set("a_v1", 2)
    assert [event["based_on"] for event in view.events] == [0, 1]


@pytest.mark.parametrize("value", [None, 1, "a", [1, {"b": 2.5}], {"b": 1, "a": 2}])
def test_the_same_value_is_no_change(value):
    view = Seen(own={"a_v1": [1, {"a": 2, "b": 1} if isinstance(value, dict) else value]})
    view.set("a_v1", value)
    assert not view.events


@pytest.mark.parametrize(("before", "after"), [(1, 1.0), (1, True), (0, False), (None, 0), ([1], [1.0])])
def test_what_python_calls_equal_may_be_a_change(before, after):
    view = Seen(own={"a_v1": [1, before]})
    view.set("a_v1", after)
    assert [repr(event["after"]) for event in view.events] == [repr(after)]


def test_null_where_there_was_nothing_is_a_change():
    view = Seen()
    view.set("a_v1", None)
    assert len(view.events) == 1
    assert view.get("a_v1", "default") is None


def test_what_was_read_can_be_changed_and_set():
    view = Seen(own={"a_v1": [1, {"x": [1]}]})
    value = view.get("a_v1")
    value["x"].append(2)
    assert view.get("a_v1") == {"x": [1]}
    view.set("a_v1", value)
    value["x"].append(3)
    assert view.events[0]["after"] == view.get("a_v1") == {"x": [1, 2]}


def test_a_host_falls_back_to_the_run():
    view = Seen(own={"a_v1": [1, "own"]}, run={"a_v1": [1, "run"], "b_v1": [1, "b"]})
    assert (view.get("a_v1"), view.get("b_v1"), view.get("c_v1"), view.get("c_v1", 5)) == ("own", "b", None, 5)
    assert view.keys() == ["a_v1", "b_v1"]
    assert view.to_dict() == {"a_v1": "own", "b_v1": "b"}
    assert ("a_v1" in view, "b_v1" in view, "c_v1" in view) == (True, True, False)


def test_a_host_sets_keys_of_the_run():
    run = {}
    view = Seen(run=run)
    view.set("a_v1", 1, scope="run")
    assert (view.events[0]["scope"], run["a_v1"][1], view.get("a_v1")) == ("run", 1, 1)


def test_a_step_of_the_run_sees_every_host():
    view = Seen(scope="run", run={"r_v1": [1, "r"]}, others=OTHERS)
    assert view.hosts() == ["r1", "r2"]
    assert view.values("a_v1") == {"r1": {"x": 1}, "r2": "other"}
    assert view.values("b_v1") == {"r1": 2}
    assert view.get("a_v1", host="r2") == "other"
    assert view.get("r_v1", host="r2") == "r"
    assert view.get("a_v1", "none", host="r9") == "none"
    view.values("a_v1")["r1"]["x"] = 2
    assert view.get("b_v1", host="r2") is None
    assert OTHERS["r1"]["a_v1"] == [3, {"x": 1}]


def test_a_step_of_a_host_sees_the_hosts_that_it_was_given_and_its_own():
    view = Seen(own={"a_v1": [4, "own"], "c_v1": [1, [5]]}, run={"r_v1": [1, "r"]}, others=OTHERS)
    assert view.values("a_v1") == {"r1": "own", "r2": "other"}
    assert view.values("b_v1") == {}
    assert view.values("c_v1") == {"r1": [5]}
    assert view.values("r_v1") == {}
    assert [view.value_on("a_v1", host) for host in ("r1", "r2")] == ["own", "other"]
    view.value_on("c_v1", "r1").append(6)
    view.values("c_v1")["r1"].append(6)
    assert view.get("c_v1") == [5]
    view.set("a_v1", "newer")
    assert view.values("a_v1") == {"r1": "newer", "r2": "other"}


def test_a_step_of_the_run_is_on_no_host():
    view = Seen(scope="run", run={"a_v1": [1, "run"]}, others=OTHERS)
    assert view.values("a_v1") == {"r1": {"x": 1}, "r2": "other"}
    assert view.value_on("a_v1", "r1") == {"x": 1}


@table("key", "host", "error")
def test_what_a_host_does_not_have(key, host, error):
    with pytest.raises(ValueError) as caught:
        Seen(own={"a_v1": [1, 1]}, run={"r_v1": [1, 1]}, others=OTHERS).value_on(key, host)
    assert str(caught.value) == error


def test_of_many_hosts_some_are_named():
    many = {f"h{number:02}": {"a_v1": [1, 1]} for number in range(12)}
    with pytest.raises(ValueError, match=r"^r1 has no key a_v1, but h00, .*, h09 and 2 more$"):
        Seen(others=many).value_on("a_v1", "r1")


def test_a_step_of_the_run_writes_for_the_run():
    view = Seen(scope="run")
    view.set("a_v1", 1)
    assert view.events[0]["scope"] == "run"


def test_a_host_knows_itself_by_name():
    assert Seen(own={"a_v1": [1, "own"]}).get("a_v1", host="r1") == "own"


@table("scope", "asked", "error")
def test_scopes_that_cannot_be_set(scope, asked, error):
    with pytest.raises(ValueError) as caught:
        Seen(scope=scope).set("a_v1", 1, scope=asked)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("stats", 1, "expected a context key such as numbers.stats_v1, got 'stats'"),
        ("stats_v1", {"a": {1}}, "stats_v1.a: expected JSON data, got a set"),
    ],
)
def test_what_cannot_be_set_changes_nothing(key, value, error):
    own = {"stats_v1": [1, "before"]}
    view = Seen(own=own)
    with pytest.raises(ValueError) as caught:
        view.set(key, value)
    assert str(caught.value) == error
    assert (view.events, own) == ([], {"stats_v1": [1, "before"]})


def test_a_change_that_cannot_be_told_is_none():
    def refuse(_event):
        raise ValueError("too large")

    view = Seen()
    view.send_to(refuse)
    with pytest.raises(ValueError):
        view.set("a_v1", 1)
    assert "a_v1" not in view


def test_measurements():
    view = Seen()
    view.measure("rx", 12, "frames")
    view.measure("note", {"a": [1]})
    view.add_measurement({"name": "tx", "value": None, "unit": None})
    assert [tuple(event.values()) for event in view.events] == [
        ("measurement", "rx", 12, "frames"),
        ("measurement", "note", {"a": [1]}, ""),
        ("measurement", "tx", None, ""),
    ]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (5, "a measurement needs a name and a value, got 5"),
        ({"name": "rx"}, "a measurement needs a name and a value, got {'name': 'rx'}"),
        ({"value": 1}, "a measurement needs a name and a value, got {'value': 1}"),
        ({"name": 1, "value": 1}, "a measurement needs a name and a value, got {'name': 1, 'value': 1}"),
        ({"name": "rx", "value": float("nan")}, "measurement rx: nan is not a JSON number"),
        (
            {"name": "rx", "value": 1, "a": 2, "max": 3},
            "measurement rx: max is for checks, a measurement is not judged",
        ),
        ({"name": "rx", "value": [{1}]}, "measurement rx[0]: expected JSON data, got a set"),
    ],
)
def test_what_is_no_measurement(given, error):
    with pytest.raises(ValueError) as caught:
        Seen().add_measurement(given)
    assert str(caught.value) == error


def test_checks():
    view = Seen()
    assert view.check("rx", 2.5, "ms", min=3, max=9) == "failed"
    assert view.check("tx", [1, 2, 3], quantile=0.5, max=2, warn={"max": 1}) == "marginal"
    assert view.check("mode", "b", one_of=("a", "b")) == "passed"
    assert view.add_check({"name": "n", "value": 1, "unit": None, "eq": 1}) == "passed"
    assert [tuple(event.values()) for event in view.events] == [
        ("measurement", "rx", 2.5, "ms", {"min": 3, "max": 9}, -0.5, "failed"),
        ("measurement", "tx", 2, "", {"max": 2, "warn": {"max": 1}}, 0, "marginal"),
        ("measurement", "mode", "b", "", {"one_of": ["a", "b"]}, None, "passed"),
        ("measurement", "n", 1, "", {"eq": 1}, 0, "passed"),
    ]
    assert list(view.events[0]) == ["kind", "name", "value", "unit", "limits", "distance", "verdict"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (5, "a check needs a name, a value and a limit, got 5"),
        ({"value": 1, "min": 1}, "a check needs a name, a value and a limit, got {'value': 1, 'min': 1}"),
        ({"name": "rx", "min": 1}, "a check needs a name, a value and a limit, got {'name': 'rx', 'min': 1}"),
        ({"name": "rx", "value": 1}, "rx: expected a limit: eq, ne, min, max, within, one_of, matches"),
        ({"name": "rx", "value": 1, "mni": 1}, "rx: mni is no limit, did you mean min?"),
        ({"name": "rx", "value": "1", "min": 1}, 'rx: min needs a number, got "1"'),
        ({"name": "rx", "value": float("nan"), "min": 1}, "check rx.value: nan is not a JSON number"),
        ({"name": "rx", "value": 1, "eq": {1}}, "check rx.eq: expected JSON data, got a set"),
    ],
)
def test_what_is_no_check(given, error):
    view = Seen()
    with pytest.raises(ValueError) as caught:
        view.add_check(given)
    assert str(caught.value) == error
    assert view.events == []


def test_texts_are_storable():
    view = Seen()
    view.set("a_v1", 1, who="\ud800")
    view.measure("n\0", 1, "\udcff")
    view.check("n\0", 1, "\udcff", min=1)
    assert view.events[0]["who"] == "\\ud800"
    for event in view.events[1:]:
        assert (event["name"], event["unit"]) == ("n\\x00", "\\udcff")


def test_a_value_that_is_too_large_is_refused_and_changes_nothing():
    view = Seen(own={"a_v1": [1, 1]})
    with pytest.raises(ValueError, match=r"^a_v1.log: 1048578 bytes of JSON, a key can hold 1048576: keep it with ctx"):
        view.set("a_v1", {"log": "x" * LARGEST_VALUE})
    assert (view.get("a_v1"), view.events) == (1, [])


def test_what_is_attached_is_kept_and_told(tmp_path):
    view = Seen()
    view.keep_on(lambda: ArtifactStore(str(tmp_path / "kept"), str(tmp_path)))
    digest = hashlib.sha256(b"12345").hexdigest()
    about = {"name": "a.bin", "sha256": digest, "size": 5}
    assert view.attach("a.bin", b"12345", "application/x-numbers") == about
    assert (tmp_path / "kept" / digest).read_bytes() == b"12345"
    (event,) = view.events
    assert event.pop("time").endswith("Z")
    assert event == {"kind": "artifact", **about, "media_type": "application/x-numbers", "who": "step1"}


def test_an_envelope_attaches_a_file_of_the_working_folder(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.log").write_text("x")
    view = Seen()
    view.keep_on(lambda: ArtifactStore(str(tmp_path / "kept"), str(tmp_path / "work")))
    found = view.add_artifact({"name": "b.log", "path": "a.log"})
    assert (found["name"], found["size"], view.events[0]["media_type"]) == ("b.log", 1, "")


def test_by_itself_a_view_only_makes_the_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Seen().attach("a", b"x")["size"] == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (3, "an artifact needs a name and a path, got 3"),
        ({"name": "a"}, "an artifact needs a name and a path, got {'name': 'a'}"),
        ({"name": "a", "path": b"a"}, "an artifact needs a name and a path, got {'name': 'a', 'path': b'a'}"),
        ({"path": "x"}, "an artifact needs the name of a file, such as trace.pcap, got None"),
        ({"name": "../x", "path": "x"}, "an artifact needs the name of a file, such as trace.pcap, got '../x'"),
        ({"name": "a", "path": "x", "media_type": 3}, "expected a media type such as text/csv, got 3"),
        ({"name": "a", "path": "gone"}, "artifact a: gone: No such file or directory"),
        ({"name": "a", "path": "/etc"}, "artifact a: /etc is no ordinary file"),
    ],
)
def test_what_is_no_artifact(given, error):
    view = Seen()
    with pytest.raises(ValueError) as caught:
        view.add_artifact(given)
    assert str(caught.value) == error
    assert view.events == []


def test_a_secret_is_told_as_its_texts():
    view = Seen()
    value = {"a": ["x1", 12345, None, True, ""], "b": "x1"}
    assert view.secret(value) is value
    view.secret("")
    assert view.events == [{"kind": "secret", "texts": ["x1", "12345"]}]


def test_without_a_run_nothing_shows_a_secret():
    view = Seen()
    assert not view.shows_secret("anything")
    assert view.hidden("anything") == "anything"
    assert view.mask is None
    view.hide_by(StageSecrets({"secrets": ["xyz"]}))
    assert view.shows_secret("axyzb")
    assert view.hidden("axyzb") == view.mask.mask("axyzb") == "a********b"


def test_only_what_is_declared_can_be_read():
    view = Seen(own={"a_v1": [1, 1], "b_v1": [1, 2]}, run={"c_v1": [1, 3]}, others=OTHERS)
    view.limit_to(["a_v1", "d_v1"])
    assert (view.get("a_v1"), view.get("d_v1", 7), "d_v1" in view, view.keys()) == (1, 7, False, ["a_v1"])
    assert view.values("a_v1") == {"r1": 1, "r2": "other"}
    for read in (view.get, view.values, view.__contains__, lambda key: view.value_on(key, "r1")):
        with pytest.raises(
            ValueError, match=r"^the key b_v1 is not among those that the scriptlet reads \(a_v1, d_v1\):"
        ):
            read("b_v1")
    view.set("b_v1", 5)
    assert (view.get("b_v1"), view.to_dict()) == (5, {"a_v1": 1, "b_v1": 5})
    for read in (view.values, lambda key: view.value_on(key, "r2"), lambda key: view.get(key, host="r2")):
        with pytest.raises(ValueError, match="the key b_v1 is not among"):
            read("b_v1")
    view.limit_to([])
    with pytest.raises(ValueError, match=r"reads \(none\): add it to its reads$"):
        view.get("c_v1", host="r2")
    view.set("a_v1", 9, scope="run")
    assert (view.get("a_v1"), "a_v1" in view) == (9, True)  # not what this host had
    view.limit_to(None)
    assert view.keys() == ["a_v1", "b_v1", "c_v1"]
