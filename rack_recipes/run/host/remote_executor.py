# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor on one host, reached through the connection of an Ansible task."""

from __future__ import annotations

import json
import math
import os
import random
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK, decrypt_entries
from rack_recipes.errors import RackError
from rack_recipes.run.host.find_python import (
    BEGUN,
    FACT,
    NONE_FOUND,
    TO_BE_FOUND,
    UNSUITABLE,
    found_python,
    python_names,
    python_setting,
    search_command,
    warn_of_discovery,
)
from rack_recipes.run.host.host_answer import (
    ECHOES,
    NO_ANSWER,
    NO_ANSWER_FROM,
    OLDEST,
    SHOWN,
    TOO_MUCH,
    TOO_OLD,
    HostAnswer,
    ahead,
    has_begun,
    is_lost,
    is_never_connected,
    lacks_reason,
    loss_reason,
    read_answer,
    refusal,
)
from rack_recipes.run.host.host_request import Request, imports_installed, wait_of
from rack_recipes.run.host.worker_stop import (
    INTERRUPTED,
    MIB,
    SLOWEST,
    AnswerLimit,
    HostWait,
    Interrupted,
    NoAnswer,
    Stopped,
    WorkerStop,
)
from rack_recipes.run.host.zip_payload import executor_code, pack_payload
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

# The code comes on stdin behind the message and is imported from memory, which saves a second round trip. A host that
# has run the same executor before has kept it compiled, in a folder that nobody else can write to. Imports make no
# garbage, so the search for it is off; and the process ends without cleaning up. Each of these saves 2 ms of CPU.
# Python must not look for modules in the folder that the user is logged in to: a file `json.py` there would stand for
# its own. An empty part of PYTHONPATH means that folder, too. No option of Python 3.9 leaves out just these.
BOOT = (
    "import sys;sys.path[:]=filter(None,sys.path);import gc,os;gc.disable();"
    "h='' in os.environ.get('PYTHONPATH','.').split(':') and os.getcwd();sys.path[:]=filter((h or '').__ne__,sys.path);"
    f"e=sys.stderr;sys.version_info>=({OLDEST.replace('.', ',')}) or ("
    f"e.write({TOO_OLD!r}+sys.version.split()[0]+os.linesep),sys.exit({UNSUITABLE}));"
    f"e.write({BEGUN!r}+os.linesep);"
    "f=sys.stdin.buffer;n,m=map(int,f.readline().split());a=f.read(n);c=f.read(m);"
    "z=os.memfd_create('rack');os.write(z,c);p='/proc/self/fd/%d'%z;u=os.geteuid();b='/var/tmp/rack-recipes-%d'%u;"
    "d=b+'/code-DIGEST';s=os.path.isdir(d) and os.lstat(b);"
    "sys.path.insert(0,d if s and (s.st_mode,s.st_uid)==(0o40700,u) else p);"
    "from ansible_collections.rack.recipes.plugins.module_utils.runner.main import main;main(a,p);os._exit(0)"
)
WITHOUT_INSTALLED = "-S"  # where no step may import the host's packages; looking for these takes 4 to 20 ms of CPU
POLL_WAIT = 10.0  # seconds that a poll may wait on the host for the stage's end
END_WAIT = 5.0  # seconds that a host may take to end its steps
END_LIMIT = 8.0  # seconds for the whole request to end them
ANSWER_TIMEOUT = Settings().answer_timeout  # seconds
SECOND_LOOK, SECOND_MOST = 20.0, 16 * MIB  # seconds and bytes, for a host that gave no answer in an earlier stage
SERVED = "what it served has ended"  # the reason of a serving side that is not needed any more
SERVING_SOON = 0.05  # seconds between two looks at a serving side
SERVING_WAIT = 2.0  # seconds that it may delay an answer without anything to tell
RETRY = 30.0  # seconds that Ansible pauses at most before it tries to connect again
OF_STEP, OF_STAGE = 64 * MIB, 512 * MIB  # bytes that a host may send for each step of a stage, and besides
PAUSE = 1.0  # seconds between two tries
TRIES_MORE = (
    3  # of a host that lets nobody in, each after twice the pause; else as often as the connection's options say
)
USUAL_TMP = "~/.ansible/tmp"  # Ansible's default; not used, since shared home folders may be slow or small
ALIVE = "-o ServerAliveInterval={interval} -o ServerAliveCountMax=3"
LONGEST_INTERVAL = 15  # seconds

