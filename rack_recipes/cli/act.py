# SPDX-License-Identifier: GPL-3.0-or-later

"""The command act: what is to be done about the hosts of a run, and who is told."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table, printable
from rack_recipes.errors import UsageError, counted
from rack_recipes.natural_order import natural

if TYPE_CHECKING:
    from rack_recipes.analysis.actions import HostAction
    from rack_recipes.integrations.sinks.host_sinks import Outcome, Sink

TITLES = ("host", "action", "why", "results")
MOST_SHARE = 0.5  # of the hosts of a run
FEW = 3  # hosts, which are never many


@takes(
    """
    [RUN]
    --slurm  drain the hosts in Slurm, by scontrol
    --kubernetes URL  set a condition of the nodes, by the API at this URL; the token is in KUBERNETES_TOKEN
    --netbox URL  set the status of the devices to failed, with a journal entry; the token is in NETBOX_TOKEN
    --undo  take back what was done after this run, and nothing else: a drain, a condition, a status
    --apply  do it; without this it is only printed
    --many  also where more than half of the hosts of the run would be taken out of service
    --db URL
    examples:
    rack-recipes act
    rack-recipes act last --slurm
    rack-recipes act last --slurm --netbox https://netbox.example.com --apply
    rack-recipes act last~1 --undo --slurm --apply
    """
)
def act(options: argparse.Namespace) -> Answer:
    """Say what is to be done about each host with a result that did not pass, and tell Slurm, Kubernetes or NetBox.

    Only what you name is told, and only with --apply. Hosts whose action is `monitor` stay in service. Nothing is taken
    back by itself: who has mended a host says so by --undo. The exit code is 1 where something could not be done.
    """
    from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
    from rack_recipes.analysis.actions import MONITOR, actions_by_host, failing_results
    from rack_recipes.analysis.analyse_run import analyse
    from rack_recipes.analysis.run_data import load_run_data, mark_cut_off
    from rack_recipes.integrations.sinks.host_sinks import send_actions
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        run = load_run_data(store, run_id, recorded_runs.judged)
        if not run.run.get("ended"):
            raise UsageError(f"run {run_id} has not ended: nobody knows yet what is to be done")
        results = mark_cut_off(run).results
        actions = actions_by_host(analyse(store, run), results)
    if options.undo:
        bad = {row["host"] for row in run.results if row["verdict"] not in HARMLESS} - {""}
        return _undo(options, run_id, sorted(bad | {one.host for one in actions}, key=natural))
    sinks, hosts = _sinks(options), {row["host"] for row in run.results} - {""}
    out = sum(one.action != MONITOR for one in actions)
    if options.apply and out > FEW and out > MOST_SHARE * len(hosts) and not options.many:
        raise UsageError(
            f"{out} of {counted(len(hosts), 'host')} would be taken out of service: if that is meant, add --many"
        )
    outcomes = [*send_actions(sinks, actions, run_id, is_dry=not options.apply)]
    code = int(any(one.error for one in outcomes))
    if options.json:
        told = {"hosts": [one._asdict() for one in actions], "outcomes": [asdict(one) for one in outcomes]}
        return {"run_id": run_id, "applied": options.apply, **told}, code
    between = [*dict.fromkeys(result.step for result in failing_results(results) if not result.host)]
    lines = _lines(run_id, sinks, actions, outcomes, between, is_dry=not options.apply)
    return "".join(lines), code


def _undo(options: argparse.Namespace, run_id: str, hosts: Sequence[str]) -> Answer:
    """Take back what was done after a run about these hosts. Raises UsageError where nobody is named who could."""
    from rack_recipes.integrations.sinks.host_sinks import take_back

    sinks = _sinks(options)
    if not sinks:
        raise UsageError("--undo takes back what Slurm, Kubernetes or NetBox was told: name them, such as --slurm")
    outcomes = [*take_back(sinks, hosts, run_id, is_dry=not options.apply)]
    code = int(any(one.error for one in outcomes))
    if options.json:
        told = {"run_id": run_id, "applied": options.apply, "undone": [asdict(one) for one in outcomes]}
        return told, code
    lines = [*_told(outcomes, is_dry=not options.apply)]
    return "".join(lines) or f"run {run_id}: nothing that was done after it is to be taken back\n", code


def _sinks(options: argparse.Namespace) -> Sequence[Sink]:
    """The sinks that were named. Raises UsageError for a URL or a token that cannot be used, before anybody is told."""
    from rack_recipes.integrations.sinks.json_client import JsonServer
    from rack_recipes.integrations.sinks.kubernetes_condition import NodeCondition
    from rack_recipes.integrations.sinks.netbox_status import NetBoxStatus, netbox_server
    from rack_recipes.integrations.sinks.slurm_drain import SlurmDrain

    found: list[Sink] = [SlurmDrain()] if options.slurm else []
    if options.kubernetes:
        found.append(NodeCondition(JsonServer(options.kubernetes, os.environ.get("KUBERNETES_TOKEN", ""))))
    if options.netbox:
        found.append(NetBoxStatus(netbox_server(options.netbox, os.environ.get("NETBOX_TOKEN", ""))))
    for sink in found:
        if isinstance(sink, NodeCondition | NetBoxStatus):
            sink.server.check()
    return found


def _lines(
    run_id: str,
    sinks: Sequence[Sink],
    actions: Sequence[HostAction],
    outcomes: Sequence[Outcome],
    between: Sequence[str],
    *,
    is_dry: bool,
) -> Iterator[str]:
    """`between` are the results that did not pass and are about no single host."""
    if actions:
        yield format_table(TITLES, [(one.host, one.action, one.rule, ", ".join(one.reasons)) for one in actions])
        yield from _told(outcomes, is_dry=is_dry)
        if sinks and not outcomes:
            yield "nobody is told: all of these hosts stay in service\n"
    elif not between:
        yield f"run {run_id}: nothing is to be done about any host\n"
    if between:
        about = f"{'is' if len(between) == 1 else 'are'} about no single host ({first_few(between, FEW)})"
        yield f"{counted(len(between), 'result')} that did not pass {about}: rack-recipes analyse {run_id}\n"


def _told(outcomes: Sequence[Outcome], *, is_dry: bool) -> Iterator[str]:
    for one in outcomes:
        start = f"{one.sink}: {one.host}: "
        yield (
            printable(start + (f"not done: {one.error}" if one.error else f"{'would: ' if is_dry else ''}{one.done}"))
            + "\n"
        )
    if outcomes and is_dry:
        yield "nothing was done: add --apply\n"
