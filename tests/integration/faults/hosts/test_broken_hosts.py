# SPDX-License-Identifier: GPL-3.0-or-later

"""A fault of a host is reported for it with the true reason. Its finished results are kept, and other hosts go on.

Many hosts of one run have a fault each, and one has none: that one must not notice.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from own_project import own_project

import network_links
import reliability_sweeps
import service_supervisor
from call_rack_recipes import COMMAND, Results, environment, results, run_recipe, shell, write_recipe
from faulty_network_proxy import LISTENS_ON, Proxy
from ssh_hosts import Rack

HERE = Path(__file__).parent
HOLDS = "a verdict with the true reason; what had ended is kept; the other hosts go on"
MIB = 1024 * 1024
PATIENCE = 8  # seconds that hosts are waited for here
NO_LINK = network_links.objection()
NOWHERE = "/proc/self/nowhere"  # where not even root can make a folder
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture
def hosted(steps: Path) -> Path:
    """A project that also has the scriptlets of these tests."""
    shutil.copytree(HERE / "cases" / "hosts" / "h", steps / "scriptlets" / "h")
    return steps


@contextmanager
def rows(faults: Iterable[str], holds: str = HOLDS) -> Iterator[None]:
    """A row of the page for each of these faults, which were done once more where nothing is raised."""
    with ExitStack() as opened:
        found = [opened.enter_context(reliability_sweeps.sweep(f"host: {fault}", holds)) for fault in faults]
        yield
        for made in found:
            made.done = reliability_sweeps.count(1, 10)


def times() -> range:
    """As often as each fault is injected."""
    return range(reliability_sweeps.count(1, 10))


def inventory(rack: Rack, **hosts: tuple[str, Mapping[str, Any]]) -> Path:
    """An inventory of hosts by the names of their faults: which member of the rack each is, and what differs there."""
    known = {name: rack.variables(member) | dict(more) for name, (member, more) in hosts.items()}
    path = Path("inventory.yml")
    path.write_text(json.dumps({"all": {"hosts": known}}))
    return path


def through(proxy: Proxy) -> dict[str, Any]:
    """The variables of a host that is reached through a network that fails."""
    return {"ansible_host": LISTENS_ON, "ansible_port": proxy.port}


def ran(recipe: str, hosts: Path, *options: str, **env: object) -> tuple[int, Results, str]:
    """Exit code, results, and what was told on stderr."""
    done = run_recipe(recipe, *options, on=hosts, ANSIBLE_FORKS=20, **env)
    assert done.code in (0, 1, 3), done.stdout + done.stderr
    return done.code, results(), done.stderr


def told(found: Results) -> dict[tuple[str, str], tuple[str, str]]:
    return {place: (row["verdict"], row["reason"] or "") for place, row in found.steps.items()}


def program(path: Path, text: str) -> str:
    """A program of this test's; its absolute path."""
    path.write_text(text)
    path.chmod(0o755)
    return str(path.absolute())


# Python


def old_python(path: Path, version: tuple[int, int, int]) -> str:
    """A Python that says to be another one."""
    text = f"import sys; sys.version_info = {(*version, 'final', 0)}; sys.version = {'.'.join(map(str, version))!r}"
    return program(path, f"#!{sys.executable}\n{text}\nexec(sys.argv[-1])\n")


def pythons_that_will_not_do(folder: Path) -> dict[str, tuple[str, str]]:
    """The path of each, and what is said of it; also where there is no memory for it, and where it must not be run."""
    limit = f"import resource, sys\nsize = int(open('/proc/self/statm').read().split()[0]) * 4096 + {MIB}\n"
    limit += "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
    small = program(folder / "small", f"#!{sys.executable}\n{limit}exec(sys.argv[-1])\n")
    noted = folder / "noted"
    noted.write_text("no program\n")
    return {
        "missing": ("/nowhere/python3", "Python is missing: /nowhere/python3"),
        "old": (old_python(folder / "python3.8", (3, 8, 18)), r"Python is too old: \S+ is 3\.8\.18, and 3\.9 or newer"),
        "older": (old_python(folder / "python2", (2, 7, 18)), r"Python is too old: \S+ is 2\.7\.18, and 3\.9 or newer"),
        "forbidden": (str(noted), r"Python cannot be run: .*Permission denied"),
        "too_small": (small, "out of memory on the host: Python could not start: "),
    }


