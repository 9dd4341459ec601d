"""What a shell completes: commands, options, workflows, threads; and what it is told to do so.

The shell runs durajob with ``_DURAJOB_COMPLETE`` set, and the words up to the cursor as arguments.
It prints one candidate a line, as quickly as can be, and nothing at all when something is wrong:
nobody wants an error in the middle of a line that is being typed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

VARIABLE = "_DURAJOB_COMPLETE"
MOST = 50
"""Threads that are offered; the newest."""

_GLOBAL = ("-f", "--file", "--store", "--color", "--debug", "--version", "--json", "-q", "--help")
_WITH_VALUE = ("-f", "--file", "--store", "--color")
_THREADS = frozenset({"resume", "status", "logs", "history", "watch", "timeline", "why"})
_THREADS |= {"answer", "cancel", "complete", "skip", "fork", "export"}
_WORKFLOWS = frozenset({"start", "validate"})
_BOTH = frozenset({"graph"})
_BREAKS = ":="  # bash takes what stands after these for a word of its own

SCRIPTS = {
    "bash": """\
_durajob_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\\n'
    COMPREPLY=($(_DURAJOB_COMPLETE=bash durajob -- "$line" 2>/dev/null))
}
complete -o default -F _durajob_complete durajob
""",
    "zsh": """\
#compdef durajob
_durajob() {
    local -a found
    found=("${(@f)$(_DURAJOB_COMPLETE=zsh durajob -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    [[ -n "${found[*]}" ]] && compadd -- "${found[@]}" || _files
}
compdef _durajob durajob
""",
    "fish": """\
function __durajob_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (_DURAJOB_COMPLETE=fish durajob -- $words[2..] 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c durajob -f -a '(__durajob_complete)'
""",
}
"""What a person puts into the file that the shell reads at its start."""


def complete(shell: str, arguments: Sequence[str]) -> int:
    """Print the candidates for the last of the words; always 0."""
    try:
        given = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
        if shell == "bash":
            given = _words(given[0] if given else "")[1:]
        *before, last = given or [""]
        found = sorted({each for each in _candidates(before, last) if each.startswith(last)})
        if shell == "bash":
            cut = max(last.rfind(each) for each in _BREAKS) + 1
            found = [each[cut:] for each in found]
        os.write(1, "".join(f"{each}\n" for each in found).encode())
    except Exception:  # see above
        return 0
    return 0


def _words(line: str) -> list[str]:
    """The words of a line that may end within one, or within quotes."""
    words: list[str] = []
    word = quote = ""
    for each in line:
        if quote:
            quote, word = ("", word) if each == quote else (quote, word + each)
        elif each in "'\"":
            quote = each
        elif each.isspace():
            words, word = ([*words, word] if word else words), ""
        else:
            word += each
    return [*words, word]


def _candidates(before: Sequence[str], last: str) -> Iterator[str]:
    from durajob.cli.verbs import VERBS

    options: dict[str, str] = {}
    rest = list(before)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name in _WITH_VALUE:
            if not equals and not rest:
                yield from ("auto", "always", "never") if name == "--color" else ()
                return  # a file, which the shell knows
            options[name] = value if equals else rest.pop(0)
    if not rest:
        yield from _GLOBAL if last.startswith("-") else VERBS
        return
    verb, *own = rest
    if verb not in VERBS:
        return
    if last.startswith("-"):
        yield from _options(verb)
    elif own and own[-1] in ("-t", "--thread") and verb != "start":
        yield from _threads(options, last)
    elif own and own[-1] in ("-w", "--workflow"):
        yield from _workflows(options)
    elif own and own[-1] == "--status":
        from durajob.model import ThreadStatus

        yield from (each.value for each in ThreadStatus)
    elif verb == "validate" or not [word for word in own if not word.startswith("-")]:
        if verb in _WORKFLOWS | _BOTH:
            yield from _workflows(options)
        if verb in _THREADS | _BOTH:
            yield from _threads(options, last)


def _options(verb: str) -> Iterator[str]:
    from durajob.cli.app import build

    command = build().get_command(None, verb)
    for param in command.params:
        yield from (name for name in param.opts if name.startswith("--"))
    yield "--help"


def _workflows(options: dict[str, str]) -> Iterator[str]:
    from durajob.config.settings import load_settings
    from durajob.registry import Registry

    file = options.get("-f", options.get("--file"))
    settings = load_settings(file, options.get("--store"))
    yield from (each.name for each in Registry(settings.file).definitions())


def _threads(options: dict[str, str], prefix: str) -> Iterator[str]:
    from durajob.config.settings import load_settings
    from durajob.store.names import newest

    file = options.get("-f", options.get("--file"))
    settings = load_settings(file, options.get("--store"))
    yield from newest(settings.store.path, prefix, MOST)
