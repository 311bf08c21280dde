# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage that goes on without its connection: its folder on the host, its journal there, its lease."""

from __future__ import annotations

import json
import os
import time

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import (
    FILE_MODE,
    FOLDER_MODE,
    stat_of,
    try_to,
    write_all,
)
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL, encode
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ARTIFACTS = "artifacts"  # the folder, within a stage's, of the files that its steps attach
LEASE = b"%020.3f"
SOON = 0.5  # seconds between two answers to somebody who looks on; each costs a start of Python
PAUSE = 0.05  # seconds between two looks at a stage that is waited for
STARTING = 60.0  # seconds within which the runner of a new stage has to start: a host under full load takes long
PATIENCE = 60.0  # seconds for which a full disk may keep a stage from its end
PERIOD = 3600  # seconds between two searches for stages to remove
OOM_KILLS = "oom_kills"  # the file with the number of kills for lack of memory when the stage was young
HALT = "halt"  # the file in which the controller says why the steps are to end
LOST = "lost"  # the file that says for which hosts of many the stage could not be run, and why
KEPT = 24 * 3600  # seconds for which a stage can be collected after its end
ANSWER = 8 * 1024 * 1024  # bytes of the journal in one answer; one record may be larger


class DetachedStage:
    """The folder of one stage on this host."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.work = os.path.join(folder, "work")
        self._journal = -1
        self._lease = -1
        self._notes_oom_kills = True
        self._written = 0
        self._unwritten: list[bytes] = []
        self._part = 0  # bytes of the first of these that were written
        self._end = 0  # the journal's size after that

    def path(self, name: str) -> str:
        """The path of one of this stage's files."""
        return os.path.join(self.folder, name)

    def create(self) -> bool:
        """Make the folder. Returns False if the stage was started before. Raises OSError if it cannot be made."""
        try:
            os.mkdir(self.folder, FOLDER_MODE)
        except FileExistsError:
            return False
        try:
            os.mkdir(self.work, FOLDER_MODE)
            self._put_lease()
        except OSError:
            remove(self.folder)
            raise
        return True

    def renew(self) -> None:
        """Renew the lease, since the controller is there. If a full disk prevents it, the stage ends with its lease."""
        try_to(self._put_lease)

    def _put_lease(self) -> None:
        """Write the time into the lease. It is monotonic time: setting the clock must not end a test."""
        self._put("lease", LEASE % time.monotonic())

    def begin(self) -> None:
        """Called when the runner starts: note its process number, open the journal and the lease."""
        self._put("runner", _identity(os.getpid()))
        self._journal = os.open(self.path(JOURNAL), os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        self._lease = os.open(self.path("lease"), os.O_RDONLY)

    def write(self, record: dict[str, object]) -> None:
        """Number a record and append it to the journal on this host."""
        self._written += 1
        record["n"] = self._written
        self._unwritten.append(encode(record))
        self._flush()

    def number_anew(self) -> None:
        """Number the records from 1 again, since those that follow are of another host."""
        self._written = 0

    def _flush(self) -> str:
        """Write the records that wait in memory. Returns why that failed, such as a full disk; they are kept then.

        A record of which only a part was written is written again, whole, if another process has appended meanwhile.
        """
        try:
            while self._unwritten:
                if self._part and os.fstat(self._journal).st_size != self._end:
                    self._part = 0
                self._part += os.write(self._journal, memoryview(self._unwritten[0])[self._part :])
                if self._part == len(self._unwritten[0]):
                    del self._unwritten[0]
                    self._part = 0
                else:
                    self._end = os.fstat(self._journal).st_size
        except OSError as error:
            return str(error.strerror)
        return ""

    def pid(self) -> int:
        """The process number of the runner, also after the stage's end. 0 if that process has ended."""
        for said in (self._read("runner"), self._read("ended")):
            first = said.partition(b" ")[0]
            if first.isdigit() and said == _identity(int(first)):
                return int(first)
        return 0

    def leased(self, seconds: float) -> bool:
        """Whether the controller was heard of within the last `seconds`, and has not asked for the end."""
        if self._notes_oom_kills:
            self._note_oom_kills()
        return not self.halted() and time.monotonic() - float(os.pread(self._lease, 20, 0)) <= seconds

    def _note_oom_kills(self) -> None:
        """Note how many processes the kernel has killed so far for lack of memory.

        If the runner is killed later, the count tells whether that may have been the reason.
        """
        from ansible_collections.rack.recipes.plugins.module_utils.program_end import oom_kills

        self._notes_oom_kills = False
        try_to(self._put, OOM_KILLS, b"%d" % oom_kills())  # a full disk is no reason to end

    def starved(self) -> str:
        """A remark in brackets if lack of memory may have killed the runner, else an empty text."""
        noted = self._read(OOM_KILLS)
        if not noted:
            return ""
        from ansible_collections.rack.recipes.plugins.module_utils.program_end import oom_kills_since

        return oom_kills_since(int(noted))

    def halt(self, reason: str, *, begun: bool) -> None:
        """Ask the runner to end its steps. A stage whose request is still on its way will never begin."""
        if begun:
            self._put(HALT, reason.encode("utf-8", "backslashreplace"))
        else:
            self._put("ended", b"0 0 %b" % boot_id())  # the identity of no process

    def halted(self) -> str:
        """Why the controller asked for the end of the steps; empty where it has not."""
        return self._read(HALT).decode("utf-8", "replace")

    def end(self) -> None:
        """Called when the runner ends. Journal and attached files stay to be collected.

        Raises OSError as `finish_journal` does.
        """
        remove(self.work)
        self.finish_journal()
        os.rename(self.path("runner"), self.path("ended"))  # unlike a new file, a renamed one needs no room on the disk

    def finish_journal(self) -> None:
        """Write the records that wait in memory. Raises OSError if that is impossible for `PATIENCE` seconds."""
        until = time.monotonic() + PATIENCE
        problem = self._flush()
        while problem and time.monotonic() < until:
            time.sleep(PAUSE)
            problem = self._flush()
        if problem:
            raise OSError(f"the journal cannot be written: {problem}")

    def fail(self, reason: str) -> None:
        """Called when the runner cannot go on; `reason` is for the controller."""
        remove(self.work)
        try:
            self._put("failure", reason.encode("utf-8", "backslashreplace"))
        except OSError:
            os.rename(self.path("lease"), self.path("full"))  # a renamed file needs no room

    def failure(self) -> str:
        """Why the runner could not go on; empty where it could."""
        if os.path.exists(self.path("full")):
            return f"the temporary folder {os.path.dirname(self.folder)} is full"
        return self._read("failure").decode("utf-8", "replace")

    def put_lost(self, lost: dict[str, str]) -> None:
        """Note, by host, why the process of a host could not go on; for a stage that runs for many hosts."""
        if lost:
            self._put(LOST, json.dumps(lost).encode())

    def lost(self) -> dict[str, str]:
        """What `put_lost` has noted."""
        found: dict[str, str] = json.loads(self._read(LOST) or b"{}")
        return found

    def _put(self, name: str, content: bytes) -> None:
        file = os.open(self.path(name), os.O_WRONLY | os.O_CREAT, FILE_MODE)
        try:
            write_all(file, content)
        finally:
            os.close(file)

    def _read(self, name: str) -> bytes:
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def await_end(self, seconds: float, offset: int, *, soon: float = 0) -> None:
        """Wait, and renew the lease, until the stage has ended or `seconds` have passed.

        It also returns once the journal has `ANSWER` bytes behind `offset`, or any where an answer is wanted within
        `soon` seconds.
        """
        begun = time.monotonic()
        while self.state() == "running":
            self.renew()
            waited, gained = time.monotonic() - begun, self.gained(offset)
            if waited >= seconds or gained >= ANSWER or (soon and gained and waited >= soon):
                return
            time.sleep(PAUSE)

    def gained(self, offset: int) -> int:
        """How many bytes the journal has behind `offset`."""
        try:
            return os.stat(self.path(JOURNAL)).st_size - offset
        except FileNotFoundError:
            return 0

    def state(self) -> str:
        """`ended`, `running`, or `unknown` if no such stage is here; `killed` or `rebooted` if its runner is gone."""
        runner = self._read("runner")
        if runner and runner == _identity(int(runner.split()[0])):
            return "running"
        if os.path.exists(self.path("ended")):
            return "ended"
        if not runner:
            return self._state_at_start()
        return "killed" if runner.split()[-1] == boot_id() else "rebooted"

    def _state_at_start(self) -> str:
        """The state of a stage without a runner. A young one is `running`, since its runner starts within moments."""
        try:
            age = time.time() - os.stat(self.folder).st_mtime
        except FileNotFoundError:
            return "unknown"
        return "running" if age < STARTING else "killed"

    def end_leftovers(self) -> None:
        """After the runner was killed: kill all processes that the stage's steps have started."""
        pid, started, boot = self._read("runner").split() or (b"0", b"0", b"")
        if boot == boot_id():
            from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import marks_of
            from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import (
                kill_processes,
            )

            kill_processes(marks_of(int(pid), int(started)))

    def journal_from(self, offset: int) -> tuple[bytes, bool]:
        """Whole records from `offset` on, about `ANSWER` bytes at most, and whether more of the journal follows."""
        try:
            with open(self.path(JOURNAL), "rb") as journal:
                journal.seek(offset)
                data = journal.read(ANSWER) + journal.readline()
                more = bool(journal.read(1))
        except FileNotFoundError:
            return b"", False
        return data[: data.rfind(b"}\n") + 2] if b"}\n" in data else b"", more

    def is_old(self) -> bool:
        """Whether the stage ended more than `KEPT` seconds ago, so that it will not be collected any more."""
        changed = max(os.stat(path).st_mtime for path in (self.folder, *os.scandir(self.folder)))
        return time.time() - changed > KEPT and self.state() != "running"


def remove_collected_stages(base: str, collected: Iterable[str]) -> None:
    """Remove the stages that were collected, given by the names of their folders in `base`."""
    for name in collected:
        stage = DetachedStage(os.path.join(base, name))
        if stage.state() != "running":
            remove(stage.folder)


def remove_old_stages(base: str) -> None:
    """Remove the stages that ended long ago. It looks for them only once an hour, since a host may hold many."""
    if not _is_due(os.path.join(base, "cleaned")):
        return
    for entry in list(os.scandir(base)):
        stage = DetachedStage(entry.path)
        try:
            if any(map(os.path.exists, (stage.path("lease"), stage.path("full")))):
                if stage.state() == "killed":  # its controller may be gone, too
                    stage.end_leftovers()
                if stage.is_old():
                    remove(stage.folder)
        except OSError:  # somebody else cleans too
            continue


def _is_due(stamp: str) -> bool:
    try:
        if time.time() - os.stat(stamp).st_mtime < PERIOD:
            return False
    except FileNotFoundError:
        pass
    os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT, FILE_MODE))
    os.utime(stamp)
    return True


def boot_id() -> bytes:
    """The id of this boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().strip()


def _identity(pid: int) -> bytes:
    """Process number, start time and boot id, which together are never used again. Empty if the process has ended."""
    try:
        fields = stat_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    return b"" if fields[0] in (b"Z", b"X") else b"%d %b %b" % (pid, fields[19], boot_id())
