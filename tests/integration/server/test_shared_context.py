# SPDX-License-Identifier: GPL-3.0-or-later

"""Several servers at one Valkey serve one context: each may be asked, and each may die."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import valkey

from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, served
from call_rack_recipes import rack_recipes
from rack_recipes.server.shared_run import PATIENCE
from valkey_server import ValkeyServer

KEY = "numbers.stats_v1"
COUNT = "storm.count_v1"


@pytest.fixture(scope="module")
def shared() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest, project: Path) -> None:
    if "shared" in request.fixturenames:
        found: ValkeyServer = request.getfixturevalue("shared")
        with valkey.Valkey.from_url(found.url) as client:
            client.flushall()


@contextmanager
def servers(shared: ValkeyServer, count: int, *options: str) -> Iterator[list[Server]]:
    """Servers as on machines of their own, each with its own folder of runs."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(served(*options, RACK_RECIPES_VALKEY=shared.url, RACK_RECIPES_RUNS=f"runs{number}"))
            for number in range(count)
        ]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers at a Valkey of their own. Leave them alive, and take other keys than the other tests."""
    with pytest.MonkeyPatch.context() as patch, ValkeyServer() as own:
        patch.chdir(tmp_path_factory.mktemp("project"))
        with servers(own, 2) as started:
            yield started


def test_what_one_server_has_written_the_other_one_knows_at_once(pair: list[Server]) -> None:
    first, second = pair
    assert first.ready["run_id"] == second.ready["run_id"]
    for version in range(1, 11):
        one, other = (first, second) if version % 2 else (second, first)
        assert one.ask("PUT", f"/ctx/{KEY}?version={version - 1}", version).data["version"] == version
        assert other.ask("GET", f"/ctx/{KEY}").data["value"] == version
    late = second.ask("PUT", f"/ctx/{KEY}?version=3", "late")
    assert (late.status, late.data["current"]["value"]) == (409, 10)
    histories = [each.ask("GET", f"/ctx/{KEY}/history").data for each in pair]
    assert histories[0] == histories[1]
    assert [change["after"] for change in histories[0]["changes"]] == [*range(1, 11)]


def test_locks_messages_and_waits_reach_across(pair: list[Server]) -> None:
    first, second = pair
    assert first.ask("POST", "/locks/port_7", {"owner": "a", "lease": 600}).data["fence"] == 1
    assert second.ask("POST", "/locks/port_7", {"owner": "b", "lease": 600}).status == 409
    assert second.ask("DELETE", "/locks/port_7?owner=a").status == 200
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(second.ask("GET", "/ctx/late_v1?wait=100").data["value"]))
    waiting.start()
    first.ask("PUT", "/ctx/late_v1", "now")
    waiting.join()
    assert found == ["now"]


def test_increments_at_several_servers_count_each_once(pair: list[Server]) -> None:
    def add(server: Server) -> None:
        connection = server.connection()
        for _turn in range(20):
            assert connection.ask("POST", f"/ctx/{COUNT}/increment", {}).status == 200
        connection.close()

    threads = [threading.Thread(target=add, args=(server,)) for server in pair * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.ask("GET", f"/ctx/{COUNT}").data["value"] for each in pair] == [240] * 2


def test_a_server_has_no_state_of_its_own(shared: ValkeyServer, project: Path) -> None:
    with servers(shared, 1) as (first,):
        first.ask("PUT", f"/ctx/{KEY}", {"mean": 3})
        first.kill()
        run = first.ready["run_id"]
        with (project / "runs0" / run / "journal.jsonl").open("ab") as journal:
            journal.write(b'\n{"kind": "del')  # as a server leaves it that is killed while it writes
        with served(RACK_RECIPES_VALKEY=shared.url, RACK_RECIPES_RUNS="elsewhere") as second:
            assert second.ask("GET", f"/ctx/{KEY}").data["value"] == {"mean": 3}
            first.start()
            assert first.ask("POST", f"/ctx/{KEY}/increment", {"path": "/mean"}).data["version"] == 2
            assert second.ask("GET", f"/ctx/{KEY}").data["value"] == {"mean": 4}
    copies = [(project / folder / run / "journal.jsonl").read_bytes() for folder in ("runs0", "elsewhere")]
    assert copies[0] == copies[1]
    for folder in ("runs0", "elsewhere"):
        assert rack_recipes("flush", RACK_RECIPES_RUNS=folder).code == 0
    shown = rack_recipes("ctx", "show", "--json").answer
    assert [entry["value"] for entry in shown["context"]] == [{"mean": 4}]


def test_a_stopped_server_s_copy_is_ended_and_goes_on(shared: ValkeyServer, project: Path) -> None:
    with servers(shared, 2) as (first, second):
        for version in range(1, 4):
            assert first.ask("PUT", f"/ctx/{KEY}", version).data["version"] == version
            assert _status("runs0") == "running"
            first.stop()
            assert _status("runs0") == "ended"
            assert second.ask("GET", f"/ctx/{KEY}").data["value"] == version
            first.start()
        first.kill()
        assert _status("runs0") == "interrupted"
        first.start()
        assert second.ask("PUT", f"/ctx/{KEY}", 4).data["version"] == 4
        assert first.ask("GET", f"/ctx/{KEY}").data["value"] == 4
        first.stop()
        assert _status("runs0") == "ended"
    shown = rack_recipes("ctx", "history", KEY, "--json").answer["changes"]
    assert [change["after"] for change in shown] == [1, 2, 3, 4]


def _status(runs: str) -> str:
    """The status that the store has of a server's copy, once it is stored."""
    flushed = rack_recipes("flush", "--json", RACK_RECIPES_RUNS=runs)
    assert flushed.code == 0, flushed.stderr
    return rack_recipes("runs", "--json").answer["runs"][0]["status"]


