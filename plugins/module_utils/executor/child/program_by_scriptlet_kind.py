# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step's child does, by kind of scriptlet.

Run a Python class, become a script, or become a native program, which may be compiled from C first.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE, mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView, Failed, Scriptlet, Skipped
from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import spawn_program
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FOLDER_MODE, shared_log, write_all
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import log_level, logged_events
from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, NoReturn

    from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import ArtifactStore
    from ansible_collections.rack.recipes.plugins.module_utils.context_view import Emit
    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import Fork, Program
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Step

    Load = Callable[[], type[Scriptlet]]

DEBUG = "RACK_DEBUG"


def run_class(
    load: Load,
    ctx: ContextView,
    params: dict[str, object],
    emit: Emit,
    method: str = "run",
    logs: tuple[str, str] = ("", ""),
) -> NoReturn:
    """Run a Python scriptlet, or only its `validate` if `method` says so, and end this process.

    The last event, of kind `ending`, has the verdict and the reason. `logs` are the id of the run and the level of its
    log, for Python's `logging`.
    """
    sys.stdin = _stream(0, "r")
    sys.stdout, sys.stderr = printed = _stream(1, "w"), _stream(2, "w")
    verdict, reason, code = _outcome(load, ctx, params, method, logs)
    for stream in printed:
        if not stream.closed:
            stream.flush()
    emit({"kind": "ending", "verdict": verdict, "reason": reason[:LONGEST_MESSAGE]})
    os._exit(code and (code % 256 or 1))