# Folders


def mounted(folder: Path, options: str) -> Path:
    """A file system of its own at a new folder; the test is skipped where that cannot be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "rack-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount anything here: {done.stderr.strip()}")
    return folder


@pytest.fixture
def mounts(hosted: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mounts file systems, and takes them away in the end."""
    if os.geteuid():
        pytest.skip("only root can mount a file system")
    made: list[Path] = []

    def mount(name: str, options: str) -> Path:
        made.append(mounted(hosted / name, options))
        return made[-1]

    yield mount
    for folder in made:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> None:
    """Write until there is no room."""
    with (folder / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 512)


WORKS = [
    shell("script", "ok"),
    {"name": "compiled", "type": "native", "module": "h.native", "success": {"ctx_has_keys": ["h.native_v1"]}},
    {"name": "module", "type": "ansible", "module": "ansible.builtin.ping", "success": "none"},
]
STAGE, MODULE = "the host cannot run a stage: no folder to work in: {0}/rack-recipes-{1}: ", "the temporary folder {0} "


def is_told(said: Mapping[tuple[str, str], tuple[str, str]], host: str, folder: Path, why: str) -> None:
    """Whether a host's steps tell by the same words why its folder cannot be used, and which one that is."""
    for step in ("script", "compiled", "module"):
        verdict, reason = said[step, host]
        assert (verdict, reason.endswith(why)) == ("error", True), (step, reason)
        assert reason.startswith((STAGE if step != "module" else MODULE).format(folder, os.geteuid()))


def test_a_folder_that_cannot_be_used_is_named(hosted: Path, rack: Rack):
    """A file, a place where there can be none, and one without permission. So is a Python that will not do."""
    (hosted / "file").write_text("")
    (hosted / "closed").mkdir(0o500)
    folders = {"a_file": (hosted / "file", "Not a directory"), "no_place": (Path(NOWHERE), "No such file")}
    if os.geteuid():
        folders["closed"] = (hosted / "closed", "Permission denied")
    pythons = pythons_that_will_not_do(hosted)
    differs = {name: {"ansible_remote_tmp": str(path)} for name, (path, _reason) in folders.items()}
    differs |= {name: {"ansible_python_interpreter": path} for name, (path, _reason) in pythons.items()}
    members = (*rack.hosts[1:], rack.hosts[-1])
    hosts = {name: (member, differs[name]) for member, name in zip(members, differs, strict=False)}
    steps = [*WORKS, shell("next", "ok", depends_on=["script"])]
    with rows(
        [
            *(f"temporary folder {name.replace('_', ' ')}" for name in folders),
            *(f"Python {name.replace('_', ' ')}" for name in pythons),
        ]
    ):
        for _again in times():
            code, found, _stderr = ran(write_recipe(steps), inventory(rack, fine=("r01", {}), **hosts))
            assert code == 1
            said = told(found)
            assert {said[step, "fine"] for step in ("script", "compiled", "module", "next")} == {("passed", "")}
            for name, (folder, why) in folders.items():
                reasons = [said[step, name] for step in ("script", "compiled", "module")]
                assert {verdict for verdict, _reason in reasons} == {"error"}, name
                assert all(why in reason and str(folder) in reason for _verdict, reason in reasons), reasons
            for name, (_path, reason) in pythons.items():
                verdict, why = said["script", name]
                assert verdict == "error", name
                assert re.match(reason, why), why
                assert said["next", name][0] != "passed"


