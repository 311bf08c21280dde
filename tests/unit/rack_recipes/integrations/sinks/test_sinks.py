# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts are taken out of service by Slurm, Kubernetes and NetBox: never unless asked, and never others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.test_trend import store
from rack_recipes.analysis.actions import HostAction
from rack_recipes.errors import UsageError
from rack_recipes.integrations.sinks.host_sinks import LONGEST, Sink, reason_of, send_actions, take_back
from rack_recipes.integrations.sinks.json_client import JsonServer
from rack_recipes.integrations.sinks.kubernetes_condition import NodeCondition
from rack_recipes.integrations.sinks.netbox_status import NetBoxStatus, netbox_server
from rack_recipes.integrations.sinks.slurm_drain import SlurmDrain

from .fake_services import TOKEN, Services, make_scontrol, served

HOSTILE = "GPU 1\n; rm -rf / #$(reboot) `id` \x1b[31m State=RESUME"


def action(host: str, word: str = "replace", reason: str = "replace the GPU") -> HostAction:
    return HostAction(host, word, "the results say so", {"gpus": reason})


@pytest.fixture
def services() -> Iterator[Services]:
    with served() as server:
        yield server


@pytest.fixture
def slurm(tmp_path: Path) -> SlurmDrain:
    return SlurmDrain(str(make_scontrol(tmp_path)))


@pytest.fixture
def sinks(slurm: SlurmDrain, services: Services) -> list[Sink]:
    kubernetes, netbox = JsonServer(f"{services.url}/k8s", TOKEN), netbox_server(services.url, TOKEN)
    return [slurm, NodeCondition(kubernetes), NetBoxStatus(netbox)]


def asked(folder: Path) -> list[list[str]]:
    """The words of each start of scontrol."""
    path = folder / "asked"
    return [one.splitlines() for one in path.read_text().split("END\n")[:-1]] if path.exists() else []


def test_nobody_is_asked_unless_it_is_meant(
    sinks: list[Sink], slurm: SlurmDrain, services: Services, tmp_path: Path
) -> None:
    told = [one.done for one in send_actions(sinks, [action("n1"), action("n9", "monitor")], "R1")]
    assert told == [
        f"{slurm.program} update NodeName=n1 State=DRAIN 'Reason=rack-recipes R1: replace: gpus: replace the GPU'",
        "condition RackRecipesFault=True of node n1: rack-recipes R1: replace: gpus: replace the GPU",
        "status failed of device n1, and in its journal: rack-recipes R1: replace: gpus: replace the GPU",
    ]
    assert (asked(tmp_path), services.asked) == ([], [])


def test_slurm_drains_what_is_in_service(slurm: SlurmDrain, tmp_path: Path) -> None:
    done = [*send_actions([slurm], [action("n1"), action("n2"), action("n3")], "R1", is_dry=False)]
    assert [(one.done, one.error) for one in done] == [
        ("drained", ""), ("is IDLE+DRAIN already: bad fan", ""), ("", f"{slurm.program}: Node n3 not found"),
    ]  # fmt: skip
    assert [words for words in asked(tmp_path) if words[0] == "update"] == [
        ["update", "NodeName=n1", "State=DRAIN", "Reason=rack-recipes R1: replace: gpus: replace the GPU"]
    ]


def test_text_from_hosts_is_one_word_of_the_command(slurm: SlurmDrain, tmp_path: Path) -> None:
    [*_done] = send_actions([slurm], [action("n1", reason=HOSTILE)], "R1", is_dry=False)
    assert asked(tmp_path)[-1][1:] == [
        "NodeName=n1", "State=DRAIN",
        "Reason=rack-recipes R1: replace: gpus: GPU 1 ; rm -rf / #$(reboot) `id` ⟨U+001B⟩[31m State=RESUME",
    ]  # fmt: skip
    assert len(reason_of("R1", action("n1", reason="x" * 999))) == LONGEST


@pytest.mark.parametrize("host", ["n[1-9]", "ALL", "all", "n1,n2", "../n1", "n1?x", "-n1", "", "n1 n2", "n1/status"])
def test_a_name_that_means_others_is_told_to_nobody(
    sinks: list[Sink], services: Services, tmp_path: Path, host: str
) -> None:
    for is_dry in (True, False):
        found = [*send_actions(sinks, [action(host)], "R1", is_dry=is_dry)]
        assert [one.error for one in found] == [
            f"{host!r} is no name of one host that {sink.name} can be told" for sink in sinks
        ]
    assert (asked(tmp_path), services.asked) == ([], [])


