# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way by which steps come to a server: a socket of their own, whose requests are those that steps may make."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.run import server_address_and_pass
from rack_recipes.run.run_folders import is_run_held
from rack_recipes.run.server_address_and_pass import HEADER, host_of
from rack_recipes.server import unix_socket
from rack_recipes.server.access.caller import AUTHOR, Caller
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service
from rack_recipes.server.steps.step_routes import STEP_ROUTES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Scope


@dataclass(frozen=True, slots=True)
class StepDoor:
    """The socket for steps, which listens, and where it is. With `with_run` the server ends when the run does."""

    place: server_address_and_pass.StepSocket
    listener: socket.socket
    run_folder: Path
    with_run: bool = False

    def is_open(self) -> bool:
        """Whether the server goes on."""
        return not self.with_run or is_run_held(self.run_folder)

    def app(self, service: Service) -> ASGIApp:
        """The application for what comes through the door."""
        from rack_recipes.server.http.app import make_app

        return make_app(service, _identify_by(self.place.key_bytes), STEP_ROUTES)

    def tell(self) -> None:
        """Let the run know that steps may come."""
        server_address_and_pass.write_server_address(self.run_folder, self.place)


@contextmanager
def step_door(run_folder: Path, *, with_run: bool = False) -> Iterator[StepDoor]:
    """A door during the block; nothing is left of it. Raises UsageError."""
    place = server_address_and_pass.make_step_socket(run_folder)
    listener = unix_socket.listen(Path(place.path))
    try:
        yield StepDoor(place, listener, run_folder, with_run)
    finally:
        listener.close()
        server_address_and_pass.remove_server_address(run_folder, place)


def _identify_by(key: bytes) -> Callable[[Scope], Caller]:
    """How steps are known: the name of the caller is the host, empty for a step of the run."""

    def identify(scope: Scope) -> Caller:
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        host = host_of(key, given)
        if host is None:
            advice = "steps get their pass from the run; a pass of an earlier server counts no more"
            raise Problem("not-allowed", "this is no pass of a step of this run", advice)
        return Caller(host, AUTHOR)

    return identify
