# SPDX-License-Identifier: GPL-3.0-or-later

"""A rack of real SSH hosts on this machine: an sshd, a loopback address, a home folder and a Python for each.

    with Rack(8) as rack:
        subprocess.run(["ansible", "-i", rack.inventory, "odd", "-m", "ping"])

`python tests/rack/ssh_hosts.py --help` tells how to use it from a shell. Neither needs root.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import python_interpreters
import service_supervisor
from service_supervisor import ServiceError, Supervisor, program

FIRST_ADDRESS = "127.0.1.1"
SSH_OPTIONS = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
START_LIMIT = 10.0  # seconds
ANSWER_LIMIT = 2.0  # seconds, for one attempt
FOLDER_HELP = "where keys, logs, homes and inventory are (run: a temporary folder by default)"
SHARED = "how many hosts have one sshd, at most 16, so that 1,000 hosts fit into memory (default: 1)"
MOST_SHARED = 16  # addresses that one sshd can listen on
SSHD_CONFIG = """\
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/id.pub"
PidFile none
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
AcceptEnv LANG LC_*
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"""
# HOME keeps the user's own shell start files away from each session, and the hosts' files apart.
HOME = 'SetEnv "HOME={folder}/{name}"\n'
HOME_OF_ONE = f"Match LocalAddress {{address}}\n{HOME}"


@dataclass(frozen=True)
class Host:
    """Where one host listens, and its Python."""

    name: str
    address: str
    port: int
    version: str
    python: Path


class Rack:
    """`count` hosts, r01 and on, with the files of all in `folder`; without one, in a temporary folder.

    Addresses count from `first_address`. The hosts take their Python from `interpreters` (version, path) in turn,
    by default from those that are found on the machine. `within` is the command that runs sshd, as `ip netns exec` can.
    `shared` hosts have one sshd, `MOST_SHARED` at most, so that very many fit into memory. They are killed together.
    Raises `ServiceError` when sshd is missing or a host does not answer within `START_LIMIT`.
    """

    def __init__(
        self,
        count: int = 8,
        folder: Path | None = None,
        first_address: str = FIRST_ADDRESS,
        interpreters: Mapping[str, Path] | None = None,
        within: Sequence[str] = (),
        shared: int = 1,
    ) -> None:
        self._within = within
        self._temporary = folder is None
        self.folder = folder.absolute() if folder else Path(tempfile.gettempdir(), f"rack-{secrets.token_hex(6)}")
        self.members = {
            host.name: host for host in _hosts(count, first_address, interpreters or python_interpreters.find(), shared)
        }
        self._groups = {group[0]: group for group in itertools.batched(self.members, shared, strict=False)}
        self._server = {name: server for server, group in self._groups.items() for name in group}
        self._supervisor: Supervisor | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of the hosts."""
        return tuple(self.members)

    @property
    def inventory(self) -> Path:
        """The Ansible inventory, with the groups rack, odd and even."""
        return self.folder / "inventory.yml"

    def start(self) -> None:
        """Start all hosts, and wait until each of them answers."""
        sshd, ssh_keygen = program("sshd", "openssh-server"), program("ssh-keygen", "openssh-client")
        if service_supervisor.running(self.folder):
            raise ServiceError(f"a rack runs in {self.folder} already")
        try:
            self._prepare(sshd, ssh_keygen)
            self._supervisor = Supervisor(self.folder, temporary=self._temporary)
            self.revive(*self.hosts)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every host and all that runs on it; returns when nothing is left."""
        if self._supervisor:
            self._supervisor.close()
            self._supervisor = None
        if self._temporary:  # without a supervisor, it is still there
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, *names: str) -> None:
        """Kill these hosts: SIGKILL to sshd and to all processes that run on them."""
        self._kept.kill(self._servers(names))

    def revive(self, *names: str) -> None:
        """Start these hosts at their old address and port, and wait until they answer."""
        sshd = program("sshd", "openssh-server")
        start = (*self._within, sshd, "-D", "-e", "-f")
        self._kept.start({name: (*start, str(self.folder / f"{name}.conf")) for name in self._servers(names)})
        deadline = time.monotonic() + START_LIMIT
        for name in names:
            self._wait(self.members[name], deadline)

    def pids(self) -> dict[str, int]:
        """The sshd of each host that lives."""
        pids = self._kept.pids()
        return {name: pids[server] for name, server in self._server.items() if server in pids}

    def processes(self) -> list[int]:
        """Every process of the rack: its supervisor, the hosts' sshd and all that runs on them."""
        pid = self._kept.process.pid
        return [pid, *service_supervisor.descendants(pid)]

    def detach(self) -> None:
        """Let the hosts outlive this process, until `service_supervisor.stop(folder)`."""
        self._kept.detach()

    def ssh(self, name: str, *command: str) -> list[str]:
        """The command line that runs `command` on a host."""
        host = self.members[name]
        login = ("-i", str(self.folder / "id"), "-p", str(host.port), f"{service_supervisor.user()}@{host.address}")
        return [program("ssh", "openssh-client"), *SSH_OPTIONS.split(), *login, *command]

    def variables(self, name: str) -> dict[str, object]:
        """What Ansible has to know of a host, for an inventory of hosts of several racks."""
        return {**_variables(self.members[name]), **_login(self.folder)}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _servers(self, names: Iterable[str]) -> list[str]:
        """The names of the services that these hosts are on."""
        return [*dict.fromkeys(self._server[name] for name in names)]

    @property
    def _kept(self) -> Supervisor:
        if not self._supervisor:
            raise ServiceError("the rack is not started")
        return self._supervisor

    def _prepare(self, sshd: str, ssh_keygen: str) -> None:
        """Write all files that the hosts need."""
        if set('%"') & set(str(self.folder)):
            raise ServiceError(f"ssh cannot be told of files in {self.folder}: choose a folder without % and quotes")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_run_folder()
        _make_keys(ssh_keygen, self.folder)
        extra = _extra(sshd, self.folder)
        for name, group in self._groups.items():
            text = _config([self.members[member] for member in group], self.folder, extra)
            (self.folder / f"{name}.conf").write_text(text)
        self.inventory.write_text(_inventory(self.members.values(), self.folder))

    def _wait(self, host: Host, deadline: float) -> None:
        while not _answers(host):
            if time.monotonic() > deadline or host.name not in self.pids():
                log = (self.folder / f"{self._server[host.name]}.log").read_text(errors="replace")
                raise ServiceError(f"{host.name} does not answer on {host.address}:{host.port}: {log[-500:].strip()}")
            time.sleep(0.01)


