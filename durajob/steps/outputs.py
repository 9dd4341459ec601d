"""What a command has found out, from the file in which it wrote it down.

rows=2340                 text
done:=true                JSON
report<<END               lines, up to the word that follows
two lines
of text
END
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_BYTES = 10_000_000
_ENTRY = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,99})(<<|:=|=)(.*)", re.DOTALL)


def read_outputs(path: str) -> dict[str, Any]:
    """The outputs by name; later ones over earlier ones.

    Raises:
        ValueError: when the file is not in its form; the message names the line.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"$DURAJOB_OUTPUT cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"$DURAJOB_OUTPUT holds more than {MAX_BYTES:,} bytes")
    try:
        lines = iter(list(enumerate(data.decode("utf-8").split("\n"), 1)))
    except UnicodeDecodeError as error:
        raise ValueError(f"$DURAJOB_OUTPUT is not UTF-8 (byte {error.start})") from error
    outputs: dict[str, Any] = {}
    for number, line in lines:
        if not line.strip():
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            raise ValueError(
                f"line {number} of $DURAJOB_OUTPUT is neither key=text, key:=JSON nor key<<END: "
                f"{line[:80]!r}"
            )
        key, sign, rest = entry.groups()
        if sign == "=":
            outputs[key] = rest
        elif sign == ":=":
            outputs[key] = _json(number, rest)
        else:
            outputs[key] = _lines(number, rest.strip(), lines)
    return outputs


def _json(number: int, text: str) -> Any:
    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} of $DURAJOB_OUTPUT: {error}") from error


def _lines(number: int, end: str, lines: Any) -> str:
    if not end:
        raise ValueError(f"line {number} of $DURAJOB_OUTPUT: no word after <<")
    taken: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(taken)
        taken.append(line)
    raise ValueError(f"line {number} of $DURAJOB_OUTPUT: no line {end!r} ends what it begins")