def test_a_condition_of_a_node(services: Services) -> None:
    sink = NodeCondition(JsonServer(f"{services.url}/k8s/", TOKEN))
    done = [*send_actions([sink], [action("n1", reason=HOSTILE), action("n2")], "R1", is_dry=False)]
    assert [one.done for one in done] == ["condition RackRecipesFault is True", ""]
    assert "404" in done[1].error
    [(method, path, body)] = services.asked
    [condition] = body["status"]["conditions"]
    assert (method, path) == ("PATCH", "/k8s/api/v1/nodes/n1/status")
    assert (condition["type"], condition["status"]) == ("RackRecipesFault", "True")
    assert condition["message"].startswith("rack-recipes R1: replace: gpus: GPU 1 ; rm")


def test_the_status_of_a_device_and_its_journal(services: Services) -> None:
    sink = NetBoxStatus(netbox_server(services.url, TOKEN))
    done = [*send_actions([sink], [action(host) for host in ("n1", "n2", "n3", "twin")], "R1", is_dry=False)]
    assert [one.done or one.error for one in done] == [
        "status failed (was active), with a journal entry",
        "is failed already; a journal entry was added",
        "NetBox has 0 devices with the name n3, expected one",
        "NetBox has 2 devices with the name twin, expected one",
    ]
    changes = [(method, path) for method, path, _body in services.asked if method != "GET"]
    journal = ("POST", "/api/extras/journal-entries/")
    assert changes == [journal, ("PATCH", "/api/dcim/devices/7/"), journal]
    assert services.devices[0]["status"] == {"value": "failed"}


def test_only_what_a_run_has_done_itself_is_taken_back(
    sinks: list[Sink], slurm: SlurmDrain, services: Services, tmp_path: Path
) -> None:
    assert [*take_back([slurm], ["n1", "n2", "ALL"], "R1")] == []  # n2 was drained by somebody else
    assert all(not one.error for one in send_actions(sinks, [action("n1")], "R1", is_dry=False))
    assert [*take_back(sinks, ["n1"], "R2")] == []  # another run
    before = len(services.asked), len(asked(tmp_path))
    would = [*take_back(sinks, ["n1"], "R1")]
    told = "rack-recipes R1: replace: gpus: replace the GPU"
    assert [one.done for one in would] == [
        f"{slurm.program} update NodeName=n1 State=UNDRAIN ({told})",
        f"condition RackRecipesFault=False of node n1 ({told})",
        f"status active of device n1 ({told} (status was active))",
    ]
    assert {method for method, _path, _body in services.asked[before[0] :]} == {"GET"}
    assert [words[0] for words in asked(tmp_path)[before[1] :]] == ["--oneliner"]
    assert all(one.done and not one.error for one in take_back(sinks, ["n1"], "R1", is_dry=False))
    assert asked(tmp_path)[-1] == ["update", "NodeName=n1", "State=UNDRAIN"]
    assert (services.condition["status"], services.devices[0]["status"]) == ("False", {"value": "active"})
    assert [*take_back(sinks, ["n1"], "R1", is_dry=False)] == []  # twice changes nothing


