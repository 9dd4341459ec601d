"""Reading one thread, as most commands that name one begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from durajob.config.settings import Settings
from durajob.errors import NoStore, ThreadNotFound
from durajob.store.read import Reader


@contextmanager
def reading(thread: str, settings: Settings) -> Iterator[tuple[Reader, str]]:
    """The store at one instant, and the id of the thread that ``thread`` begins.

    Raises:
        ThreadNotFound, AmbiguousThread: when it names none, or several.
    """
    try:
        with Reader(settings.store.path) as reader:
            yield reader, reader.resolve(thread)
    except NoStore as error:
        raise ThreadNotFound(f"no thread {thread!r}: {error}", hint="durajob list") from error
