"""One thread, driven through faults to its end, and judged."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.cases import Case, step_name
from tests.faults.journal import Journal
from tests.faults.zygote import Ended, Running, Zygote


@dataclass
class Trial:
    """A thread, and the judge who watches it."""

    case: Case
    zygote: Zygote
    folder: Path
    thread: str = "t"
    store: str = "s/d.db"
    env: Mapping[str, str] = field(default_factory=dict)  # of the runs, not of who looks
    runs: int = 0
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.folder / f"journal.{self.thread}", self.case.rules)
        self.log = self.folder / f"fired.{self.thread}"
        # Kills from outside are many here, and are not to be taken for a step's own doing.
        (self.folder / "workflows.toml").write_text(
            "version = 1\n[defaults]\nmax_crashes = 1000\nmax_resumes = 1000\n"
        )

    @property
    def faults(self) -> list[str]:
        """What should not have been, and how it came to that."""
        return [f"{fault}\n    {' | '.join(self.history)}" for fault in self.journal.faults]

    def drive(self, **fault: str) -> tuple[Ended, str | None]:
        """Run ``start --on-exists resume`` with a fault armed; how it ended, and what was done."""
        return self.end(self.begin(**fault))

    def begin(self, **fault: str) -> Running:
        """The same, while it runs."""
        self.log.unlink(missing_ok=True)
        env = {f"FAULT_{key.upper()}": value for key, value in fault.items()}
        if env:
            spared = self.zygote.spared(self.journal.path)
            env |= {"FAULT_LOG": str(self.log), "FAULT_SPARE": spared}
        self.runs += 1
        start = ("start", self.case.target, "-t", self.thread, "--on-exists", "resume")
        own = {**self.own_env, **self.env, **env}
        return self.zygote.begin(*start, cwd=self.folder, env=own)

    def end(self, running: Running) -> tuple[Ended, str | None]:
        """Wait for its end, which must be one that a command may have."""
        ended = running.wait()
        fired = self.log.read_text().splitlines()[0] if self.log.exists() else None
        self.history.append(f"{fired or 'undisturbed'} -> {ended.exit_status}")
        if "Traceback" in ended.err or ended.exit_status == 70:
            self.journal.faults.append(f"a bug shows: {ended.err[-2000:]}")
        if "HANGS" in ended.err:
            self.journal.faults.append("it hangs")
        return ended, fired

    def look(self, *, killed: bool = True) -> Mapping[str, Any] | None:
        """Ask ``status``, and hold it against the journal."""
        ended = self.command("status", self.thread, "--json")
        if ended.exit_status != 0:
            self.journal.after_run(())
            # 69: no store yet, which only a run that began nothing may leave behind.
            if self.journal.has_begun or ended.exit_status not in (66, 69):
                self.journal.faults.append(f"status says {ended.exit_status}: {ended.out[-500:]}")
            return None
        thread: Mapping[str, Any] = json.loads(ended.out)["data"]["thread"]
        steps = thread["steps"]
        self.journal.after_run(step_name(one) for one in steps if one["status"] == "succeeded")
        self._check_status(thread, killed)
        return thread

    def finish(self, *, check_store: bool = True) -> None:
        """Run without faults until the thread has ended, and judge all."""
        ended, _ = self.drive()
        thread = self.look(killed=False)
        if (ended.exit_status, thread and thread["status"]) != (
            self.case.exit_status,
            self.case.status,
        ):
            self.journal.faults.append(
                f"ended with {ended.exit_status}, {thread and thread['status']}: {ended.err[-800:]}"
            )
        elif thread is not None and thread["state"] != self.case.state:
            self.journal.faults.append(f"its state is {thread['state']}")
        self.journal.at_the_end()
        if check_store:
            self._check_store()

    def command(self, *args: str, **env: str) -> Ended:
        """Run a command on the trial's store."""
        return self.zygote.run(*args, cwd=self.folder, env={**self.own_env, **env})

    @property
    def own_env(self) -> dict[str, str]:
        """What a command on this thread needs to know."""
        return {
            "DURAJOB_FILE": str(self.folder / "workflows.toml"),
            "DURAJOB_STORE": self.store,
            "FAULT_JOURNAL": str(self.journal.path),
            "FAULT_RUN": str(self.runs),
        }

    def _check_status(self, thread: Mapping[str, Any], killed: bool) -> None:
        status = thread["status"]
        if killed and status in ("running", "stopped", "waiting", "sleeping"):
            self.journal.faults.append(f"its owner is dead, and status says {status}")
        if status == "pending" and self.journal.has_begun:
            self.journal.faults.append("steps have begun, and status says pending")
        if status == "completed" and thread["next"]:
            self.journal.faults.append(f"completed, and next is {thread['next']}")

    def _check_store(self) -> None:
        connection = sqlite3.connect(self.folder / self.store)
        try:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        finally:
            connection.close()
        if verdict != "ok":
            self.journal.faults.append(f"the store is damaged: {verdict}")


def scratch() -> Path:
    """A folder in memory, where there is one: a kill loses nothing that was written."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="durajob-", dir=memory if memory.is_dir() else None))


def remove(folder: Path) -> None:
    """Clear a scratch folder away."""
    shutil.rmtree(folder, ignore_errors=True)