def test_a_valkey_that_does_not_answer_holds_up_nobody_for_ever(shared: ValkeyServer) -> None:
    with servers(shared, 1) as (server,):
        server.ask("PUT", f"/ctx/{KEY}", 1)
        with shared.frozen():
            for method, target in (("GET", f"/ctx/{KEY}"), ("PUT", f"/ctx/{KEY}")):
                answer = server.ask(method, target, 2)
                assert (answer.status, answer.data["detail"].partition(":")[0]) == (503, "Valkey does not answer")
                assert "Idempotency-Key" in answer.data["advice"]
        assert server.ask("PUT", f"/ctx/{KEY}", 3).status == 200
        assert server.ask("GET", f"/ctx/{KEY}").data["value"] == 3


def test_nobody_waits_longer_for_a_valkey_than_for_one_answer(shared: ValkeyServer) -> None:
    """Who comes while another request waits for Valkey does not begin to wait anew when that one has failed."""

    def asked(server: Server, late: float, method: str, target: str, data: object) -> tuple[int, bool]:
        time.sleep(late)
        begun = time.monotonic()
        status = server.ask(method, target, data).status
        return status, time.monotonic() - begun < 1.6 * PATIENCE  # one after the other they would take twice as long

    writes = (("PUT", f"/ctx/{KEY}", 2), ("POST", "/locks/x", {"owner": "a", "lease": 5}), ("GET", f"/ctx/{KEY}", ...))
    with servers(shared, 1) as (server,), ThreadPoolExecutor(9) as pool:
        server.ask("PUT", f"/ctx/{KEY}", 1)
        with shared.frozen():
            many = [pool.submit(asked, server, late, *write) for late in (0.0, 0.2, 1.0) for write in writes]
            assert {each.result() for each in many} == {(503, True)}
        assert server.ask("PUT", f"/ctx/{KEY}", 3).status == 200


def test_a_request_to_one_server_is_known_to_another_one_and_bounded_there(pair: list[Server]) -> None:
    first, second = pair
    key = "asked_v1"
    assert first.ask("PUT", f"/ctx/{key}", {"a": [1]}, Idempotency_Key="request 2").status == 200
    assert second.ask("PUT", f"/ctx/{key}", {"a": [1]}, Idempotency_Key="request 2").data["repeated"]
    for target, data in ((key, {"a": [2]}), ("other_v1", {"a": [1]})):
        assert second.ask("PUT", f"/ctx/{target}", data, Idempotency_Key="request 2").status == 422
    bomb = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    refused = second.ask("POST", "/ctx", {"key": key, "patch": bomb})
    assert (refused.status, "what a patch copies" in refused.data["detail"]) == (409, True)


def test_a_valkey_that_lost_what_it_acknowledged_is_noticed(shared: ValkeyServer) -> None:
    with servers(shared, 1) as (server,):
        server.ask("PUT", f"/ctx/{KEY}", 1)
        with valkey.Valkey.from_url(shared.url) as client:
            client.flushall()
        answer = server.ask("GET", f"/ctx/{KEY}")
        assert (answer.status, answer.data["detail"].partition(":")[0]) == (503, "Valkey has lost records")
        assert server.ask("PUT", f"/ctx/{KEY}", 2).status == 503


def test_a_new_context_is_new_for_all(shared: ValkeyServer) -> None:
    with servers(shared, 1) as (first,):
        first.ask("PUT", f"/ctx/{KEY}", 1)
    with servers(shared, 1, "--new") as (second,):
        assert second.ready["run_id"] != first.ready["run_id"]
        assert second.ask("GET", f"/ctx/{KEY}").status == 404


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"appendonly": "no"}, "Valkey keeps nothing when it ends: set `appendonly yes`"),
        ({"appendfsync": "everysec"}, "--durability fsync needs `appendfsync always`"),
    ],
)
def test_a_valkey_that_keeps_too_little_is_refused(project: Path, options: dict[str, str], said: str) -> None:
    with ValkeyServer(options=options) as server:
        done = rack_recipes("serve", "--durability", "fsync", RACK_RECIPES_VALKEY=server.url)
        assert (done.code, said in done.stderr) == (2, True), done.stderr
        assert server.password not in done.stdout + done.stderr


def test_a_valkey_that_may_lose_the_last_seconds_is_said(project: Path) -> None:
    with ValkeyServer(options={"appendfsync": "everysec"}) as server, servers(server, 1) as (first,):
        assert "Valkey may lose the last seconds of acknowledged writes" in first.log.read_text()


def test_what_is_no_id_of_a_run_names_no_folder(shared: ValkeyServer, project: Path) -> None:
    with valkey.Valkey.from_url(shared.url) as client:
        client.set("rack_recipes:run", "../../elsewhere")
    done = rack_recipes("serve", RACK_RECIPES_VALKEY=shared.url)
    assert (done.code, "rack_recipes:run is no id of a run: '../../elsewhere'" in done.stderr) == (2, True), done.stderr


def test_a_copy_is_served_by_valkey_alone(shared: ValkeyServer, project: Path) -> None:
    with servers(shared, 1) as (first,):
        run = first.ready["run_id"]
        again = rack_recipes("serve", RACK_RECIPES_VALKEY=shared.url, RACK_RECIPES_RUNS="runs0")
        assert (again.code, "a folder of runs of its own" in again.stderr) == (2, True), again.stderr
        named = rack_recipes("serve", "--valkey", shared.url, "--run", run)
        assert (named.code, "leave out --run" in named.stderr) == (2, True), named.stderr
    done = rack_recipes("serve", "--run", run, RACK_RECIPES_RUNS="runs0")
    assert (done.code, "serve it by --valkey" in done.stderr) == (2, True), done.stderr
