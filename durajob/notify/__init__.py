"""Telling others what becomes of threads: by commands, by pings of a monitor. Nothing that goes
wrong here is any trouble to a thread."""