def _hosts(count: int, first_address: str, interpreters: Mapping[str, Path], shared: int) -> Iterable[Host]:
    width, port = max(2, len(str(count))), 0
    for number, (version, path) in zip(range(count), itertools.cycle(interpreters.items())):
        address = str(ip_address(first_address) + number)
        port = port if number % shared else service_supervisor.free_port(address)
        yield Host(f"r{number + 1:0{width}}", address, port, version, path)


def _make_keys(ssh_keygen: str, folder: Path) -> None:
    paths = [folder / "host_key", folder / "id"]
    for path in paths:
        path.unlink(missing_ok=True)
    command = (ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-C", "rack", "-f")
    for started in [subprocess.Popen([*command, path]) for path in paths]:
        if started.wait():
            raise ServiceError(f"ssh-keygen failed in {folder}")


def _config(hosts: Sequence[Host], folder: Path, extra: str) -> str:
    """The configuration of one sshd for these hosts; their home folders are made."""
    for host in hosts:
        (folder / host.name).mkdir(exist_ok=True)
    listen = "".join(f"ListenAddress {host.address}:{host.port}\n" for host in hosts)
    home = HOME if len(hosts) == 1 else HOME_OF_ONE
    homes = "".join(home.format(folder=folder, **vars(host)) for host in hosts)
    return listen + SSHD_CONFIG.format(folder=folder) + extra + homes


def _extra(sshd: str, folder: Path) -> str:
    """Since 9.8 sshd blocks an address whose sessions died. Here all hosts and tests share one address."""
    line = "PerSourcePenalties no"
    command = [sshd, "-t", "-f", os.devnull, "-h", str(folder / "host_key"), "-o", line]
    return line + "\n" if subprocess.run(command, capture_output=True, check=False).returncode == 0 else ""


def _make_run_folder() -> None:
    """Root's sshd confines its login process there; the folder is gone after a boot without the system's sshd."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def _inventory(hosts: Iterable[Host], folder: Path) -> str:
    """YAML by hand: this file needs the standard library only."""
    members = [f"        {host.name}: {json.dumps(_variables(host))}" for host in hosts]
    names = [f"        {host.name}:" for host in hosts]
    variables = [f"        {key}: {json.dumps(value)}" for key, value in _login(folder).items()]
    lines = ["all:", "  children:", "    rack:", "      hosts:", *members, "      vars:", *variables]
    for group, chosen in (("odd", names[::2]), ("even", names[1::2])):
        lines += [f"    {group}:", "      hosts:" if chosen else "      hosts: {}", *chosen]
    return "\n".join(lines) + "\n"


def _variables(host: Host) -> dict[str, object]:
    return {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_python_interpreter": str(host.python),
    }


def _login(folder: Path) -> dict[str, object]:
    # A user's sshd cannot give a terminal to the group tty, which some machines want.
    without_terminal = {"ansible_ssh_use_tty": False} if os.geteuid() != 0 else {}
    return {
        "ansible_user": service_supervisor.user(),
        "ansible_ssh_private_key_file": f"{folder}/id",
        "ansible_ssh_common_args": SSH_OPTIONS,
        **without_terminal,
    }


def _answers(host: Host) -> bool:
    """Whether its sshd has sent the first line of the protocol."""
    try:
        with socket.create_connection((host.address, host.port), timeout=ANSWER_LIMIT) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return int(args.call(args))
    except ServiceError as error:
        print(f"ssh_hosts.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _start(args: argparse.Namespace) -> int:
    rack = Rack(args.count, args.folder, args.first_address, shared=args.shared)
    with contextlib.ExitStack() as undo:
        undo.enter_context(rack)
        _say(rack)
        rack.detach()
        undo.pop_all()
    print(rack.inventory)
    return 0


def _stop(args: argparse.Namespace) -> int:
    if not (args.folder / service_supervisor.STATE).exists():
        raise ServiceError(f"no rack was started in {args.folder}")
    service_supervisor.stop(args.folder)
    return 0


def _run(args: argparse.Namespace) -> int:
    with (
        Rack(args.count, args.folder, args.first_address, shared=args.shared) as rack,
        contextlib.ExitStack() as ending,
    ):
        _say(rack)
        with _undisturbed():
            child = subprocess.Popen(args.command, env={**os.environ, "RACK_INVENTORY": str(rack.inventory)})
            ending.callback(_end, child)
        code = child.wait()
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Delay signals in the block: one between the start of a child and the note of it would leave it running."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda each, _frame: came.append(each)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in came:
            signal.raise_signal(each)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def _say(rack: Rack) -> None:
    versions = dict.fromkeys(f"{host.version} ({host.python})" for host in rack.members.values())
    print(f"{len(rack.hosts)} hosts in {rack.folder}, Python {', '.join(versions)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ssh_hosts.py",
        description="A rack of real SSH hosts on this machine: an sshd, a loopback address, a home folder and another "
        "Python for each. Needs no root. Log in with the inventory that it writes: ansible -i INVENTORY rack -m ping",
        epilog=f"{python_interpreters.VARIABLE} lists the Python interpreters of the hosts, absolute paths between "
        "colons; without it, those from 3.9 to 3.13 in pyenv's versions and on PATH are used, in turn.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="start hosts, print the path of their inventory, leave them running")
    stop = commands.add_parser("stop", help="end the hosts of a folder and all that runs on them")
    run = commands.add_parser(
        "run",
        help="start hosts, run a command with RACK_INVENTORY in its environment, end them; exit as the command did",
        usage="ssh_hosts.py run [-h] [--count N] [--folder F] [--first-address A] -- COMMAND [ARGUMENT ...]",
    )
    for command, call in ((start, _start), (stop, _stop), (run, _run)):
        command.set_defaults(call=call)
        command.add_argument("--folder", type=Path, metavar="F", required=command is not run, help=FOLDER_HELP)
    for command in (start, run):
        command.add_argument("--count", type=int, default=8, metavar="N", help="how many hosts (default: 8)")
        command.add_argument(
            "--shared", type=int, default=1, metavar="N", choices=range(1, MOST_SHARED + 1), help=SHARED
        )
        command.add_argument("--first-address", default=FIRST_ADDRESS, metavar="A", help="r01's (default: %(default)s)")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
