# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback passes Ansible's events on; `rack_recipes/run/recorder/test_recorder.py` tests what is done then."""

from __future__ import annotations

from inspect import signature
from types import SimpleNamespace

import pytest

from ansible_collections.rack.recipes.plugins.callback.recorder import CallbackModule

STATS = SimpleNamespace(failures={}, dark={})


class Recorder:
    """Ends as it is told to."""

    def __init__(self, code: int | None) -> None:
        self.code = code

    def exit_code(self, *, has_failed: bool) -> int | None:
        return None if has_failed else self.code


@pytest.mark.parametrize("code", [2, 5])
def test_the_end_may_set_the_exit_code(code: int):
    callback = CallbackModule()
    callback.recorder = Recorder(code)
    with pytest.raises(SystemExit) as ended:
        callback.v2_playbook_on_stats(STATS)
    assert ended.value.code == code


def broken(*_told: object) -> None:
    raise KeyError("x")


@pytest.mark.parametrize(
    "event", [name for name in vars(CallbackModule) if name.startswith("v2_") and name != "v2_playbook_on_stats"]
)
def test_a_failure_at_any_event_ends_with_5(event: str, monkeypatch: pytest.MonkeyPatch):
    """Ansible would warn of it and go on to exit code 0."""
    callback = CallbackModule()
    for name in ("playbook_starts", "play_starts", "task_starts", "task_ended", "task_failed", "task_skipped"):
        monkeypatch.setattr(callback.recorder, name, broken)
    call = getattr(callback, event)
    call(*signature(call).parameters)
    assert callback.recorder.failures == ["KeyError: 'x'"]
    with pytest.raises(SystemExit) as ended:
        callback.v2_playbook_on_stats(STATS)
    assert ended.value.code == 5


@pytest.mark.parametrize("code", [None, 0])
def test_without_trouble_the_exit_code_stays_ansible_s(code: int | None):
    callback = CallbackModule()
    callback.recorder = Recorder(code)
    callback.v2_playbook_on_stats(STATS)


@pytest.mark.parametrize("hosts", [{"failures": {"r1": 1}}, {"dark": {"r1": 1}}])
def test_the_recorder_is_told_of_hosts_that_failed(hosts: dict[str, dict[str, int]]):
    callback = CallbackModule()
    callback.recorder = Recorder(1)
    callback.v2_playbook_on_stats(SimpleNamespace(**{**vars(STATS), **hosts}))