def test_a_full_or_read_only_folder_is_named_and_a_noexec_one_will_do(
    hosted: Path, rack: Rack, mounts: Callable[[str, str], Path]
):
    full, read_only = mounts("full", "size=16k"), mounts("read_only", "ro")
    fill(full)
    folders = {"full": full, "read_only": read_only, "noexec": mounts("noexec", "noexec")}
    hosts = {name: (f"r0{n + 2}", {"ansible_remote_tmp": str(path)}) for n, (name, path) in enumerate(folders.items())}
    with rows(f"temporary folder {name.replace('_', ' ')}" for name in folders):
        for _again in times():
            code, found, _stderr = ran(write_recipe(WORKS), inventory(rack, fine=("r01", {}), **hosts))
            assert code == 1
            said = told(found)
            is_told(said, "full", full, "No space left on device")
            is_told(said, "read_only", read_only, "Read-only file system")
            works = {said[step, host] for step in ("script", "compiled", "module") for host in ("fine", "noexec")}
            assert works == {("passed", "")}
            assert any(folders["noexec"].glob("rack-recipes-*/programs/*"))  # it was this folder


# In a stage


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    """Networks for the test to put in front of hosts."""
    made: list[Proxy] = []
    yield made
    for proxy in made:
        proxy.__exit__(None, None, None)


def network(proxies: list[Proxy], rack: Rack, member: str) -> Proxy:
    host = rack.members[member]
    proxies.append(Proxy(host.address, host.port).__enter__())
    return proxies[-1]


class Running:
    """A run that goes on meanwhile."""

    def __init__(self, recipe: str, hosts: Path, **env: object) -> None:
        before = set(_journals())
        command = [sys.executable, "-c", COMMAND, "run", recipe, "-i", str(hosts)]
        env = {"ANSIBLE_FORKS": 20, "RACK_RECIPES_RECONNECT_TIMEOUT": PATIENCE, **env}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(**env))
        self._before = before

    def until_ended(self, step: str, *hosts: str) -> None:
        """Wait for the result of a step on these hosts."""
        until(lambda: {(step, host) for host in hosts} <= self._ended())

    def _ended(self) -> set[tuple[str, str]]:
        lines = [line for path in _journals() if path not in self._before for line in path.read_bytes().splitlines()]
        found = map(json.loads, (line for line in lines if b'"kind":"step"' in line.replace(b" ", b"")))
        return {(record["step"], record["host"]) for record in found}

    def code(self) -> int:
        """The exit code, in the end."""
        return self.process.wait(180)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()


def _journals() -> list[Path]:
    return [*Path(".rack-recipes/runs").glob("*/journal.jsonl")]


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def rebootable(path: Path, member: Any) -> tuple[str, Callable[[], None]]:
    """A Python that takes what tells one boot from the next out of a file, and what changes that."""
    boots = path.with_suffix(".boot_id")
    count = iter(range(1000))

    def boot() -> None:
        boots.write_text(f"b0075{next(count):03}-0000-4000-8000-000000000000\n")

    boot()
    text = f"import builtins, sys; real = open\nplaces = {{{BOOT_ID!r}: {str(boots)!r}}}\n"
    text += "builtins.open = lambda file, *args, **kwargs: real(places.get(file, file), *args, **kwargs)\n"
    return program(path, f"#!{member.python}\n{text}exec(sys.argv[-1])\n"), boot


LONG = [shell("first", "ok"), shell("slow", "wait", args={"seconds": 6}), shell("last", "ok", depends_on=["slow"])]
GOES_ON = {"first": ("passed", ""), "slow": ("passed", ""), "last": ("passed", "")}


def attached(sshd: int) -> list[int]:
    """The Pythons that hold the connections of a host: not those that lead a session of their own, as runners do."""
    found = []
    for pid in service_supervisor.descendants(sshd):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            fields = service_supervisor.stat(pid)
            if fields and b"memfd_create" in words and b"python" in words.split(b"\0")[0] and int(fields[3]) != pid:
                found.append(pid)
    return found


