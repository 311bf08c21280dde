# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy what a run begins with into its folder: recipe, playbook, hosts and the digests of scriptlets.

Secrets are masked. Where something cannot be copied the run goes on, and an export of the run says what is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames, secrets_in
from rack_recipes.errors import RackError
from rack_recipes.private_files import FILE_MODE, FOLDER_MODE
from rack_recipes.recipe.recipe_names import file_of
from rack_recipes.run.current_run import Run
from rack_recipes.run.host.host_request import ANSIBLE, HOOKS, scriptlet_of
from rack_recipes.run.recorder.play_outline import steps_of
from rack_recipes.run.run_folders import BEGUN, HOSTS, PLAYBOOK, RECIPES, SCRIPTLETS
from rack_recipes.run.run_secrets import literal, literal_secrets_of

if TYPE_CHECKING:
    from ansible.playbook.play import Play

# How a host is reached. Nothing else of the inventory is copied: it may hold passwords.
CONNECTION = ("ansible_connection", "ansible_host", "ansible_port", "ansible_user", "ansible_network_os")


Said = Mapping[str, Any]
Texts = Iterable[tuple[str, bytes]]


def write_snapshot(run: Run, plays: Sequence[Play], hosts: Mapping[str, object]) -> None:
    """Write the copies; `hosts` are Ansible's hosts by their names."""
    folder = run.folder / BEGUN
    with suppress(OSError, RackError, ValueError):
        folder.mkdir(mode=FOLDER_MODE)
        used, folders = [*_used(run, plays)], tuple(map(Path, run.settings.scriptlets))
        mask = Mask(_secrets(run, used, folders))
        for name, text in _texts(run, plays, hosts):
            _write(folder / name, _masked(run, mask, text))
        _write(folder / SCRIPTLETS, _masked(run, mask, _json(_scriptlets(used, folders))))


def _write(path: Path, text: bytes) -> None:
    """Write the whole text; where there is no room for it, leave no file."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as file:  # noqa: PTH123
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise


def _masked(run: Run, mask: Mask, text: bytes) -> bytes:
    for each in filter(None, (run.inputs.mask, mask)):
        text = each.mask(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    return text


def _secrets(run: Run, used: Sequence[Said], folders: tuple[Path, ...]) -> Iterator[str]:
    """The secrets that stand in steps, hooks and the defaults of parameters."""
    names = SecretNames(run.settings.secret_keys)
    params = run.inputs.recipe.get("params") or {}
    yield from literal(secrets_in(None, {name: said.get("default") for name, said in params.items()}, names))
    for said in used:
        options = None
        with suppress(RackError):
            options = None if said.get("type") == ANSIBLE else scriptlet_of(said, folders).options
        yield from literal_secrets_of(said, options, names)


def _texts(run: Run, plays: Sequence[Play], hosts: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    for name, text in recipe_files(str(run.inputs.recipe.get("path", "")), str(run.inputs.recipe.get("digest", ""))):
        yield f"{RECIPES}/{name}", text
    with suppress(OSError):
        yield PLAYBOOK, Path(plays[0].get_path().rpartition(":")[0]).read_bytes()
    yield HOSTS, _json({name: _host(host) for name, host in hosts.items()})


def recipe_files(path: str, digest: str) -> list[tuple[str, bytes]]:
    """The recipe's file and those that it includes, with the names of their copies.

    Empty where they cannot be read, or are not what was compiled, which `digest` tells.
    """
    try:
        text = file_of(path).read_bytes()
        if digest == f"sha256:{sha256(text).hexdigest()}":  # a recipe without includes
            return [(_inside(path, {}), text)]
        # a recipe without includes does not pay for these
        from rack_recipes.recipe.includes.included_files import read_included_files
        from rack_recipes.recipe.load import digest as digest_of

        more = read_included_files(text, path)
    except (OSError, ValueError, RackError):
        return []
    if digest != digest_of(text, [*more.values()]):
        return []
    named: dict[str, bytes] = {}
    for name, content in {path: text, **more}.items():
        named[_inside(name, named)] = content
    return [*named.items()]


def _inside(path: str, taken: Mapping[str, object]) -> str:
    """The name of the copy: the path itself if it leads down from here, otherwise a number and the file's name."""
    parts = PurePosixPath(path)
    plain = path.isprintable() and "\\" not in path
    if plain and not parts.is_absolute() and ".." not in parts.parts and str(parts) not in taken:
        return str(parts)
    return f"{len(taken)}-{parts.name if plain else 'recipe.yml'}"


def _host(host: Any) -> dict[str, Any]:
    """A host's groups, and those of its own inventory variables that say how it is reached."""
    variables = {name: host.vars[name] for name in CONNECTION if name in host.vars}
    reached = {name: str(value) for name, value in variables.items() if isinstance(value, str | int)}
    return {"groups": sorted(group.name for group in host.get_groups()), **reached}


def _used(run: Run, plays: Sequence[Play]) -> Iterator[Said]:
    """The steps and hooks of the plays."""
    yield from (step for _task, step in steps_of(plays))
    given = run.inputs.recipe.get("hooks") or {}
    yield from (hook for when in HOOKS for hook in given.get(when) or ())


def _scriptlets(used: Iterable[Said], folders: tuple[Path, ...]) -> dict[str, str]:
    """The digest of each scriptlet, by its name. One that cannot be found is left out: its stage reports it."""
    found: dict[str, str] = {}
    for said in used:
        if said.get("type") != ANSIBLE:
            with suppress(RackError):
                entry = scriptlet_of(said, folders)
                found[f"{entry.name}:{entry.function}" if entry.function else entry.name] = entry.digest
    return dict(sorted(found.items()))


def _json(value: object) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode()