def test_a_device_that_a_later_run_or_somebody_else_has_failed_stays_so(services: Services) -> None:
    sink = NetBoxStatus(netbox_server(services.url, TOKEN))
    for run in ("R1", "R2"):
        [*_done] = send_actions([sink], [action("n1"), action("n2")], run, is_dry=False)
    assert [*take_back([sink], ["n1", "n2"], "R1", is_dry=False)] == []
    assert [*take_back([sink], ["n2"], "R2", is_dry=False)] == []
    assert services.devices[0]["status"] == {"value": "failed"}


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        ("http://netbox.example.com", "x", "a token is sent over https only"),
        ("https://me:pw@netbox.example.com", "", "expected a URL such as https://host.example.com without user"),
        ("ftp://x", "", "expected a URL such as"),
        ("https://netbox.example.com/?a=1", "", "expected a URL such as"),
        ("https://netbox.example.com", "a\nb", "the token has characters that no header can have"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, token: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        JsonServer(url, token).check()


def test_the_token_goes_to_no_other_server(services: Services) -> None:
    with pytest.raises(UsageError, match="302"):
        netbox_server(f"{services.url}/moved", TOKEN).ask("GET", "/api/dcim/devices/?name=n1")
    assert services.asked == []


def test_a_wrong_token_and_a_server_that_is_away(services: Services) -> None:
    with pytest.raises(UsageError, match="403"):
        netbox_server(services.url, "wrong").ask("GET", "/api/dcim/devices/?name=n1")
    with pytest.raises(UsageError, match="cannot be reached"):
        JsonServer("http://127.0.0.1:9", "").ask("GET", "/x")
    with pytest.raises(UsageError, match="cannot be started"):
        SlurmDrain("/nowhere/scontrol").apply("n1", "x")


BAD = Night(
    {(step, host): () for step in ("gpus", "net") for host in ("n1", "n2", "n3", "n4", "n5")},
    {("gpus", "n1"): "failed"},
)
MANY = Night(BAD.measured, {("gpus" if number % 2 else "net", f"n{number}"): "failed" for number in (1, 2, 3, 4)})


class TestCommand:
    @pytest.fixture(autouse=True)
    def path(self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store([BAD])
        make_scontrol(tmp_path)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def test_without_a_sink_it_says_what_is_to_be_done(self, tmp_path: Path) -> None:
        code, out, err = call("act")
        assert (code, err) == (0, "")
        assert "n1    isolate" in out
        assert asked(tmp_path) == []

    def test_what_failed_between_hosts_is_not_passed_over(self) -> None:
        between = {**BAD.measured, ("link", ""): ()}
        store([BAD, Night(between, {("link", ""): "failed"}), Night(between, {("link", ""): "failed", **BAD.verdicts})])
        told = "1 result that did not pass is about no single host (link): rack-recipes analyse {}\n"
        assert call("act", "last~1").out == told.format(run_id(2))
        out = call("act").out
        assert "n1    isolate" in out
        assert out.endswith(told.format(run_id(3)))

    def test_dry_by_default(self, tmp_path: Path) -> None:
        code, out, _err = call("act", "last", "--slurm")
        assert code == 0
        assert (
            f"slurm: n1: would: scontrol update NodeName=n1 State=DRAIN 'Reason=rack-recipes {run_id(1)}: isolate:"
            in out
        )
        assert out.endswith("nothing was done: add --apply\n")
        assert asked(tmp_path) == []

    def test_applied(self, tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NETBOX_TOKEN", TOKEN)
        monkeypatch.setenv("KUBERNETES_TOKEN", "wrong")
        words = ("--slurm", "--netbox", services.url, "--kubernetes", f"{services.url}/k8s", "--apply", "--json")
        code, out, err = call("act", *words)
        told = json.loads(out)
        assert (code, err, told["applied"]) == (1, "", True)
        assert [(one["sink"], one["done"] != "") for one in told["outcomes"]] == [
            ("slurm", True), ("kubernetes", False), ("netbox", True),
        ]  # fmt: skip
        assert [words[0] for words in asked(tmp_path)] == ["--oneliner", "update"]
        assert TOKEN not in out

    def test_taken_back(self, tmp_path: Path) -> None:
        assert "--undo takes back what" in call("act", "--undo").err
        assert "nothing that was done after it is to be taken back" in call("act", "--undo", "--slurm").out
        call("act", "--slurm", "--apply")
        out = call("act", "--undo", "--slurm").out
        assert f"slurm: n1: would: scontrol update NodeName=n1 State=UNDRAIN (rack-recipes {run_id(1)}: isolate:" in out
        assert "slurm: n1: no longer drained" in call("act", "--undo", "--slurm", "--apply").out
        assert asked(tmp_path).count(["update", "NodeName=n1", "State=UNDRAIN"]) == 1

    def test_many_hosts_need_a_word_more(self, tmp_path: Path) -> None:
        store([BAD, MANY])
        code, _out, err = call("act", "--slurm", "--apply")
        assert (code, "4 of 5 hosts would be taken out of service: if that is meant, add --many" in err) == (2, True)
        assert asked(tmp_path) == []
        assert "would:" in call("act", "--slurm").out
        assert call("act", "--slurm", "--apply", "--many").code == 1  # n3 and n4 are unknown to scontrol
        assert [words[3] for words in asked(tmp_path) if words[0] == "--oneliner"] == ["n1", "n2", "n3", "n4"]