def _stream(number: int, mode: str) -> IO[str]:
    """A new stream: the inherited one may hold text of the executor, and refers to what the descriptor was before.

    It buffers one line at most, so that the output of a step that is killed is not lost.
    """
    return open(number, mode, 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _outcome(
    load: Load, ctx: ContextView, params: dict[str, object], method: str, logs: tuple[str, str]
) -> tuple[str, str, int]:
    """Verdict, reason and exit code."""
    try:
        code = _run(load, ctx, params, method, logs)
    except Failed as failed:
        return "failed", str(failed), 1
    except Skipped as skipped:
        return "skipped", str(skipped), 0
    except SystemExit as leaving:
        return _left(leaving.code)
    except BaseException as error:  # a scriptlet may raise anything, and nothing else would catch it
        # imported here, since only a failure needs it
        from ansible_collections.rack.recipes.plugins.module_utils.author_traceback import traceback_of
        from ansible_collections.rack.recipes.plugins.module_utils.executor.child.place_of_exception import place_of

        sys.stderr.write(traceback_of(error, is_debug=_is_debug()))
        return "error", _reason(error) + place_of(error, ctx.host, params, with_advice=not _is_debug()), 1
    return ("error", f"run returned {code}", code) if code else ("passed", "", 0)


def _run(load: Load, ctx: ContextView, params: dict[str, object], method: str, logs: tuple[str, str]) -> int:
    scriptlet = load()()
    if logs[1] or "logging" in sys.modules:  # most scriptlets log nothing, and do not pay for the import
        from ansible_collections.rack.recipes.plugins.module_utils.executor.child.scriptlet_logging import set_up

        set_up((logs[0], ctx.step, ctx.host), logs[1])
    validate = getattr(scriptlet, "validate", None)  # a registered class need not have one
    if validate is not None:
        validate(ctx, params)
    code = _called(scriptlet, ctx, params) if method == "run" else None
    if code is not None and (not isinstance(code, int) or isinstance(code, bool)):
        raise ValueError(f"run returned {mark_if_long(repr(code))}: expected nothing, or an exit code")
    return code or 0


def _called(scriptlet: Scriptlet, ctx: ContextView, params: dict[str, object]) -> object:
    """Call `run` and return what it returns. With --debug its variables are logged, unless it does that itself."""
    run = scriptlet.run
    if not _is_debug() or getattr(run, "is_traced", False):
        return run(ctx, params)
    from ansible_collections.rack.recipes.plugins.module_utils.debug_tracing import watched

    return watched(run, scriptlet, ctx, params)


def _is_debug() -> bool:
    return os.environ.get(DEBUG, "0") not in ("", "0")


def _left(code: object) -> tuple[str, str, int]:
    """The outcome of `sys.exit(code)`: a number is the exit code; anything else is printed and makes it 1."""
    if not code and (code is None or isinstance(code, int)):
        return "passed", "", 0
    if isinstance(code, int):
        return "error", f"left with exit code {code}", code
    sys.stderr.write(f"{code}\n")
    return "error", str(code), 1


def _reason(error: BaseException) -> str:
    text, name = str(error), type(error).__name__
    return text if text and name == "ValueError" else f"{name}: {text}" if text else name


def load_class(module: str, name: str) -> type[Scriptlet]:
    """The class `name` of an importable module. Raises ValueError if it has no such scriptlet class."""
    __import__(module)
    found = getattr(sys.modules[module], name, None)
    if not isinstance(found, type) or not callable(getattr(found, "run", None)):
        raise ValueError(f"{module} has no scriptlet class {name}")
    return found


LINKER = "collect2:"  # the linker's line says only that there was an error
COMPILERS = ("cc", "gcc", "clang")


def run_native(
    source: str, program: str, flags: list[str], limit: Callable[[], None], become: Callable[[str], NoReturn]
) -> NoReturn:
    """Become the program in `source`, or the one that is compiled from it. Never returns.

    A compiled one is kept at `program`. `limit` sets the step's limits before `become` replaces the process.
    """
    if not source.endswith(".c"):
        os.chmod(source, FOLDER_MODE)
        limit()
        become(source)
    try:
        if not os.path.exists(program):
            os.stat(os.path.dirname(program) or os.curdir)  # a compiler's error would be less clear
            compile_source(source, program, flags)
    except (ValueError, OSError) as error:
        write_all(1, json.dumps({"status": "error", "reason": str(error), "exit_code": 1}).encode() + b"\n")
        os._exit(1)
    limit()
    become(program)


def compile_source(source: str, program: str, flags: list[str]) -> None:
    """Compile `source` to `program`; the compiler's output goes to stderr. Raises ValueError with the reason."""
    part = f"{program}.{os.getpid()}"  # not in the working folder, where a step could have put a link of this name
    log = shared_log("rack")
    _pid, status = os.waitpid(_start_compiler(["-o", part, source, *flags], log), 0)
    os.lseek(log, 0, os.SEEK_SET)
    with open(log, "rb") as file:
        said = file.read()
    write_all(2, said)
    if status:
        raise ValueError(f"the C source does not compile: {_first_error(said)}")
    os.rename(part, program)  # whole at once: several hosts may be one machine


def _start_compiler(arguments: list[str], log: int) -> int:
    streams = {1: log, 2: log}
    for name in (os.environ.get("CC"), *COMPILERS):
        try:
            if name:
                return spawn_program([name, *arguments], dict(os.environ), streams, (signal.SIGPIPE,))
        except OSError:
            continue
    raise ValueError(f"no C compiler ({', '.join(COMPILERS)}) on this host")


def _first_error(said: bytes) -> str:
    lines = said.decode("utf-8", "backslashreplace").strip().splitlines() or ["the compiler says nothing"]
    telling = (line for line in lines if "undefined reference" in line or ("error" in line and LINKER not in line))
    return next(telling, lines[-1])


VARIABLE = re.compile(r"[A-Za-z0-9_]+")
SANDBOX = "ansible_collections.rack.recipes.plugins.module_utils.executor.child.sandbox"
LONGEST = 100_000  # bytes of one variable; the kernel refuses to start a program with one of 128 KiB


class Launcher:
    """Starts the steps of a request. `work` is the folder of their files, `cache` that of the compiled programs.

    Attached files are kept in the folder `artifacts`; if it is empty, they are not kept. `secrets` are those of the
    request.
    """

    def __init__(self, request: dict[str, Any], work: str, cache: str, artifacts: str = "") -> None:
        self.run: str = request["run"]
        self.artifacts = artifacts
        self.host: str = request["host"]
        self.work = work
        self.cache = cache
        self.secrets = StageSecrets(request)
        self.log_level: str = log_level(request)
        logged = logged_events(request)
        self.is_debug = "variables" in logged
        self._traces_processes = "process" in logged
        self._own = {"RACK_RUN": self.run, "RACK_HOST": self.host, "RACK_LOG_LEVEL": self.log_level or "warning"}
        self._own.update({DEBUG: "1"} if self.is_debug else {})
        self._own.update({"RACK_INVENTORY": json.dumps(request["inventory"])} if request.get("inventory") else {})
        self._base = {**os.environ, **self._own}
        self.live: dict[str, Any] = request.get("live") or {}
        self._interpreters: dict[str, list[str]] = {}

    def start(
        self, step: Step, ctx: ContextView, params: dict[str, object], method: str = "run"
    ) -> tuple[bytes, Program]:
        """What the child reads on stdin, and what it becomes. `method` is `run` or, for a Python class, `validate`.

        Raises OSError if a file of the stage is missing, and ValueError if the step cannot be given its arguments.
        """
        if step["kind"] in FORKED:
            return b"", FORKED[step["kind"]](self, step, ctx, params, method)
        return self._stdin(step, ctx, params), PROGRAMS[step["kind"]](self, step, params)

    @property
    def sandbox(self) -> Any:
        """The module for steps with a sandbox. No import statement may name it, since only their stages have it."""
        __import__(SANDBOX)
        return sys.modules[SANDBOX]

    def _box(self, step: Step, *shown: str) -> list[str]:
        """The arguments that start the step's sandbox; empty without one. Raises ValueError if there can be none."""
        if "sandbox" not in step:
            return []
        words: list[str] = self.sandbox.box(step["sandbox"], self.work, (*shown, *self.live_folder(step)))
        return words

    def live_folder(self, step: Step) -> tuple[str, ...]:
        """The folder of the live bus's socket, which a sandbox has to show to a step that uses it."""
        socket = self.live.get("socket") if step.get("live") else ""
        return (os.path.dirname(socket),) if socket else ()

    def shelf(self) -> ArtifactStore:
        """The store of attached files. It is imported only when a step attaches one, which few do."""
        from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import ArtifactStore

        return ArtifactStore(self.artifacts, self.work, self.secrets.mask)

    def _stdin(self, step: Step, ctx: ContextView, params: dict[str, object]) -> bytes:
        """What a script or program reads: its parameters, and the keys of the context that it declares to read."""
        keys = ctx.keys() if step.get("reads") is None else step["reads"]
        context = {key: ctx.get(key) for key in keys if key in ctx}
        given = {"params": params, "context": context, "run": self.run, "step": step["name"], "host": self.host}
        given.update(ctx.analysis or {})
        return json.dumps(given, allow_nan=False).encode() + b"\n"

    def of_class(self, step: Step, ctx: ContextView, params: dict[str, object], method: str) -> Fork:
        """A function with which the child runs a method of the step's Python class. Raises ValueError as `box` does."""
        if "sandbox" in step:
            boxed: Fork = self.sandbox.python(self, step, ctx, params, method, _limiter(step))
            return boxed
        load, limit = _loader(step), _limiter(step)

        def program(emit: start_process.EventWriter) -> NoReturn:
            limit()
            os.environ.update(self._own)
            ctx.send_to(self._hiding(emit))
            ctx.hide_by(self.secrets)
            ctx.limit_to(step.get("reads"))
            last = self._traced(emit) if self._traces_processes else emit
            run_class(load, ctx, params, last, method, (self.run, self.log_level))

        return program

    def _traced(self, emit: start_process.EventWriter) -> Emit:
        """Report the processes that the scriptlet starts, from now on.

        Returns the function that sends the last event. Before that it reports the processes that still run.
        """
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.trace_processes import (
            ProcessTrace,
        )

        trace = ProcessTrace(emit, emit.at_once)
        trace.install()

        def last(event: dict[str, object]) -> None:
            trace.tell_running()
            emit(event)

        return last

    def command(self, step: Step) -> list[str]:
        """The argument list of a step's own process, for a log; empty if it is no program."""
        if step["kind"] not in PROGRAMS:
            return []
        path = os.path.join(self.work, step["file"])
        return [*self._interpreters.get(path, ()), path]

    def _call(self, step: Step, ctx: ContextView, params: dict[str, object], _method: str) -> Program:
        if "sandbox" in step:
            raise ValueError("a module of Ansible's cannot run in a sandbox")
        limit = _limiter(step)

        def program(emit: start_process.EventWriter) -> NoReturn:
            limit()
            ctx.send_to(self._hiding(emit))
            step["call"](params, ctx, emit)
            os._exit(0)

        return program

    def _hiding(self, emit: Emit) -> Emit:
        """`emit`, which also makes this child hide the secrets that it sends."""

        def hiding(event: dict[str, Any]) -> None:
            if event["kind"] == "secret":
                self.secrets.add(event["texts"])
            elif event["kind"] == "delta":
                self.secrets.add_value(event["key"], event["after"])
            emit(event)

        return hiding

    def _script(self, step: Step, params: dict[str, object]) -> Program:
        path = os.path.join(self.work, step["file"])
        if path not in self._interpreters:
            self._interpreters[path] = _interpreter(path)
        words, env = [*self._interpreters[path], path], self._environment(step, params)
        begun = None
        if "library" in step:
            words = _with_library(words, os.path.join(self.work, step["library"]))
            begun = b"=1\n=begin\n" if path.endswith(".awk") else b""  # a shell script uses it from where it says so
            env.update(start_process.OF_LIBRARY)
        argv = [*self._box(step), *words]
        if not step.get("limits"):
            return (argv, env) if begun is None else (argv, env, begun)
        limit = _limiter(step)

        def program(_emit: start_process.EventWriter) -> NoReturn:
            if begun is not None:
                start_process.take_library(begun)  # before a limit of open files
            limit()
            start_process.execute(argv, env)

        return program

    def _native(self, step: Step, params: dict[str, object]) -> Program:
        source = os.path.join(self.work, step["file"])
        os.stat(source)
        program = os.path.join(self.cache, f"{step['digest'].replace(':', '-')}-{os.uname().machine}")
        flags, limit = list(step.get("flags") or ()), _limiter(step)
        if "library" in step:
            flags += ["-I", os.path.join(self.work, step["library"])]
        env, start = self._environment(step, params), self._box(step, program)

        def become(path: str) -> NoReturn:
            if start:
                start_process.execute([*start, self.sandbox.runnable(path)], env)
            start_process.execute_file(path, env)

        return lambda _emit: run_native(source, program, flags, limit, become)

    def _environment(self, step: Step, params: dict[str, object]) -> dict[str, str]:
        return {
            **self._base,
            "RACK_STEP": step["name"],
            **(self._live_variables(step) if step.get("live") else {}),
            **variables(step.get("options"), params, self.secrets.shows if self.secrets else None),
        }

    def _live_variables(self, step: Step) -> dict[str, str]:
        """What `rack_live` needs: the Python that runs it, and how it reaches the server."""
        host = self.host if step["scope"] == "host" else ""
        given = {**self.live, "host": host, "step": step["name"], "scope": step["scope"]}
        return {"RACK_PYTHON": sys.executable, "RACK_LIVE": json.dumps(given)}


def variables(
    options: dict[str, Any] | None, params: dict[str, object], shows: Callable[[str], bool] | None = None
) -> dict[str, str]:
    """The parameters as variables for the environment of a program, `RACK_PARAM_` and the name in capitals.

    Secrets are left out, since other users could see them; so are values of more than `LONGEST` bytes. A program gets
    all of them on stdin. `shows` tells whether a text shows a secret.
    """
    found: dict[str, str] = {}
    for name, value in params.items():
        spec = options.get(name) if options else None
        if value is None or not VARIABLE.fullmatch(name) or (spec and has_secret(spec)):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        fits = len(text) <= LONGEST // 4 or len(text.encode("utf-8", "replace")) <= LONGEST
        if fits and not (shows and shows(text)):
            found[f"RACK_PARAM_{name.upper()}"] = text.replace("\0", "")
    return found


def _interpreter(script: str) -> list[str]:
    """The words that run a script before its path. So it runs even if its folder is mounted noexec."""
    with open(script, "rb") as file:
        first = file.readline(256)
    if not first.startswith(b"#!"):
        return ["awk", "-f"] if script.endswith(".awk") else ["/bin/sh"]
    return [part.strip() for part in first[2:].decode("utf-8", "replace").split(None, 1)] or ["/bin/sh"]


def _with_library(words: list[str], folder: str) -> list[str]:
    """The words that run a script with the library in `folder`, which prints the script's envelope."""
    more = ["-f", os.path.join(folder, "rack.awk")] if words[-1].endswith(".awk") else []
    return ["/bin/sh", os.path.join(folder, "envelope.sh"), *words, *more]


def has_secret(spec: dict[str, Any]) -> bool:
    """Whether an option or one of its suboptions is secret."""
    return bool(spec.get("no_log")) or ("options" in spec and any(map(has_secret, (spec["options"] or {}).values())))


def _loader(step: Step) -> Load:
    if "class" in step:
        return lambda: step["class"]
    if step["module"].startswith("scriptlets."):  # these may have short import lines, or those of the first proposal
        from ansible_collections.rack.recipes.plugins.module_utils import legacy_imports, scriptlet_imports

        legacy_imports.install()
        scriptlet_imports.install()
    return lambda: load_class(step["module"], step["function"])


def _limiter(step: Step) -> Callable[[], None]:
    """A function with which a child sets the step's limits for itself."""
    limits = step.get("limits")
    if not limits:
        return lambda: None
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import (
        processes_around_step,
        set_limits,
    )

    return lambda: set_limits(limits, step.get("group"), processes_around_step(step))


FORKED: dict[str, Callable[[Launcher, Step, ContextView, dict[str, Any], str], Program]] = {
    "python": Launcher.of_class,
    "call": Launcher._call,
}
PROGRAMS: dict[str, Callable[[Launcher, Step, dict[str, Any]], Program]] = {
    "shell": Launcher._script,
    "native": Launcher._native,
}