STAYS = ("fine", "cut", "paused", "forgotten", "killed")
FAULTS = (
    "lost for good in a stage",
    "rebooted in a stage",
    "rebooted in a stage, its temporary files gone",
    "connection reset in a stage",
    "network pause of 3 s in a stage",
    "connection forgotten by the network in a stage",
    "Python that waits for a stage killed",
)


def test_whatever_happens_in_a_stage(hosted: Path, rack: Rack, proxies: list[Proxy]):
    """Each host has another fault while the same step runs on all of them."""
    members = dict(zip((*STAYS, "lost", "rebooted", "wiped"), rack.hosts, strict=True))
    python, boot = rebootable(hosted / "python-rebooted", rack.members[members["rebooted"]])
    python_wiped, boot_wiped = rebootable(hosted / "python-wiped", rack.members[members["wiped"]])
    doomed = [members[name] for name in ("lost", "rebooted", "wiped")]
    with rows(FAULTS):
        for _again in times():
            cut, paused, forgotten = (network(proxies, rack, members[name]) for name in STAYS[1:4])
            more = {
                "rebooted": {"ansible_python_interpreter": python},
                "wiped": {"ansible_python_interpreter": python_wiped, "ansible_remote_tmp": str(hosted / "tmp")},
                "cut": through(cut),
                "paused": through(paused),
                "forgotten": through(forgotten),
            }
            hosts = inventory(rack, **{name: (member, more.get(name, {})) for name, member in members.items()})
            with Running(write_recipe(LONG), hosts) as running:
                running.until_ended("first", *members)
                rack.kill(*doomed)
                try:
                    shutil.rmtree(hosted / "tmp")
                    boot()
                    boot_wiped()
                    rack.revive(*doomed[1:])
                    assert cut.reset()
                    paused.pause()
                    assert forgotten.forget()
                    until(lambda: attached(rack.pids()[members["killed"]]))
                    for pid in attached(rack.pids()[members["killed"]]):
                        os.kill(pid, signal.SIGKILL)
                    time.sleep(3)
                    paused.resume()
                    assert running.code() == 1
                finally:
                    rack.revive(doomed[0])
            said = told(results())
            for name in STAYS:
                assert {step: said[step, name] for step in GOES_ON} == GOES_ON, name
            assert {said["first", name] for name in members} == {("passed", "")}
            for step in ("slow", "last"):
                verdict, reason = said[step, "lost"]
                assert (verdict, reason.partition(": ")[0]) == (
                    "unreachable",
                    f"lost, and not back within {PATIENCE} s",
                )
                for name in ("rebooted", "wiped"):
                    assert said[step, name] == ("error", "the host was rebooted before this step ended")


THREE_TIMES = "left:right:middle:one:one"  # names of one host
EATS = {
    "name": "eats",
    "module": "h.take_memory",
    "args": {"mib": 4000},
    "limits": {"memory_mib": 1000},
    "success": {"ctx_has_keys": ["h.eaten_v1"]},
}
APART = [
    shell("first", "ok", hosts="fine:killed:small"),
    shell("killer", hosts="killed"),
    shell("next", "ok", hosts="fine:killed", depends_on=["killer"]),
    {**EATS, "hosts": "small"},
    shell("last", "ok", hosts="small"),
    shell("flaky", hosts=THREE_TIMES, retry={"max": 3, "delay_sec": 0.1}),
    shell("ok", hosts=THREE_TIMES),
]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, rack: Rack) -> list[Results]:
    """Runs in which each host has another fault, or another name for it in the limit."""
    found = []
    with own_project(tmp_path_factory.mktemp("apart"), HERE / "cases" / "hosts" / "h"):
        members = {name: (f"r0{n}", {}) for n, name in enumerate(("fine", "killed", "small", "one", "other"), 1)}
        known = json.loads(inventory(rack, **members).read_text())
        known["all"]["children"] = {name: {"hosts": {"one": {}}} for name in ("left", "right", "middle")}
        Path("inventory.yml").write_text(json.dumps(known))
        for _again in times():
            limit = ("--limit", "one,one,left,one,fine,killed,small")
            code, results_of_it, _stderr = ran(write_recipe(APART), Path("inventory.yml"), *limit)
            assert code == 1
            found.append(results_of_it)
    return found