T = TypeVar("T")


def boot(tmp: str = "") -> str:
    """The Python program for the host's command line. `tmp` is the folder that the user has set for temporary files."""
    program = BOOT.replace("DIGEST", executor_code()[0])
    place = f"os.path.expandvars(os.path.expanduser({tmp!r}))+'/"
    return program.replace("'/var/tmp/", place) if tmp else program


def keep_alive(connection: ConnectionBase, patience: float) -> None:
    """Let ssh notice that a host is gone, as after a power cut, unless the user has set its options for that.

    Without these, ssh waits for ever: it only reads. `patience` is how long a lost host is waited for, in seconds.
    """
    if getattr(connection, "transport", "") != "ssh":
        return
    given = [str(connection.get_option(name) or "") for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")]
    if not any("ServerAlive" in words for words in given):
        interval = max(1, min(LONGEST_INTERVAL, int(patience / 8)))
        connection.set_option("ssh_extra_args", f"{given[-1]} {ALIVE.format(interval=interval)}".strip())


def use_stdin(connection: ConnectionBase) -> None:
    """Have a request sent on stdin whatever the user has set for modules.

    Modules keep the user's setting: without pipelining they have a terminal, and end with their connection.
    A local connection without pipelining gives a program that asks for a password a terminal, and sends it nothing.
    """
    if getattr(connection, "has_pipelining", False):
        with suppress(AnsibleError, KeyError):  # some have no such option
            connection.set_option("pipelining", True)


def tries_more(connection: ConnectionBase) -> int:
    """How often a host that lets nobody in is tried again. Ansible itself has tried as often as the user wants."""
    try:
        _value, origin = connection.get_option_and_origin("reconnection_retries")
    except (AnsibleError, AttributeError, KeyError):
        return TRIES_MORE
    return TRIES_MORE if origin == "default" else 0


class Unreachable(RackError):
    """The host could not be reached, or was lost."""

    exit_code = 3


def _entries(key: bytes, sealed: str) -> tuple[dict[str, Any], ...]:
    """The secrets that a host has registered; an entry that is none for what is no list of these."""
    try:
        return tuple(decrypt_entries(key, sealed))
    except (ValueError, RecursionError):
        return ({},)


class RemoteExecutor:
    """Sends requests to the executor on the host of a task.

    `reconnect_timeout` is how long a lost host is waited for, in seconds. `hide` takes secrets out of a text.
    `was_reached` is whether the host has answered earlier in this run: if so, it counts as lost, too. `was_given_up` is
    why an earlier stage has tried it in vain: if so, it is tried once, so that it does not cost that time again. For
    the same reason an answer that was waited for in vain is waited for `SECOND_LOOK` seconds then.
    """

    def __init__(
        self,
        action: ActionBase,
        task_vars: Mapping[str, Any],
        reconnect_timeout: float,
        stop: HostWait | None = None,
        hide: Callable[[str], str] = str,
        was_reached: Callable[[], bool] = lambda: False,
        was_given_up: Callable[[], str] = str,
    ) -> None:
        self._hide = hide
        self._stop: HostWait = stop or WorkerStop()
        self._is_asked = False
        self._action = action
        self._task_vars = task_vars
        self._delegate = action._task.delegate_to
        self._reconnect_timeout = reconnect_timeout
        self._parent = os.getppid()
        self._key = os.urandom(32)  # the host encrypts secrets with it: at -vvv, Ansible shows an answer
        self._was_reached = was_reached
        self._was_given_up = was_given_up
        self._received = 0  # characters
        self._connected = False
        self._has_answered = False
        self._gone = ""  # why the host was given up
        self._transport = str(getattr(action._connection, "transport", ""))
        keep_alive(action._connection, reconnect_timeout)
        self.answer_timeout = ANSWER_TIMEOUT
        self.facts: dict[str, Any] = {}
        self.returned: Callable[[], None] | None = None  # called where a lost host is back, by another connection

    def stage(self, request: Request) -> Iterator[HostAnswer]:
        """Start a stage and poll it until it ends, also across lost connections. Each answer has the new records.

        Raises Unreachable with the reason, and RackError where the host can be reached but refuses. Where this worker
        is to stop, the host is made to end its steps, its answer is yielded, and Interrupted is raised.
        """
        message = request.message
        steps = sum(len({**message, **each}["steps"]) for each in message.get("hosts") or [{}])
        return self._poll(message, pack_payload(request.files), message["lease"], steps)

    def serve(self, request: Request, goes_on: Callable[[], bool]) -> Iterator[HostAnswer]:
        """Start a stage that serves others, and have it ended as soon as `goes_on` says so. Raises as `stage` does.

        After the first record, as after a server listens, the host is asked again only to renew its lease.
        """
        message, payload = {**request.message, "soon": SERVING_SOON}, pack_payload(request.files)
        lease, offset = message["lease"], 0
        try:
            answer = self._ask({**message, "attach": min(message["attach"], SERVING_WAIT)}, payload)
            yield answer
            renewed, has_told = time.monotonic(), bool(answer.records)
            while answer.state == "running" and goes_on():
                if has_told and time.monotonic() - renewed < lease / 3:
                    self._unless_stopped(self._stop.sleep, SERVING_SOON)
                    continue
                offset, wait = answer.offset, 0.0 if has_told else SERVING_WAIT
                answer = self._ask(
                    {"id": message["id"], "offset": offset, "attach": wait, "soon": SERVING_SOON}, payload
                )
                renewed, has_told = time.monotonic(), has_told or bool(answer.records)
                yield answer
            while answer.state == "running":
                offset = answer.offset
                end = {"id": message["id"], "offset": offset, "attach": END_WAIT, "end": SERVED}
                answer = self._ask(end, payload)
                yield answer
        except Stopped:
            yield from self._end(message["id"], offset, payload)

    def collect(self, stage: str, lease: float, steps: int) -> Iterator[HostAnswer]:
        """The records of a stage that an earlier run started; waits for one that still runs. Raises as `stage` does.

        `steps` is how many results are missing.
        """
        message = {"id": stage, "offset": 0, "attach": wait_of(lease, POLL_WAIT)}
        return self._poll(message, pack_payload(()), lease, steps)

    def pieces(self, stage: str, wanted: Sequence[tuple[str, int]]) -> HostAnswer:
        """Pieces of the artifacts of a stage, as many as fit into one answer.

        `wanted` has the digest of each artifact and the offset of its piece, in bytes. Raises Unreachable; at once
        where the host was given up before.
        """
        if self._gone:
            raise Unreachable(self._gone)
        try:
            return self._ask(
                {"id": stage, "offset": 0, "attach": 0, "artifacts": [*map(list, wanted)]}, pack_payload(())
            )
        except Stopped as error:
            raise Interrupted(INTERRUPTED) from error

    def _poll(self, message: Mapping[str, Any], payload: bytes, lease: float, steps: int) -> Iterator[HostAnswer]:
        offset, most = 0, self._received + OF_STAGE + OF_STEP * steps
        try:
            began, longest = time.monotonic(), self._stop.longest_answer
            soon = {"soon": message["soon"]} if "soon" in message else {}
            answer = self._ask({**message, "attach": min(message["attach"], longest)}, payload)
            boot_id = answer.boot_id
            yield answer
            while answer.state == "running":
                if self._received > most:
                    raise RackError(TOO_MUCH.format(self._host(), most // MIB))
                if rest := min(self._stop.before_poll(time.monotonic() - began), lease / 3):
                    self._unless_stopped(self._stop.sleep, rest)
                offset = answer.offset
                wait = min(wait_of(lease, POLL_WAIT), self._stop.longest_answer)
                poll = {"id": message["id"], "offset": offset, "attach": wait, **soon}
                answer = self._ask(poll, payload)
                if answer.state == "unknown" and answer.boot_id != boot_id:
                    answer = replace(answer, state="rebooted")  # and its temporary files are gone
                yield answer
        except Stopped:
            yield from self._end(message["id"], offset, payload)

    def _end(self, stage: str, offset: int, payload: bytes) -> Iterator[HostAnswer]:
        """Have the host end its steps, and yield the answers with what these had finished. Raises Interrupted then."""
        self._stop.end_clients()
        until = time.monotonic() + END_LIMIT
        is_open = self._is_asked
        while is_open:
            message = {"id": stage, "offset": offset, "attach": END_WAIT, "end": INTERRUPTED}
            answer = self._request_end(message, payload)
            yield answer
            offset, is_open = answer.offset, answer.state == "running" and time.monotonic() < until
        raise Interrupted(INTERRUPTED)

    def _request_end(self, message: Mapping[str, object], payload: bytes) -> HostAnswer:
        try:
            return self._send(message, payload, AnswerLimit(END_LIMIT, rate=math.inf))
        except (AnsibleError, Unreachable) as error:
            self._stop.end_clients()
            why = " ".join(str(error).split())
            raise Interrupted(f"{INTERRUPTED}, and its steps on this host end when their lease is up: {why}") from error

    def _ask(self, message: Mapping[str, object], payload: bytes) -> HostAnswer:
        """Send a request, and send it again while a host that was reached before is lost: it gets the same answer."""
        deadline = 0.0
        lost = ""
        tries = 0
        while True:
            try:
                if self._transport == "ssh" and lacks_reason(lost):
                    self._unless_stopped(self._log_in)
                answer = self._unless_stopped(self._send, message, payload)
            except AnsibleError as error:
                reason = loss_reason(error, self._transport)
                refused = refusal(error, is_trusted=self._has_answered)
                if refused or not is_lost(error):
                    raise RackError(refused or reason) from error
                if isinstance(error, AnsibleAuthenticationFailure):  # each further one counts against the account
                    raise Unreachable(reason) from error
                if not lost or lacks_reason(lost) or not (self._connected or lacks_reason(reason)):
                    lost = reason
                self._connected = self._is_connected(error, reason)
                deadline = deadline or time.monotonic() + self._reconnect_timeout
                tries += 1
                pause = self._pause(reason, tries, deadline)
                if pause is None:
                    self._gone = self._why(lost)
                    raise Unreachable(self._gone) from error
                self._unless_stopped(self._stop.sleep, pause)
            else:
                self._connected = self._has_answered = True
                if tries and self.returned:
                    with suppress(AnsibleError, RackError):  # what needs the connection says so
                        self._unless_stopped(self.returned)
                return answer

    def within_limits(self, work: Callable[[], T]) -> T:
        """Do other work that waits for the host. Raises Unreachable; at once where the host was given up before."""
        if self._gone:
            raise Unreachable(self._gone)
        return self._wait(self._limit(), work)

    def _wait(self, limit: AnswerLimit, work: Callable[[], T]) -> T:
        """Do work that waits for the host. Raises Unreachable where this takes longer than the limit."""
        try:
            return self._stop.within(limit, work)
        except NoAnswer as error:
            self._gone = NO_ANSWER.format(self._host(), error)
            raise Unreachable(self._gone) from None

    def look_again(self) -> None:
        """Run nothing on a host that gave no answer in an earlier stage. Raises Unreachable where it gives none now."""
        if not self._was_silent():
            return
        try:
            with suppress(AnsibleError):  # the module tells more
                self._unless_stopped(self._log_in)
        except Stopped as error:
            raise Interrupted(INTERRUPTED) from error

    def _was_silent(self) -> bool:
        """Whether the last stage that tried this host has waited for its answer in vain."""
        return not self._has_answered and self._was_given_up().startswith(NO_ANSWER_FROM)

    def _limit(self, more: float = 0.0) -> AnswerLimit:
        """The limit of one answer, which may take `more` seconds, and those for which Ansible tries to connect."""
        if self._transport == "ssh":
            option = self._action._connection.get_option
            more += float(option("reconnection_retries") or 0) * (RETRY + float(option("timeout") or 0))
        if self._was_silent():
            return AnswerLimit(min(self.answer_timeout, SECOND_LOOK) + more, SECOND_MOST)
        return AnswerLimit(self.answer_timeout + more)

    def _host(self) -> str:
        """The name of the host that is asked."""
        return str(self._delegate or self._task_vars.get("inventory_hostname", "unknown"))

    def _log_in(self) -> None:
        """Run nothing. Without input there is none that ssh could refuse before it has said why it ends."""
        self._wait(self._limit(), lambda: self._action._low_level_execute_command(":", sudoable=False))

    def _is_connected(self, error: AnsibleError, reason: str) -> bool:
        """Whether the host was reached before it was lost. What ends before a login has run nothing."""
        if self._connected or self._was_reached():
            return True
        return has_begun(error, self._transport) and not (lacks_reason(reason) or is_never_connected(reason))

    def _pause(self, reason: str, tries: int, deadline: float) -> float | None:
        """The seconds until the host is asked again; None where that is useless.

        Where many hosts are behind one that lets few in at a time, each is tried again at another moment.
        """
        if self._connected or (self._transport != "ssh" and lacks_reason(reason)):
            return PAUSE if time.monotonic() < deadline else None
        if is_never_connected(reason) or tries > self._tries_more(reason):
            return None
        return float(PAUSE * 2 ** (tries - 1) * random.uniform(0.75, 1.25))  # noqa: S311 - no secret

    def _tries_more(self, reason: str) -> int:
        """How often a host that was not reached is tried again; one that was given up, until ssh has said why."""
        return 0 if self._was_given_up() and not lacks_reason(reason) else tries_more(self._action._connection)

    def _why(self, lost: str) -> str:
        return f"lost, and not back within {self._reconnect_timeout:g} s: {lost}" if self._connected else lost

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Interrupted where this worker is to stop, Unreachable where its main process is gone."""
        try:
            self._unless_stopped(self._stop.sleep, seconds)
        except Stopped as error:
            raise Interrupted(INTERRUPTED) from error

    @contextmanager
    def admitted(self, name: str, number: int) -> Iterator[None]:
        """Wait until fewer than `number` others of this process are within a block of this name. Raises Interrupted."""
        with ExitStack() as held:
            try:
                self._unless_stopped(held.enter_context, self._stop.admitted(name, number))
            except Stopped as error:
                raise Interrupted(INTERRUPTED) from error
            yield

    def halted(self) -> str:
        """Why this worker must not start anything any more; empty where it may."""
        return INTERRUPTED if self._stop.is_requested else self._orphaned()

    def _orphaned(self) -> str:
        return "" if os.getppid() == self._parent else "the controlling process is gone"

    def _unless_stopped(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do work that may take long. Raises Stopped, also for an orphaned worker, which is Unreachable otherwise."""
        return self._stop.wait_for(lambda: self._unless_orphaned(work, *arguments))

    def _unless_orphaned(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do work. Raises Unreachable where the main process was killed: its worker would renew a lease for ever."""
        if reason := self._orphaned():
            raise Unreachable(reason)
        return work(*arguments)

    def _send(self, message: Mapping[str, Any], payload: bytes, limit: AnswerLimit | None = None) -> HostAnswer:
        """Send a request once. Raises Unreachable without an answer, and AnsibleError as the connection does."""
        tmp = self._tmp()
        extra = {"seal": self._key.hex(), **({"tmp": tmp} if tmp else {})}
        text = json.dumps({**message, **extra}).encode()
        options = "" if imports_installed(message) else f"{WITHOUT_INSTALLED} "
        python = self._interpreter()
        command = self._command(python, f"{options}-c {shlex.quote(boot(tmp))}")
        use_stdin(self._action._connection)
        self._is_asked = True
        sent = time.time()
        limit = limit or self._limit(message["attach"] + (len(text) + len(payload)) / SLOWEST)

        def send() -> dict[str, Any]:  # many hosts may wait until they send, and the payload is large
            data = b"%d %d\n%b%b" % (len(text), len(payload), text, payload)
            found: dict[str, Any] = self._action._low_level_execute_command(command, in_data=data)
            return found

        done = self._wait(limit, send)
        self._received += len(done["stdout"])
        said = f"{done['stderr']}\n{done['stdout'].partition(MARK)[0]}"  # a terminal makes one of both streams
        self._connected = self._connected or BEGUN in said
        if not python:
            self._note_discovery(said)
        answer = read_answer(message["id"], done["rc"], done["stdout"], done["stderr"], python, self._hide)
        if answer.state == "silent" and text[:SHOWN].decode() in done["stdout"]:
            answer = replace(answer, reason=ECHOES)
        if answer.state == "cut":
            raise AnsibleConnectionFailure(answer.reason)
        if answer.clock:
            answer = replace(answer, ahead=ahead(answer.clock, sent, time.time()))
        return replace(answer, concealed=_entries(self._key, answer.sealed)) if answer.sealed else answer

    def _tmp(self) -> str:
        """The folder that the user has set for temporary files; empty where the usual ones are to be used.

        A user without privileges that a task becomes may have no access to it. Ansible does not use it then, either.
        """
        folder = str(self._action.get_shell_option("remote_tmp", default=USUAL_TMP) or USUAL_TMP)
        return "" if folder == USUAL_TMP or self._action._is_become_unprivileged() else folder

    def _interpreter(self) -> str:
        """The path of the host's Python that is set, or is known from before; empty where it has to be found."""
        setting = self._python_setting()
        facts = {**(self._host_vars().get("ansible_facts") or {}), **self.facts}
        return str(facts.get(FACT) or "") if setting in TO_BE_FOUND else setting

    def _python_setting(self) -> str:
        return python_setting(self._host_vars(), self._action._templar.template)

    def _command(self, python: str, arguments: str) -> str:
        """The host's command line that runs `python` with these arguments; without one, the first that will do."""
        if python:
            return f"{shlex.quote(python)} {arguments}"
        shell = str(self._action._play_context.executable or "sh")
        return search_command(python_names(self._host_vars()), arguments, shell)

    def _note_discovery(self, said: str) -> None:
        """Keep the Python that the host has found, by what it has written, as the fact that Ansible knows."""
        found = found_python(said)
        if found:
            self.facts = {FACT: found}
        if (found or NONE_FOUND in said) and not self._python_setting().endswith("_silent"):
            warn_of_discovery(self._host(), found, python_names(self._host_vars()))

    def _host_vars(self) -> Mapping[str, Any]:
        """The variables of the host that the task runs on, which for a step of the run is the controller."""
        if not self._delegate:
            return self._task_vars
        delegated: Mapping[str, Any] = self._task_vars.get("ansible_delegated_vars", {}).get(self._delegate, {})
        return delegated
