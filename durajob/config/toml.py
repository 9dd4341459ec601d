"""workflows.toml as text and tables: read with care, refused with the line.

Light enough for every command. What the tables mean is the business of ``load``.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from durajob.config.names import nearest
from durajob.errors import ConfigError
from durajob.record import Record

MAX_BYTES = 1024 * 1024
"""The largest workflows.toml taken: some ten thousand workflows."""

TOP_LEVEL_KEYS = ("version", "secrets", "store", "logs", "defaults", "retention", "workflows")
STORE_KEYS = ("url",)


_WAY_OUT = "mend that line; durajob validate checks the whole file"


class Document(Record):
    """A workflows.toml that is well-formed TOML; its keys are not yet checked."""

    path: Path
    text: str
    tables: dict[str, Any]

    def error(self, key: tuple[str, ...], problem: str, *, hint: str | None = None) -> ConfigError:
        """The refusal of what stands at ``key``, naming file, line and key path."""
        shown = problem if len(problem) <= 600 else problem[:599] + "…"
        return ConfigError(f"{self.place(key)}: {shown}", hint=hint or _WAY_OUT)

    def place(self, key: tuple[str, ...]) -> str:
        """Where ``key`` stands, as a refusal begins."""
        line = find_line(self.text, key)
        return f"{self.path}:{line}: {dotted(key)}" if line else f"{self.path}: {dotted(key)}"

    def unknown_key(self, key: tuple[str, ...], known: tuple[str, ...]) -> ConfigError:
        """The refusal of the last part of ``key``, with the nearest of the ``known`` ones."""
        near = nearest(key[-1], known)
        hint = f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}"
        return self.error(key, "unknown key", hint=hint)


def read_document(path: Path) -> Document:
    """Read and parse ``path``, and check its top-level keys.

    Raises:
        ConfigError: when it cannot be read, is too large, is not UTF-8 or not TOML.
    """
    text = _decode(path, _read(path))
    try:
        tables = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(
            f"{path}: nested too deeply", hint="a workflows.toml needs a handful of levels"
        ) from error
    except ValueError as error:  # TOMLDecodeError, and an integer of thousands of digits
        raise _malformed(path, error) from error
    document = Document(path=path, text=text, tables=tables)
    for key in tables:
        if key not in TOP_LEVEL_KEYS:
            raise document.unknown_key((key,), TOP_LEVEL_KEYS)
    _check_version(document)
    return document


def secret_names(document: Document) -> tuple[str, ...]:
    """``secrets``: names of environment variables, and of keys of input and state.

    Raises:
        ConfigError: when it is no list of names.
    """
    names = document.tables.get("secrets", [])
    hint = 'for example secrets = ["API_TOKEN", "password"]'
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise document.error(("secrets",), "must be an array of strings", hint=hint)
    for name in names:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", name):
            problem = f"{name[:100]!r} is no name of a variable or a key"
            raise document.error(("secrets",), problem, hint=hint)
    return tuple(dict.fromkeys(names))


def _check_version(document: Document) -> None:
    version = document.tables.get("version", 1)
    if type(version) is not int or version < 1:
        raise document.error(("version",), "must be 1, the version of this file's format")
    if version > 1:
        raise document.error(
            ("version",),
            f"is {version}, and this durajob knows only 1",
            hint="upgrade durajob, or write the file for version = 1",
        )


def _read(path: Path) -> bytes:
    try:
        # Non-blocking, or a named pipe in its place would hold every command up for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        if os.path.islink(path):
            problem, hint = "is a symbolic link to nothing", "mend or remove the link"
        else:
            problem, hint = "there is no such file", "durajob init writes a first one"
        raise ConfigError(f"{path}: {problem}", hint=hint) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            hint = "name the workflows.toml in it with -f"
            raise ConfigError(f"{path}: is a folder, not a file", hint=hint)
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{path}: is not a regular file", hint="name a file with -f")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{path}: is larger than {MAX_BYTES // 1024} KiB, the most that is taken",
            hint="is it a workflows.toml at all? data belongs in --input-file",
        )
    return content


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigError:
    if isinstance(error, ValueError):  # a zero byte in the name
        return ConfigError(f"{str(path)!r}: is no file name", hint="name a file with -f")
    hint = {
        errno.EACCES: "make it readable, or name another file with -f",
        errno.ELOOP: "its symbolic links lead in a circle: remove one of them",
    }.get(error.errno or 0, "name another file with -f")
    return ConfigError(f"{path}: cannot be read: {error.strerror or error}", hint=hint)


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a byte-order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: is not UTF-8 (byte {content[error.start]:#04x})",
            hint="save the file as UTF-8",
        ) from error


def _malformed(path: Path, error: ValueError) -> ConfigError:
    said = str(error)
    place = re.search(r" \(at line (\d+), column \d+\)$", said)
    if place is not None:
        return ConfigError(
            f"{path}:{place[1]}: is not TOML: {said[: place.start()]}",
            hint=f"mend line {place[1]}; the rules are at https://toml.io",
        )
    return ConfigError(f"{path}: is not TOML: {said}", hint="the rules are at https://toml.io")


def dotted(key: tuple[str, ...]) -> str:
    """A key path as TOML writes it: ``workflows."with space".steps.load``."""
    return ".".join(_quoted(part) for part in key)


def _quoted(part: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+", part):
        return part
    shown = part if len(part) <= 60 else part[:59] + "…"
    return json.dumps(shown, ensure_ascii=not shown.isprintable())


def find_line(text: str, key: tuple[str, ...]) -> int | None:
    """The number of the line that sets ``key``, or the nearest table or key around it.

    tomllib keeps no lines, so this looks for what the key would be written as. Where two lines
    could be meant (a look-alike within a multi-line string) there is no answer rather than a
    wrong one.
    """
    lines: dict[tuple[str, ...], set[int]] = {}
    for number, path in _keys(text):
        lines.setdefault(path, set()).add(number)
    for length in range(len(key), 0, -1):
        found = lines.get(key[:length], set())
        if found:
            return found.pop() if len(found) == 1 else None
    return None


_QUOTED = r"\"[^\"]*\"|'[^']*'"
_HEADER = re.compile(rf"\[\[?(?P<key>(?:[^\[\]\"']|{_QUOTED})+)\]")
_ASSIGNMENT = re.compile(rf"(?P<key>(?:[A-Za-z0-9_. \t-]|{_QUOTED})+)=")


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.lstrip()
        if header := _HEADER.match(line):
            if path := _key_path(header["key"]):
                table = path
                yield number, table
        elif (assignment := _ASSIGNMENT.match(line)) and (path := _key_path(assignment["key"])):
            yield number, table + path


def _key_path(written: str) -> tuple[str, ...] | None:
    """The parts of a dotted key, by the one parser that knows all its forms."""
    try:
        value: Any = tomllib.loads(f"{written} = 0")
    except (ValueError, RecursionError):
        return None
    parts: list[str] = []
    while isinstance(value, dict):
        (part,) = value
        parts.append(part)
        value = value[part]
    return tuple(parts)
