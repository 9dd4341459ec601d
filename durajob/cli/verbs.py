"""The table of verbs, by what they are for; ``durajob --help`` lists it without an import."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One command. Its function is ``command`` in ``durajob.cli.<module>``."""

    module: str
    help: str
    examples: tuple[str, ...]


GROUPS: dict[str, dict[str, Verb]] = {
    "Drive": {
        "start": Verb(
            "start",
            "Start a workflow as a new thread and drive it to its end.",
            (
                "durajob start backup -i source=photos -i target=/mnt/backup",
                "durajob start nightly -t nightly-2026-11-22 -i retries:=3",
                "durajob start nightly --input-file order.json --timeout 2h",
            ),
        ),
        "resume": Verb(
            "resume",
            "Go on with a thread at the step that had not finished.",
            ("durajob resume nightly-2026-11-22", "durajob resume nightly-2026-11-22 --take-over"),
        ),
        "recover": Verb(
            "recover",
            "Resume every thread whose owner is gone, oldest first.",
            ("durajob recover", "durajob recover --dry-run", "durajob recover --wait --jobs 2"),
        ),
        "tick": Verb(
            "tick",
            "Begin what is due: slots, sleepers, what was interrupted.",
            ("durajob -f /srv/jobs/workflows.toml tick -q", "durajob tick --wait"),
        ),
    },
    "See": {
        "status": Verb(
            "status",
            "Show one thread whole, or how many there are of each status.",
            (
                "durajob status",
                "durajob status nightly-2026-11-22",
                "durajob status nightly-1 --json",
            ),
        ),
        "list": Verb(
            "list_threads",
            "List threads, newest first.",
            ("durajob list", "durajob list --status failed --status interrupted --since 1d"),
        ),
        "watch": Verb(
            "watch",
            "Watch a thread that another process drives, until it has ended.",
            ("durajob watch nightly-2026-11-22", "durajob watch nightly-2026-11-22 --json-lines"),
        ),
        "why": Verb(
            "why",
            "Say why a thread stands where it stands, and what moves it.",
            ("durajob why nightly-2026-11-22", "durajob why nightly-2026-11-22 --json"),
        ),
        "history": Verb(
            "history",
            "Show all that happened to a thread, in order.",
            (
                "durajob history nightly-2026-11-22",
                "durajob history nightly-2026-11-22 --tail 20 --full",
                "durajob history nightly-2026-11-22 --json-lines",
            ),
        ),
        "logs": Verb(
            "logs",
            "Show what the steps of a thread printed and logged.",
            (
                "durajob logs nightly-2026-11-22",
                "durajob logs nightly-2026-11-22 load --attempt 2 --tail 20",
                "durajob logs nightly-2026-11-22 -f",
            ),
        ),
        "timeline": Verb(
            "timeline",
            "Show when each attempt of a thread ran.",
            (
                "durajob timeline nightly-2026-11-22",
                "durajob timeline nightly-2026-11-22 --html run.html",
            ),
        ),
        "graph": Verb(
            "graph",
            "Draw the steps of a workflow, with a thread's progress on them.",
            ("durajob graph backup", "durajob graph nightly-2026-11-22 --format svg > run.svg"),
        ),
        "approvals": Verb(
            "approvals",
            "List the threads that wait for a person, with what they ask.",
            ("durajob approvals", "durajob approvals --json"),
        ),
        "metrics": Verb(
            "metrics",
            "Figures of the store, in Prometheus' text format.",
            (
                "durajob metrics",
                "durajob metrics -q --output /var/lib/prometheus/node-exporter/durajob.prom",
            ),
        ),
    },
    "By hand": {
        "answer": Verb(
            "answer",
            "Answer what a thread asks, and go on with it.",
            (
                "durajob answer invoices-2026-11 yes",
                "durajob answer invoices-2026-11 '{\"amount\": 40}' --no-resume",
            ),
        ),
        "cancel": Verb(
            "cancel",
            "End a thread for good, and undo what its steps have done.",
            ("durajob cancel order-17", 'durajob cancel order-17 --reason "ordered twice"'),
        ),
        "complete": Verb(
            "complete",
            "Say that a step was done by hand, with what it found out.",
            (
                "durajob complete nightly-2026-11-22 load -i rows:=1200 --reason 'loaded by hand'",
                "durajob complete photos 'resize[3]' --reason 'cropped it myself'",
            ),
        ),
        "skip": Verb(
            "skip",
            "Go on without a step.",
            ("durajob skip nightly-2026-11-22 report --reason 'nobody reads it on Sundays'",),
        ),
        "fork": Verb(
            "fork",
            "Make a new thread from the checkpoint before a step.",
            (
                "durajob fork nightly-2026-11-22 --from load -i limit:=500",
                "durajob fork poll-7 --from poll --visit 3 -t poll-7b",
            ),
        ),
    },
    "Keep": {
        "prune": Verb(
            "prune",
            "Delete threads that have ended, and spent checkpoints.",
            (
                "durajob prune --dry-run",
                "durajob prune --older-than 30d --status completed --yes",
            ),
        ),
        "export": Verb(
            "export",
            "Write threads to a file, to keep or to move them.",
            (
                "durajob export nightly-2026-11-22 -o nightly.export",
                "durajob export --all --no-logs -o threads.export",
            ),
        ),
        "import": Verb(
            "import_threads",
            "Import threads that were exported, into this store.",
            (
                "durajob import threads.export",
                "durajob --store other.db import threads.export --on-exists skip",
            ),
        ),
        "doctor": Verb(
            "doctor",
            "Check the store, the machine and the clock.",
            ("durajob doctor", "durajob --store /srv/jobs.db doctor --no-definitions"),
        ),
    },
    "Define": {
        "workflows": Verb(
            "workflows",
            "List the workflows that can be started.",
            ("durajob workflows", "durajob -f etl/workflows.toml workflows"),
        ),
        "validate": Verb(
            "validate",
            "Check every definition, or those named, by loading it.",
            ("durajob validate", "durajob validate nightly backup"),
        ),
        "schedule": Verb(
            "schedule",
            "Show what became of slots, which are to come; run past ones.",
            (
                "durajob schedule",
                "durajob schedule next -n 5",
                "durajob schedule backfill nightly --from 2026-11-01 --to 2026-11-22",
                "durajob schedule install --cron",
            ),
        ),
        "init": Verb(
            "init",
            "Write a starter workflows.toml with a runnable example.",
            ("durajob init", "durajob init etl"),
        ),
    },
}

VERBS: dict[str, Verb] = {name: verb for verbs in GROUPS.values() for name, verb in verbs.items()}