def test_the_executor_killed_in_a_stage(apart: list[Results]):
    """By the step itself: what it had finished is kept, and what comes later on this host does not run."""
    with rows(["executor killed in a stage"]):
        for said in map(told, apart):
            assert said["first", "killed"] == said["first", "fine"] == ("passed", "")
            assert said["killer", "killed"] == ("error", "the executor was killed on the host before this step ended")
            assert said["next", "killed"] == ("blocked", "killer did not pass (error)")


PAUSES = [pytest.param(10, id="10 s"), pytest.param(60, id="60 s")]


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="takes minutes: a part of `make soak`")
@pytest.mark.parametrize("seconds", PAUSES)
def test_a_long_pause_of_the_network(hosted: Path, rack: Rack, proxies: list[Proxy], seconds: int):
    """With the usual patience, and a stage that ends meanwhile."""
    steps = [shell("first", "ok"), shell("slow", "wait", args={"seconds": 15}), shell("last", "ok")]
    with reliability_sweeps.sweep(f"host: network pause of {seconds} s", HOLDS) as made:
        for _again in range(3):
            proxy = network(proxies, rack, "r02")
            hosts = inventory(rack, fine=("r01", {}), paused=("r02", through(proxy)))
            with Running(write_recipe(steps), hosts, RACK_RECIPES_RECONNECT_TIMEOUT=120) as running:
                running.until_ended("first", "fine", "paused")
                proxy.pause()
                time.sleep(seconds)
                proxy.resume()
                assert running.code() == 0
            assert set(told(results()).values()) == {("passed", "")}
            made.done += 1


@pytest.mark.skipif(bool(NO_LINK), reason=NO_LINK or "there can be a link")
def test_a_step_takes_its_own_link_down(hosted: Path):
    """The stage goes on without its controller, brings the link back, and is collected."""
    seconds = reliability_sweeps.count(6, 20)
    link = shell("link", module="h.link", args={"seconds": seconds}, success={"ctx_has_keys": ["h.link_v1"]})
    steps = [shell("first", "ok"), link, shell("last", "ok", depends_on=["link"])]
    with (
        reliability_sweeps.sweep("host: link taken down by a step of the stage", HOLDS) as made,
        network_links.Link() as uplink,
    ):
        with uplink.rack() as rack:
            for _again in range(reliability_sweeps.count(1, 5)):
                hosts = inventory(rack, behind=("r01", {}))
                code, found, _stderr = ran(write_recipe(steps), hosts, RACK_RECIPES_RECONNECT_TIMEOUT=40)
                assert (code, told(found)) == (
                    0,
                    {(step, "behind"): ("passed", "") for step in ("first", "link", "last")},
                )
                assert found.steps["link", "behind"]["seconds"] >= seconds
                made.done += 1
        made.found = {"seconds without a link": seconds}


# Between stages, and at the start


def test_away_at_the_start_and_between_stages(hosted: Path, rack: Rack):
    """What is done once for the run lies between two stages; meanwhile a host goes."""
    gate = shell("gate", scope="run", args={"path": str(hosted / "open")})
    steps = [shell("before", "ok"), gate, shell("after", "ok")]
    hosts = inventory(rack, fine=("r01", {}), goes=("r02", {}), away=("r03", {}))
    with rows(["unreachable at start", "unreachable between stages"]):
        for _again in times():
            (hosted / "open").unlink(missing_ok=True)
            rack.kill("r03")
            try:
                with Running(write_recipe(steps), hosts) as running:
                    running.until_ended("before", "fine", "goes")
                    rack.kill("r02")
                    (hosted / "open").touch()
                    assert running.code() == 3
            finally:
                rack.revive("r02", "r03")
            said = told(results())
            assert [said["before", "fine"], said["before", "goes"], said["gate", ""]] == [("passed", "")] * 3
            assert said["after", "fine"] == ("passed", "")
            for place in (("before", "away"), ("after", "away"), ("after", "goes")):
                assert said[place][0] == "unreachable"
                assert "Connection refused" in said[place][1]


