"""Importing users' code: the objects that targets name, and one clear line when that fails.

A file is loaded as a module named after its path, the same in every process, because a stored
value names its class by module: what one process stored must come back as the same class in the
next. A file's own folder goes first on ``sys.path`` for the life of the process, as with
``python file.py``, since a workflow's files import one another, also while steps run. Modules
are looked for among what is installed and beside the workflows.toml; the current folder plays
no part.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from traceback import walk_tb
from types import CodeType, ModuleType
from typing import Any, TypeVar

from durajob.config.names import nearest
from durajob.config.target import Target
from durajob.errors import DurajobError, TargetError

T = TypeVar("T")

_LONGEST = 400
"""Characters of somebody's error message that are shown."""


def import_target(target: Target, base: Path | None) -> Any:
    """The object that ``target`` names; ``base`` is the folder of the workflows.toml.

    Raises:
        TargetError: when there is no such file, module or name, or importing it raises.
    """
    if target.file is not None:
        module = _import_file(Path(os.path.abspath((base or Path()) / target.file)), target)
    else:
        module = _import_module(target, base)
    value: Any = module
    for part in target.attribute.split("."):
        value = users(target, partial(getattr, value, part, _NOTHING))
        if value is _NOTHING:
            raise _no_such_name(target, part, module)
    return value


def module_name(path: Path) -> str:
    """The name under which the file at ``path`` (absolute) is a module, in every process."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return f"durajob_target_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)[:100]}_{digest}"


def users(target: Target, call: Callable[[], T]) -> T:
    """Call users' code: whatever it raises becomes a TargetError with the line to blame."""
    try:
        return call()
    except (KeyboardInterrupt, TargetError):
        raise
    except BaseException as error:  # an import may even raise SystemExit
        raise _raised(target, error) from error


@contextmanager
def contained() -> Iterator[None]:
    """While users' code is imported: what it prints goes to stderr, even from a program that
    it starts, and standard streams and working folder are afterwards what they were before."""
    out, err = sys.stdout, sys.stderr
    with suppress(AttributeError, OSError, ValueError):
        out.flush()
    with _stdout_to_stderr(), _same_folder():
        sys.stdout = err
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not err:
                    _replaced.append(stream)
                    with suppress(Exception):
                        stream.flush()
            sys.stdout, sys.stderr = out, err


_replaced: list[Any] = []
"""Streams that users' code put in the place of ours. When one that wraps our buffer is
collected, it closes that buffer."""

_NOTHING = object()


class _Source(SourceFileLoader):
    """Always from the source: a cached compilation is told by whole seconds and by size, and a
    fix made right after a failure may differ in neither."""

    def get_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import_file(path: Path, target: Target) -> ModuleType:
    name = module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise _no_such_file(path)
    loader = _Source(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None  # only for loaders that cannot tell whether they hold a package
    module = importlib.util.module_from_spec(spec)
    _put_on_path(path.parent)
    sys.modules[name] = module
    try:
        users(target, lambda: loader.exec_module(module))
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _import_module(target: Target, base: Path | None) -> ModuleType:
    name = target.module or ""
    if base is not None:
        _put_on_path(base)
    try:
        return users(target, lambda: importlib.import_module(name))
    except TargetError as error:
        cause = error.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if missing is None or not f"{name}.".startswith(f"{missing}."):
            raise
        file = Path(*name.split(".")).with_suffix(".py")
        raise TargetError(
            f"{target}: there is no module {missing!r}",
            hint=f"if it is a file, write ./{file}:{target.attribute}; "
            f"a package must be installed for {sys.executable}",
        ) from cause


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _no_such_file(path: Path) -> TargetError:
    if path.is_dir():
        return TargetError(
            f"{path}: is a folder", hint="name the file in it: ./folder/file.py:name"
        )
    try:
        near = nearest(path.name, (other.name for other in path.parent.glob("*.py")))
    except OSError:
        near = None
    hint = (
        f"did you mean {near}?" if near else "a path is relative to its workflows.toml, or to here"
    )
    return TargetError(f"{path}: there is no such file", hint=hint)


def _no_such_name(target: Target, part: str, module: ModuleType) -> TargetError:
    known = [name for name in vars(module) if not name.startswith("_")]
    near = nearest(part, known)
    hint = f"did you mean {near!r}?" if near else "name the graph, or a function that returns it"
    return TargetError(f"{target}: there is no {part!r} in it", hint=hint)


def _raised(target: Target, error: BaseException) -> TargetError:
    place = _place(error)
    where = f"{target}: {place}" if place else str(target)
    if isinstance(error, SystemExit):
        return TargetError(
            f"{where}: exits while it is imported (exit status {error.code})",
            hint='keep what a script does under: if __name__ == "__main__":',
        )
    return TargetError(f"{where}: {type(error).__name__}: {_said(error)}", hint=_way_out(error))


def _way_out(error: BaseException) -> str:
    if isinstance(error, DurajobError) and error.hint:
        return error.hint
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install {error.name.partition('.')[0]!r} for {sys.executable}"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "a file within a package is named by its module: package.module:name"
    return "mend that line; durajob validate tries it again"


def _said(error: BaseException) -> str:
    try:
        said = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # a broken __str__ of somebody's exception
        return "(it cannot say what)"
    line = " ".join(said.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _place(error: BaseException) -> str | None:
    """File and line of the innermost frame that is the user's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith("<frozen")
        and frame.f_code.co_filename != __file__
    ]
    own = [(name, line) for name, line in frames if is_users(name)] or frames
    return f"{own[-1][0]}:{own[-1][1]}" if own else None


_NOT_THE_USERS = (
    *{sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parents[1]) + os.sep,
)


def is_users(file: str) -> bool:
    """Whether a source file is the user's own: not Python's, not installed, not durajob's."""
    return not file.startswith(_NOT_THE_USERS)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    try:
        saved = os.dup(1)
    except OSError:  # no standard output at all
        yield
        return
    try:
        with suppress(OSError):  # no standard error
            os.dup2(2, 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


@contextmanager
def _same_folder() -> Iterator[None]:
    """A thread's steps run in the folder that it was started in, whatever an import did."""
    try:
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_PATH", 0))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.fchdir(folder)
        os.close(folder)
