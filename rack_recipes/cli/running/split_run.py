# SPDX-License-Identifier: GPL-3.0-or-later

"""A run on several controllers before it begins: what cannot be followed there, and which part has which hosts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.cli.command_options import Answer
from rack_recipes.cli.inventory_hosts import asking_for_hosts
from rack_recipes.cli.running.dry_run import dry_run
from rack_recipes.cli.running.prepare_run import PreparedRun, prepare_run
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import UsageError
from rack_recipes.integrations.across.controllers_file import read_controllers
from rack_recipes.integrations.across.split_inventory import PartHosts, part_files, part_inventory, split_hosts
from rack_recipes.journal.record_fields import Record
from rack_recipes.natural_order import natural
from rack_recipes.recipe.recipe_names import is_shipped
from rack_recipes.run.extra_vars import secrets_of
from rack_recipes.run.launcher.ansible_playbook import PlaybookCommand, is_here_only
from rack_recipes.run.processes import new_run_id
from rack_recipes.run.run_folders import journal_of, run_record
from rack_recipes.run.unmatched_hosts import no_match

NAMED = 5  # hosts of a part
REFUSED = {  # options that cannot be followed, and what to do instead
    "parts": "there is one part for each controller of the file",
    "ask_pass": "nobody could type a password on the controllers: let keys log in",
    "ask_become_pass": "nobody could type a password on the controllers: set it in the inventory, by ansible-vault",
    "verbose": "Ansible's output stays on the controllers: --debug shows what steps do",
    "notify": "each controller would send it: set notify_url and its secret there",
    "context": "give it to a run of this machine",
}


@dataclass(frozen=True, slots=True)
class SplitRun:
    """A run that is ready to be started: its parts, and the whole inventory, of which each part gets what it needs.

    `unused` are the controllers that have no hosts, each with the reason, `named_files` those of -e @FILE.
    """

    prepared: PreparedRun
    parts: Sequence[PartHosts]
    unused: Mapping[str, str]
    inventory: Mapping[str, Any]
    named_files: Sequence[Path] = ()

    def inventory_of(self, part: PartHosts) -> dict[str, Any]:
        """The inventory of a part. Hosts that the recipe never tests, such as jump hosts, are known to all parts."""
        return part_inventory(self.inventory, self._of_others(part))

    def files_of(self, part: PartHosts, files: Sequence[Path]) -> list[Path]:
        """Those files of the project that the part gets: no variables of other hosts, unless -e names their file."""
        named, kept = {*self.named_files}, {*part_files(files, self.inventory, self._of_others(part))}
        return [path for path in files if path in kept or path in named]

    def _of_others(self, part: PartHosts) -> set[str]:
        return {*self.inventory["matched"][self.prepared.plan.recipe.hosts]} - {*part.hosts}


def split_run(options: argparse.Namespace) -> SplitRun:
    """Read the recipe, the file of controllers and the inventory; nothing is started. Raises RackError."""
    if wrong := next((name for name in REFUSED if getattr(options, name)), None):
        raise UsageError(f"--{wrong.replace('_', '-')} does not go with --across: {REFUSED[wrong]}")
    if any(word.startswith(("-k", "-K", "-J", "--ask-", "--vault-")) for word in options.ansible):
        raise UsageError(
            "with --across nobody could type a password, and no file of this machine is on the controllers: name a "
            "vault_password_file of theirs in ansible.cfg"
        )
    if is_here_only(PlaybookCommand(Path(), "", options.inventory, more=options.ansible)):
        raise UsageError("--across: expected an inventory to split: give it by -i, or in ansible.cfg")
    file = read_controllers(options.across, options.on or "")
    given, options.group = options.group, options.group or f"across-{new_run_id()}"
    prepared = prepare_run(options)
    if not given and prepared.earlier:
        options.group = str((_earlier_record(prepared).get("group") or {}).get("id") or options.group)
    _check_secrets(prepared)
    _check_reach(options, prepared)
    recipe = prepared.plan.recipe
    patterns = {recipe.hosts, *(one.hosts for one in file.each if one.hosts)}
    variables = [file.split] if isinstance(file.split, str) else []
    limit = options.limit or (",".join(_earlier_record(prepared).get("hosts", ())) or prepared.limit)
    with asking_for_hosts(options.inventory, limit, patterns, variables, inventory=True) as answer:
        found = answer()
    if found.problem or found.refusal:
        raise UsageError(f"--across: {found.problem or found.refusal}")
    hosts = sorted(found.of(recipe.hosts), key=natural)
    if not hosts:
        asked = f"--limit {limit!r}" if limit else repr(recipe.hosts)
        raise UsageError(f"nothing was run: {no_match(asked, found.whole, found.groups)}")
    parts = split_hosts(file, hosts, found.variables, found.hosts, found.inventory)
    taking = {part.controller.name for part in parts}
    unused = {
        one.name: "none of its hosts is in this run" if one.hosts else "there are not enough hosts"
        for one in file.each
        if one.name not in taking
    }
    named = [Path(os.path.normpath(text[1:])) for text in options.extra_vars if text.startswith("@")]
    return SplitRun(replace(prepared, limit=limit), parts, unused, found.inventory, named)


def _earlier_record(prepared: PreparedRun) -> Record:
    """The run record of the part that is resumed; empty where none is."""
    run_id = prepared.earlier.run_id if prepared.earlier else ""
    return run_record(journal_of(Path(prepared.settings.runs), run_id)) if run_id else {}


def _check_secrets(prepared: PreparedRun) -> None:
    """Raise UsageError for a secret parameter: ansible-runner would write it to files, here and on the controllers."""
    declared = {name: {"secret": param.secret} for name, param in prepared.plan.recipe.params.items()}
    if secrets_of(declared, prepared.params, SecretNames(prepared.settings.secret_keys)):
        raise UsageError(
            "--across would write a secret parameter to files on the controllers: put rack_recipes_params into a file "
            "of this folder that ansible-vault has encrypted, and give it by -e @FILE; they decrypt it by the "
            "vault_password_file that their ansible.cfg names"
        )


def dry_run_across(options: argparse.Namespace) -> Answer:
    """Show what a run on several controllers would do, and which part has which hosts. No controller is asked."""
    split = split_run(options)
    answer, code = dry_run(options, split.prepared)
    if isinstance(answer, dict):
        parts = [{"controller": part.controller.name, "hosts": [*part.hosts]} for part in split.parts]
        return {**answer, "parts": parts}, code
    rows = [(part.controller.name, str(len(part.hosts)), first_few(part.hosts, NAMED)) for part in split.parts]
    rows += [(name, "0", f"has no part: {why}") for name, why in split.unused.items()]
    return f"{answer}\n{format_table(('controller', 'hosts', ''), rows)}", code


def _check_reach(options: argparse.Namespace, prepared: PreparedRun) -> None:
    """Raise UsageError for files outside of the folder that is sent."""
    here = Path.cwd()
    named = [("the recipe", prepared.plan.recipe.path)] if not is_shipped(prepared.plan.recipe.path) else []
    named += [("-e", text[1:]) for text in options.extra_vars if text.startswith("@")]
    for what, name in named:
        if Path(name).is_absolute() or not Path(name).resolve().is_relative_to(here.resolve()):
            raise UsageError(f"--across sends this folder to the controllers, and {what} {name} is not a path in it")