# Passwords

SUDO = """\
#!/bin/sh
# Stands in for sudo: asks as it does, counts how often somebody answers, and lets nobody in but who knows the word.
prompt='[sudo] password: '
while [ $# -gt 0 ]; do
  case $1 in
    -p) prompt=$2; shift 2 ;;
    -u) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
"""
ASKS = """\
for attempt in 1 2 3; do
  printf %s "{prompt}" >&2
  read -r word || exit 1
  echo "$attempt" >>"$0.tries"
  [ "$word" = right ] && exec "$@"
  echo "{sorry}" >&2
done
echo 'sudo: 3 incorrect password attempts' >&2
exit 1
"""
ENGLISH = ASKS.format(prompt="$prompt", sorry="Sorry, try again.")
CHINESE = ASKS.format(
    prompt="[sudo] \u7684\u5bc6\u7801\uff1a", sorry="\u5bf9\u4e0d\u8d77\uff0c\u8bf7\u91cd\u8bd5\u3002"
)
SUDOS = {
    "right": ("right", ENGLISH, 3, ""),
    "slow": ("right", f"sleep 1\n{ENGLISH}", 3, ""),
    "wrong": ("no", ENGLISH, 1, "the become password is wrong: sudo refused it"),
    "foreign": ("right", CHINESE, 0, "the become password is wrong, or its prompt is one that Ansible does not know"),
    "none": ("", "echo 'sudo: a password is required' >&2; exit 1\n", 0, "sudo asks for a become password, and none"),
}


def test_a_wrong_become_password_is_sent_once(hosted: Path, rack: Rack):
    """Each further time could lock the account: the stages that would send it again are blocked."""
    steps = [
        shell("one", "ok", become="daemon"),
        shell("other", "ok", become="bin"),
        shell("plain", "ok"),
        shell("again", "ok", become="daemon"),
    ]
    known = {}
    for n, (name, (word, text, _tries, _reason)) in enumerate(SUDOS.items()):
        sudo = program(hosted / f"sudo-{name}", SUDO + text)
        more = {"ansible_become_exe": sudo, **({"ansible_become_password": word} if word else {})}
        known[name] = (f"r0{n + 2}", more)
    with rows(["wrong become password", "unknown prompt for it", "no become password", "slow prompt for it"]):
        for _again in times():
            hosts = inventory(rack, **known)
            for tries in hosted.glob("*.tries"):
                tries.unlink()
            code, found, _stderr = ran(write_recipe(steps), hosts, ANSIBLE_TIMEOUT=3)
            assert code == 1
            said = told(found)
            for name, (_word, _text, tries, why) in SUDOS.items():
                counted = hosted / f"sudo-{name}.tries"
                assert (len(counted.read_text().split()) if counted.exists() else 0) == tries, name
                assert said["plain", name] == ("passed", ""), name
                verdict, reason = said["one", name]
                assert (verdict, reason.startswith(why)) == ("error" if why else "passed", True), (name, reason)
                for later in ("other", "again") if why.startswith("the become") else ():
                    shut = f"one has shown that the become password is wrong: not tried again on {name}"
                    assert said[later, name] == ("blocked", shut)


# What a host says besides, and its names


