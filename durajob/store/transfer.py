"""Threads as lines of JSON, and back: what ``export`` writes and ``import`` reads.

The first line says what the file is, the last how many threads and lines it has and the SHA-256
of all before it. Between them stands, for each thread, a line that begins it, its rows table by
table, the files of its logs and its work folder, and a line that ends it. A value that is no
text or number is ``{"base64": …}``. A file is data: nothing of it is run or imported, each column
must be one that the table has, and each path one inside the thread's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from durajob import clock
from durajob.errors import InputError
from durajob.model import ThreadStatus, is_thread_id
from durajob.store import schema, seals
from durajob.store.driver import FAILURES, sqlite, translate
from durajob.store.files import log_folder, make_folder, open_for_reading, work_folder
from durajob.store.read import Reader
from durajob.store.write import Writer

FORM = 1
_AGAIN = "export it once more"
_CHUNK = 600_000  # bytes of a file in one line
_BY_NAME = ("checkpoints", "writes")
_BY_ROW = (
    *("origins", "attempts", "results", "effects", "questions", "sleeps"),
    *("compensations", "interventions", "claims"),
)
TABLES = ("threads", *_BY_ROW, *_BY_NAME)
LEFT_OUT = ("lock_turns", "notifications", "refusals")
"""What belongs to the store and not to the thread."""
_UNNUMBERED = ("checkpoints", "writes", "effects")
_ROOTS = {"logs": log_folder, "work": work_folder}
_NUMBERED = ("attempts", "questions", "compensations", "interventions")


class Exported(NamedTuple):
    """A thread that was written."""

    thread: str
    driven: bool  # a process was driving it at that instant


def export(path: Path, names: Iterable[str], write: Any, *, logs: bool) -> Iterator[Exported]:
    """Write threads with ``write(text)``, each as it is at one instant; gives each.

    Raises:
        StoreDamaged: when what a resume would go on from is not what was written.
    """
    out = _Lines(write)
    out.put({"durajob_export": FORM, "at": clock.to_rfc3339(clock.now())})
    count = 0
    connection = open_for_reading(path)
    try:
        for name in names:
            with Reader(path) as reader:
                found = reader.find(name, whole=True)  # refuses what is damaged
                if found is None:
                    continue  # it was pruned meanwhile
                reader.row(name, checked=not found.is_final)
            driven = found.owner is not None and found.status.value == "running"
            out.put({"thread": name, "driven": driven})
            row = _rows_of(connection, path, name, out)
            for kind in ("logs", "work") if logs else ("work",):
                _files_of(_ROOTS[kind](path) / str(row), kind, out)
            out.put({"end": name})
            count += 1
            yield Exported(name, driven)
    finally:
        connection.close()
    out.end(count)


def verified(file: BinaryIO) -> list[str]:
    """The ids of the threads in an export, once all of it is known to be whole and sound.

    Raises:
        InputError: when it is no export, or not all of one.
    """
    digest, names, lines = hashlib.sha256(), list[str](), 0
    columns, before = _columns(), b""
    for line in file:
        if before:
            digest.update(before)
            said = _line(before, lines, columns)
            if lines == 1 and said.get("durajob_export") != FORM:
                raise InputError(
                    "this is no export that this durajob can read",
                    hint="durajob export writes them",
                )
            if "thread" in said:
                names.append(str(said["thread"]))
        before, lines = line, lines + 1
    end = _decoded(before or b"{}", lines)
    whole = {"threads": len(names), "lines": lines - 1, "sha256": digest.hexdigest()}
    if end != {"all": whole}:
        raise InputError("the export is cut off, or was changed", hint=_AGAIN)
    if len(set(names)) != len(names) or not all(map(is_thread_id, names)):
        raise InputError("the export names threads that cannot be", hint=_AGAIN)
    file.seek(0)
    return names


class Importer(Writer):
    """A store that threads are imported into."""

    def __init__(self, path: Path) -> None:
        """Open it; made where there is none."""
        super().__init__(path, create=True)

    def existing(self, names: Iterable[str]) -> list[str]:
        """Those of the ids that are taken."""
        query = "SELECT 1 FROM threads WHERE thread = ?"
        return [name for name in names if self._one(query, (name,)) is not None]

    def take(self, file: BinaryIO, skipped: set[str]) -> Iterator[str]:
        """Import all threads of an export but those; gives each that is in.

        Each is there whole or not at all. None is driven, and none is resumed by itself.
        """
        rows: list[tuple[str, dict[str, Any]]] = []
        columns, name, row = _columns(), "", 0
        for number, line in enumerate(file, 1):
            said = _line(line, number, columns)
            if "thread" in said:
                name, rows = str(said["thread"]), []
                if name not in skipped:
                    row = self._reserve()
                    self.locks.try_thread(row)  # until it is there, its folders have no thread
            elif name in skipped:
                continue
            elif "table" in said:
                rows.append((said["table"], said["row"]))
            elif "file" in said:
                self._write_file(row, said)
            elif "end" in said:
                self._transact(partial(_insert, row=row, name=name, rows=rows))
                self.locks.release_thread(row)
                yield name

    def _reserve(self) -> int:
        """A row id that nobody gets after us, whatever happens."""

        def reserve(cursor: Any) -> int:
            found = cursor.execute(_NEXT_ROW).fetchone()
            if found is None:
                cursor.execute("INSERT INTO sqlite_sequence VALUES ('threads', 1)")
                return 1
            return int(found[0])

        row: int = self._transact(reserve)
        return row

    def _write_file(self, row: int, said: Mapping[str, Any]) -> None:
        target = _ROOTS[said["of"]](self.path) / str(row) / said["file"]
        make_folder(target.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags, 0o600), "ab") as file:
            file.write(said["data"])
            file.flush()
            os.fchmod(file.fileno(), said["mode"] | 0o600)
            os.fsync(file.fileno())

    def _one(self, query: str, values: Any) -> Any:
        try:
            return self._connection.execute(query, values).fetchone()
        except FAILURES as error:
            raise translate(error, str(self.path)) from error


def _line(line: bytes, number: int, columns: Mapping[str, set[str]]) -> dict[str, Any]:
    """A line of an export, if it holds what one may hold; values as they are stored."""
    said = _decoded(line, number)
    if "table" in said:
        table, values = said["table"], said.get("row")
        known = columns.get(table) if isinstance(table, str) else None
        if known is None or not isinstance(values, dict) or not values.keys() <= known:
            raise _unfit(number)
        said["row"] = {key: _value(value, number) for key, value in values.items()}
    elif "file" in said:
        path, mode = said["file"], said.get("mode")
        said["data"] = _value(said.get("data"), number)
        if (
            said.get("of") not in _ROOTS
            or not isinstance(path, str)
            or not _is_inside(path)
            or not isinstance(mode, int)
            or mode & ~0o777
            or not isinstance(said["data"], bytes)
        ):
            raise _unfit(number)
    return said


def _columns() -> dict[str, set[str]]:
    """The columns of each table, as this durajob makes it."""
    connection = sqlite.connect(":memory:")
    try:
        schema.migrate(connection)
        return {
            table: {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
            for table in TABLES
        }
    finally:
        connection.close()


class _Lines:
    """Lines of JSON, counted and hashed."""

    def __init__(self, write: Any) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self._count = 0

    def put(self, value: Any) -> None:
        text = json.dumps(value, separators=(",", ":")) + "\n"
        self._digest.update(text.encode("ascii"))
        self._count += 1
        self._write(text)

    def end(self, threads: int) -> None:
        whole = {"threads": threads, "lines": self._count, "sha256": self._digest.hexdigest()}
        self._write(json.dumps({"all": whole}) + "\n")


def _rows_of(connection: Any, path: Path, name: str, out: _Lines) -> int:
    """Write the rows of a thread, as of one instant; gives its row id."""
    try:
        connection.execute("BEGIN")
        try:
            found = connection.execute("SELECT id FROM threads WHERE thread = ?", (name,))
            row: int = found.fetchone()[0]
            for table in TABLES:
                column, value = ("thread_id", row) if table in _BY_ROW else ("thread_id", name)
                if table == "threads":
                    column, value = "id", row
                order = "rowid" if table in _UNNUMBERED else "1"
                query = f"SELECT * FROM {table} WHERE {column} = ? ORDER BY {order}"
                cursor = connection.execute(query, (value,))
                names = [each[0] for each in cursor.description]
                for values in cursor:
                    said = dict(zip(names, map(_shown, values), strict=True))
                    out.put({"table": table, "row": said})
        finally:
            connection.execute("ROLLBACK")
    except FAILURES as error:
        raise translate(error, str(path)) from error
    return row


def _files_of(folder: Path, kind: str, out: _Lines) -> None:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            shown = os.fsencode(path.relative_to(folder)).decode("utf-8", "replace")
            if not _is_inside(shown):
                continue
            with suppress(FileNotFoundError):
                _file(path, shown, kind, out)


def _file(path: Path, shown: str, kind: str, out: _Lines) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except OSError:
        return  # a link, or one that may not be read: no file of a step's own making
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not os.path.isfile(path):
            return
        while True:
            data = file.read(_CHUNK)
            said = {"file": shown, "of": kind, "mode": status.st_mode & 0o777}
            out.put({**said, "data": _shown(data)})
            if len(data) < _CHUNK:
                return


def _insert(cursor: Any, *, row: int, name: str, rows: list[tuple[str, dict[str, Any]]]) -> None:
    thread = _only("threads", rows)
    _check(name, thread, _only("origins", rows))
    for table, given in rows:
        values = dict(given)
        if table == "threads":
            values.update(id=row, owner=None)
            if values["status"] in ("running", "pending"):
                values["status"] = "stopped"  # or recover would go on with it here as well
        else:
            values["thread_id"] = row if table in _BY_ROW else name
        if table in _NUMBERED:
            values.pop("id", None)
        try:
            _seal(table, row, values, thread)
            names, marks = ", ".join(values), ", ".join("?" * len(values))
            query = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            cursor.execute(query, tuple(values.values()))
        except (KeyError, TypeError, AttributeError, sqlite.IntegrityError) as error:
            raise InputError(
                f"the export has a row of {table} for thread {name} that cannot be: {error}",
                hint=_AGAIN,
            ) from error


def _only(table: str, rows: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    found = [values for each, values in rows if each == table]
    if len(found) != 1:
        raise InputError(f"the export has a thread with {len(found)} rows of {table}", hint=_AGAIN)
    return found[0]


def _check(name: str, thread: Mapping[str, Any], origin: Mapping[str, Any]) -> None:
    """Refuse what would make the store unreadable for others."""
    try:
        ThreadStatus(thread["status"])
        texts = [thread["next"], *(origin[key] for key in ("input", *seals.CLAIMED[:2]))]
        texts += [origin["environment"], *(thread[key] for key in ("error", "waiting", "cause"))]
        for text in texts:
            json.loads(text or "null")
        times = [thread[key] for key in ("created_at", "updated_at", "epoch", "done")]
        sound = thread["thread"] == name and all(isinstance(time, int) for time in times)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the export's thread {name} cannot be: {error}", hint=_AGAIN) from error
    if not sound:
        raise InputError(f"the export's thread {name} cannot be", hint=_AGAIN)


def _seal(table: str, row: int, values: dict[str, Any], thread: Mapping[str, Any]) -> None:
    """Checksums cover the row id, which is another one here."""
    if table == "origins":
        kept = [thread[name] for name in ("thread", "workflow", "slot", "created_at")]
        values["crc"] = seals.of_origin(row, *kept, values["input"])
        values["claim_crc"] = seals.of_claim(row, *(values[name] for name in seals.CLAIMED))
        values["claim_epoch"] = thread["epoch"]
    elif table == "results":
        said = (values["key"], values["type"], values["value"])
        values["crc"] = seals.of_result(row, *said)
    elif table == "effects":
        names = ("place", "name", "key", "status", "type", "value")
        values["crc"] = seals.of_effect(row, *(values[name] for name in names))
    elif table == "compensations":
        names = ("key", "node", "state_type", "state", "result_type", "result")
        values["crc"] = seals.of_compensation(row, *(values[name] for name in names))


def _shown(value: Any) -> Any:
    return {"base64": b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def _value(value: Any, number: int) -> Any:
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return b64decode(value["base64"], validate=True)
        except ValueError as error:
            raise _unfit(number) from error
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise _unfit(number)


def _decoded(line: bytes, number: int) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"line {number} of the export cannot be read: {error}", hint=_AGAIN
        ) from error
    if not isinstance(said, dict):
        raise _unfit(number)
    return said


def _is_inside(path: str) -> bool:
    parts = path.split("/")
    return "\0" not in path and not any(part in ("", ".", "..") for part in parts)


def _unfit(number: int) -> InputError:
    return InputError(f"line {number} of the export holds what no export has", hint=_AGAIN)


_NEXT_ROW = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'threads' RETURNING seq"
