"""Messages between the owner and a worker: pickles behind their length, on a socket of their own.

Both ends are processes of one user that run the same code, so pickle adds no trust that is not
there; nothing of this is ever stored.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

_LENGTH = struct.Struct("<Q")
_CHUNK = 1 << 20
_CHUNKS = 16  # at a time: who listens has the clock to look at, too


def send(channel: socket.socket, message: tuple[Any, ...], descriptors: Sequence[int] = ()) -> None:
    """Send one message, with descriptors that come along. The caller keeps others from sending."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    if descriptors:
        socket.send_fds(channel, [_LENGTH.pack(len(data))], list(descriptors))
    else:
        channel.sendall(_LENGTH.pack(len(data)))
    channel.sendall(data)


def receive(channel: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """Wait for one message.

    Raises:
        EOFError: when the other side has gone.
    """
    header, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, 1)
    while len(header) < _LENGTH.size:
        header += _some(channel, _LENGTH.size - len(header))
    left, parts = _LENGTH.unpack(header)[0], []
    while left:
        parts.append(_some(channel, min(left, _CHUNK)))
        left -= len(parts[-1])
    return pickle.loads(b"".join(parts)), descriptors


class Inbox:
    """Messages put together from what has come so far, without ever waiting for the rest."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._data = bytearray()

    def take(self) -> Iterator[tuple[Any, ...]]:
        """The messages that are there.

        Raises:
            EOFError: after the last one, when the other side has gone.
        """
        ended = False
        for _ in range(_CHUNKS):
            try:
                data = self._channel.recv(_CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            self._data += data
            if not data:
                ended = True
                break
        while len(self._data) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._data)[0]
            if len(self._data) < end:
                break
            message = pickle.loads(memoryview(self._data)[_LENGTH.size : end])
            del self._data[:end]
            yield message
        if ended:
            raise EOFError


def _some(channel: socket.socket, size: int) -> bytes:
    data = channel.recv(size)
    if not data:
        raise EOFError
    return data