@pytest.fixture(scope="module")
def chatty() -> Iterator[Rack]:
    """A host that says more than it is asked, at every occasion, and one whose user has no home."""
    with Rack(2, first_address="127.0.3.1") as made:
        homeless = made.folder / "r02.conf"
        homeless.write_text(homeless.read_text().replace(f"HOME={made.folder}/r02", f"HOME={NOWHERE}"))
        banner = made.folder / "banner"
        banner.write_text("Authorized use only.\nrack.recipes answer is not this\n")
        for start_file in (".bashrc", ".profile", ".bash_profile"):
            (made.folder / "r01" / start_file).write_text("echo 'Hello from a start file'\n")
        said = 'echo \'Welcome to r01\'; echo \'{"status": "ok"}\'; eval "$SSH_ORIGINAL_COMMAND"; s=$?'
        conf = made.folder / "r01.conf"
        conf.write_text(f"Banner {banner}\n{conf.read_text()}ForceCommand {said}; echo Goodbye; exit $s\n")
        made.kill(*made.hosts)
        made.revive(*made.hosts)
        yield made


def test_banners_and_noise_hide_no_answer_and_nobody_needs_a_home(hosted: Path, chatty: Rack):
    steps = [shell("first", "ok"), shell("slow", "wait", args={"seconds": 5.5}), shell("fails", "fail")]
    with rows(["login banner and noise on stdout", "no home"]):
        for _again in times():
            code, found, _stderr = ran(write_recipe(steps), inventory(chatty, chatty=("r01", {}), homeless=("r02", {})))
            assert code == 1
            passed = ("passed", "")
            wanted = {"first": passed, "slow": passed, "fails": ("failed", "the link is down")}
            assert told(found) == {(step, host): wanted[step] for step in wanted for host in ("chatty", "homeless")}


def test_two_names_of_one_host(hosted: Path, rack: Rack):
    """Warned of once, by both names, and their results are apart."""
    args = {"name": "{{ inventory_hostname }}"}
    facts = "echo {{ ansible_facts.rack_recipes.context['h.name_v1'] }}"
    says = {"values": [{"value": "${h.said_v1.stdout}", "eq": "${h.name_v1}"}]}
    said = {"name": "said", "type": "ansible", "module": "ansible.builtin.command", "args": {"cmd": facts}}
    steps = [
        shell("name", module="h.name", args=args, success={"ctx_has_keys": ["h.name_v1"]}),
        {**said, "writes": ["h.said_v1"], "success": says},
        shell("ok"),
        {"name": "total", "module": "t.total", "scope": "run", "success": {"ctx_has_keys": ["t.total_v1"]}},
    ]
    hosts = inventory(rack, one=("r01", {}), other=("r01", {}), third=("r02", {}))
    with rows(["two names for one host"]):
        for _again in times():
            code, found, stderr = ran(write_recipe(steps), hosts)
            assert code == 0, told(found)
            assert [host for key, host in found.context if key == "t.total_v1"] == [""]
            assert {host: value for (key, host), value in found.context.items() if key == "h.name_v1"} == {
                name: name for name in ("one", "other", "third")
            }
            said = " ".join(stderr.split())
            member = rack.members["r01"]
            assert said.count("are one host") == 1
            assert f"one, other are one host, {member.address}:{member.port}" in said


def test_one_name_three_times(apart: list[Results]):
    """In three groups, in the limit and in the pattern of the step: it runs once."""
    with rows(["one name three times"]):
        for found in apart:
            said = {place: told_of_it for place, told_of_it in told(found).items() if place[0] in ("flaky", "ok")}
            late = ("marginal", "passed only at try 3, before it failed: not yet (2 times)")
            assert said == {("flaky", "one"): late, ("ok", "one"): ("passed", "")}
            assert len(found.steps["flaky", "one"]["attempts"]) == 3


# Memory


def test_a_step_out_of_memory(apart: list[Results]):
    command = "rack-recipes debug h.take_memory --arg mib=4000 --host small -i inventory.yml"
    place = f"scriptlets/h/take_memory.py:14; `{command}` shows more"
    with rows(["out of memory in a step"]):
        for found in apart:
            assert {cell: told_of_it for cell, told_of_it in told(found).items() if cell[1] == "small"} == {
                ("first", "small"): ("passed", ""),
                ("eats", "small"): ("error", f"MemoryError ({place}) (limits.memory_mib is 1000 MiB of memory)"),
                ("last", "small"): ("passed", ""),
            }
