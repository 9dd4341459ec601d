"""A notification that is a ping: an HTTP request to a monitor that watches cron jobs."""

from __future__ import annotations

import threading
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from durajob import __version__
from durajob.durations import format_duration
from durajob.notify.message import Message


def send_ping(
    url: str, message: Message, *, run_id: bool, method: str, timeout: float
) -> str | None:
    """Ping ``url`` with the message's body; why that failed, None when it did not."""
    host = urlsplit(url).hostname
    if run_id:
        url += f"{'&' if urlsplit(url).query else '?'}rid={message.run}"
    request = Request(
        url,
        method=method,
        data=message.body.encode("utf-8", "replace") if method == "POST" else None,
        headers={
            "User-Agent": f"durajob/{__version__}",
            "Content-Type": "text/plain; charset=utf-8",
            "Idempotency-Key": message.event,
        },
    )
    said: list[str | None] = []
    # The library's timeout is that of each read; a server that dribbles would hold it for ever.
    worker = threading.Thread(
        target=lambda: said.append(_send(request, timeout)), name="durajob ping", daemon=True
    )
    worker.start()
    worker.join(timeout)
    if not said:
        return f"{host} did not answer within {format_duration(timeout)}"
    return None if said[0] is None else f"{host}: {said[0]}"


def _send(request: Request, timeout: float) -> str | None:
    try:
        with urlopen(request, timeout=timeout) as answer:
            answer.read(1000)
    except HTTPError as error:
        with error:
            return f"HTTP {error.code} {error.reason}"
    except URLError as error:
        return str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None
