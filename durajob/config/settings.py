"""Which workflows.toml and which store a command works with.

Read by every command, also by those that must answer in milliseconds: tomllib only, and of the
file only what says where the store is, and what must not be shown.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Literal

from durajob.errors import ConfigError, DurajobError, UnsafePermissions, UsageError
from durajob.record import Record

FILE_NAME = "workflows.toml"

STORE_RULE = (
    "a store is sqlite:///absolute/path, sqlite:relative/path or a path (./name:with-colon.db)"
)


class StoreLocation(Record):
    """Where the threads live. ``path`` is absolute; ``url`` says the same in one form."""

    kind: Literal["sqlite"] = "sqlite"
    path: Path
    url: str


class Settings(Record):
    """What the options, the environment and the folder say, taken together."""

    file: Path | None  # absolute; None where there is no workflows.toml anywhere
    store: StoreLocation
    secrets: tuple[str, ...] = ()  # names of what is not shown


def load_settings(file_option: str | None, store_option: str | None) -> Settings:
    """The workflows.toml and the store, each from the first place that names one.

    Raises:
        UsageError: when an option or variable does not name a store or file.
        ConfigError: when the file that is named is not there, or cannot be read.
        UnsafePermissions: when the file that was found was put there by someone else.
    """
    file = _named_file(file_option) or _nearest_file() or _users_file()
    return Settings(file=file, store=_store(store_option, file), secrets=_secrets(file))


def _secrets(file: Path | None) -> tuple[str, ...]:
    """The names in ``secrets``. Parsed only where that word stands in the file at all."""
    if file is None:
        return ()
    try:
        if b"secrets" not in file.read_bytes():
            return ()
    except OSError:
        return ()  # whoever needs the file says what is wrong with it
    from durajob.config.toml import read_document, secret_names

    return secret_names(read_document(file))


def _named_file(option: str | None) -> Path | None:
    if option == "":
        raise UsageError("-f/--file: the path is empty", hint="name a workflows.toml")
    source, value = ("DURAJOB_FILE", os.environ.get("DURAJOB_FILE"))
    if option is not None:
        source, value = ("-f/--file", option)
    if not value:
        return None
    path = _absolute(value, source)
    if not os.path.lexists(path):
        raise ConfigError(
            f"{path}: there is no such file ({source})",
            hint="name one that exists, or write a first one with: durajob init",
        )
    return path


def _nearest_file() -> Path | None:
    try:
        here = Path.cwd()
    except OSError:  # the folder was deleted, or lies below one that may not be entered
        return None
    for folder in (here, *here.parents):
        path = folder / FILE_NAME
        # What is there but broken is refused when it is read, never passed over in silence.
        if os.path.lexists(path):
            _refuse_planted(path)
            return path
    return None


def _refuse_planted(path: Path) -> None:
    """A workflows.toml names code to run: one that another user left in /tmp is not ours."""
    try:
        file, folder = path.lstat(), path.parent.stat()
    except OSError:
        return  # reading it will say what is wrong
    if folder.st_mode & stat.S_IWOTH and file.st_uid not in (0, os.geteuid()):
        raise UnsafePermissions(
            f"{path}: belongs to another user, in a folder that everyone may write to",
            hint=f"if you trust it, name it: durajob -f {path}",
        )


def _users_file() -> Path | None:
    folder = _xdg("XDG_CONFIG_HOME", ".config")
    path = folder / "durajob" / FILE_NAME if folder else None
    return path if path and os.path.lexists(path) else None


def _store(option: str | None, file: Path | None) -> StoreLocation:
    if option is not None:
        return _location(option, _here(), UsageError, "--store")
    variable = os.environ.get("DURAJOB_STORE")
    if variable:
        return _location(variable, _here(), UsageError, "DURAJOB_STORE")
    if file is not None:
        return store_in(file)
    folder = _xdg("XDG_DATA_HOME", ".local/share")
    if folder is None:
        raise UsageError(
            "there is no home folder to keep a store in: HOME is not set",
            hint="name a store with --store PATH or DURAJOB_STORE",
        )
    return _sqlite(folder / "durajob" / "durajob.db")


def store_in(file: Path) -> StoreLocation:
    """``[store] url``. A slip in this table is refused even here: it would be another store."""
    from durajob.config.toml import STORE_KEYS, read_document  # a store named by hand needs none

    document = read_document(file)
    table = document.tables.get("store", {})
    if not isinstance(table, dict):
        raise document.error(("store",), "must be a table", hint='[store], then url = "…"')
    for key in table:
        if key not in STORE_KEYS:
            raise document.unknown_key(("store", key), STORE_KEYS)
    url = table.get("url")
    if url is None:
        return _sqlite(file.parent / ".durajob" / "durajob.db")
    if not isinstance(url, str):
        raise document.error(("store", "url"), "must be a string", hint=STORE_RULE)
    return _location(url, file.parent, ConfigError, document.place(("store", "url")))


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def _location(
    text: str, folder: Path | None, refusal: type[DurajobError], place: str
) -> StoreLocation:
    """The store that ``text`` names; a relative path is taken from ``folder``."""
    scheme = _SCHEME.match(text)
    name = scheme[1].lower() if scheme else "sqlite"
    rest = text[scheme.end() :] if scheme else text
    if name in ("postgresql", "postgres"):
        raise refusal(
            f"{place}: PostgreSQL is not supported by this version yet",
            hint="use SQLite: sqlite:///absolute/path",
        )
    if name != "sqlite":
        raise refusal(f"{place}: no store is named {_shown(text)}", hint=STORE_RULE)
    if scheme and rest.startswith("//"):
        if not rest.startswith("///"):
            raise refusal(f"{place}: {_shown(text)} has a host or too few slashes", hint=STORE_RULE)
        rest = "/" + rest.lstrip("/")
    if scheme and ("?" in rest or "#" in rest):
        raise refusal(f"{place}: {_shown(text)}: options are not taken", hint=STORE_RULE)
    if not rest or rest.endswith(("/", "/.", "/..")) or rest in (".", "..", ":memory:"):
        raise refusal(f"{place}: {_shown(text)} names no file", hint=STORE_RULE)
    if "\0" in rest:
        raise refusal(f"{place}: {_shown(text)} holds a zero byte", hint=STORE_RULE)
    if rest.startswith("~/"):
        home = _home()
        if home is None:
            raise refusal(f"{place}: ~ means nothing: HOME is not set", hint=STORE_RULE)
        return _sqlite(home / rest[2:])
    path = Path(rest)
    if path.is_absolute():
        return _sqlite(path)
    if folder is None:
        raise refusal(
            f"{place}: {_shown(text)} is relative to a folder that no longer exists",
            hint="change to a folder that exists, or give an absolute path",
        )
    return _sqlite(folder / path)


def _shown(text: str) -> str:
    """``text`` for a message, without the password that a URL may carry, and not too long."""
    without = re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:…@", text)
    return repr(without if len(without) <= 200 else without[:199] + "…")


def _sqlite(path: Path) -> StoreLocation:
    return StoreLocation(path=path, url=f"sqlite://{path}")


def _absolute(text: str, source: str) -> Path:
    if "\0" in text:
        raise UsageError(f"{source}: {text!r} holds a zero byte", hint="name a file")
    path = Path(text)
    if path.is_absolute():
        return path
    here = _here()
    if here is None:
        raise UsageError(
            f"{source}: {text!r} is relative to a folder that no longer exists",
            hint="change to a folder that exists, or give an absolute path",
        )
    return here / path


def _here() -> Path | None:
    try:
        return Path.cwd()
    except OSError:
        return None


def _xdg(variable: str, below_home: str) -> Path | None:
    """The folder of the XDG base directory specification; a relative one is to be ignored."""
    value = os.environ.get(variable, "")
    if value.startswith("/"):
        return Path(value)
    home = _home()
    return home / below_home if home else None


def _home() -> Path | None:
    value = os.environ.get("HOME", "")
    if value.startswith("/"):
        return Path(value)
    import pwd  # only where HOME is missing

    try:
        entry = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    return Path(entry) if entry.startswith("/") else None
