"""``notify``: who is told of what becomes of a workflow's threads, checked and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from durajob.config.specs import NotifySpec, PingSpec
from durajob.errors import ConfigError
from durajob.policies import NotifyPolicy

Refuse = Callable[[tuple[str, ...], str, str | None], ConfigError]
"""Makes the refusal of a key below ``notify``: its path, the problem, the way out."""

EVENTS = ("failed", "completed", "waiting", "interrupted", "missed")
KINDS = ("start", "success", "failure", "log")
TIMEOUT = 30.0
LONGEST_TIMEOUT = 600.0
LONGEST_COMMAND = 100_000

_SUFFIXES = {"start": "/start", "success": "", "failure": "/fail", "log": "/log"}
_COMMAND_EXAMPLE = "failed = \"mail -s 'a job failed' ops@example.org\""
_PING_EXAMPLE = 'ping = "https://hc-ping.com/…", or ping = { success = "https://…" }'


def check_notify(spec: NotifySpec, refuse: Refuse) -> None:
    """Refuse what can be told to nobody.

    Raises:
        ConfigError: made by ``refuse``.
    """
    for event in EVENTS:
        command = getattr(spec, event)
        if command is not None and "\0" in command:
            raise refuse((event,), "holds a zero byte", _COMMAND_EXAMPLE)
        if command is not None and len(command.encode()) > LONGEST_COMMAND:
            problem = f"is longer than {LONGEST_COMMAND:,} bytes"
            raise refuse((event,), problem, "put it into a script, and run that")
    if isinstance(spec.ping, PingSpec):
        for kind in KINDS:
            url = getattr(spec.ping, kind)
            if url is not None:
                _check_url(url, refuse, ("ping", kind))
    elif spec.ping:
        _check_url(spec.ping, refuse, ("ping",))
    if spec.timeout is not None and spec.timeout > LONGEST_TIMEOUT:
        raise refuse(("timeout",), "must be 10m at most", 'for example timeout = "30s"')


def notify_policy(
    workflow: str, defaults: NotifySpec, own: NotifySpec | None = None
) -> NotifyPolicy | None:
    """What holds for a workflow: key by key its own, else that of the defaults."""

    def said(key: str) -> Any:
        value = None if own is None else getattr(own, key)
        return getattr(defaults, key) if value is None else value

    commands = {event: command for event in EVENTS if (command := said(event))}
    ping, timeout = said("ping"), said("timeout")
    pings: dict[str, str] = {}
    method = "POST"
    if isinstance(ping, PingSpec):
        pings = {kind: url for kind in KINDS if (url := getattr(ping, kind))}
        method = ping.method
    elif ping:
        pings = {kind: _beneath(ping, suffix) for kind, suffix in _SUFFIXES.items()}
    if not commands and not pings:
        return None
    named = quote(workflow, safe="")
    return NotifyPolicy(
        commands=commands,
        pings={kind: url.replace("{workflow}", named) for kind, url in pings.items()},
        run_ids=isinstance(ping, str),
        method=method,
        timeout=timeout if isinstance(timeout, float) else TIMEOUT,
    )


def _beneath(url: str, suffix: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))


def _check_url(url: str, refuse: Refuse, key: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        raise refuse(key, "is no URL that can be pinged", _PING_EXAMPLE)
