"""The tables of a SQLite store, and how an older store becomes today's.

``threads`` has one row a thread: where it stands (status, next, the pointer to its latest
checkpoint) and who drives it (owner, epoch). Its row id is never reused: it is the byte that
an owner locks (``locks``). Every commit updates the row, so it is small; what was asked for,
which may be large (input, the definition's shape), stands in ``origins``.

``attempts`` has one row a try of a step; ``results`` holds what a finished step returned
until the checkpoint that contains it is stored. Together they are the ledger: a step has
finished when the commit that marks its attempt ``succeeded`` and stores its result returned.

``effects`` has one row for each thing that a step did to the outside world through ``once``,
``questions`` one for each thing that a step asked of a person, with the answer.

``named_locks`` gives each lock that steps name a number, and with it bytes of the lock file
that are its alone; ``lock_turns`` says who waits for one or holds it, and since when. Whether
that is still so the kernel says (``named``). ``sleeps`` holds when a step's sleep is over.

``compensations`` has one row for each finished step whose compensation may still be due: it is
written by the commit that finishes the step, and goes with the one that finishes the
compensation. ``interventions`` keeps what people did by hand, for ``history``; ``claims`` who
drove the thread, one row for each epoch, and how they left it.

``notifications`` has one row for each thing that somebody is to be told of, written by the commit
that makes it so (``notifications`` says how they are delivered).

``slots`` is the ledger of schedules: one row for each slot, written with the thread that it
starts. ``schedules`` says how far each schedule has been followed, and when its next slot is due,
so that a tick with nothing to do reads no workflows.toml; ``refusals`` which threads could not be
resumed by themselves, and when that is tried again.

``checkpoints`` and ``writes`` are LangGraph's own (langgraph-checkpoint-sqlite 3.1).

``crc`` is the checksum of a row (``seals``), NULL where version 1 wrote it. A row that is copied
to another thread is copied without it.

``meta`` holds the store's id and ``commits``, which grows with every durable commit.
"""

from __future__ import annotations

from typing import Any

APPLICATION_ID = 0x64_6A_6F_62  # "djob"

MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('store_id', lower(hex(randomblob(16)))), ('commits', 0);

CREATE TABLE threads (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    thread        TEXT NOT NULL UNIQUE,
    workflow      TEXT NOT NULL,
    status        TEXT NOT NULL,
    epoch         INTEGER NOT NULL DEFAULT 0,
    resumes       INTEGER NOT NULL DEFAULT 0,  -- since a step last finished
    checkpoint_id TEXT,
    superstep     INTEGER NOT NULL DEFAULT -1,
    next          TEXT NOT NULL DEFAULT '[]',  -- JSON: [[step, null or ranges of branches], …]
    done          INTEGER NOT NULL DEFAULT 0,
    total         INTEGER,
    error         TEXT,
    waiting       TEXT,
    wake_at       INTEGER,
    slot          TEXT,
    parent        TEXT,
    owner         TEXT,            -- JSON: host, pid, its start time, boot id, since
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    updated_at    INTEGER NOT NULL,
    finished_at   INTEGER
);
CREATE INDEX threads_by_status ON threads (status, id);
CREATE INDEX threads_by_workflow ON threads (workflow, id);

CREATE TABLE origins (
    thread_id   INTEGER PRIMARY KEY,
    input       TEXT NOT NULL,     -- JSON object
    definition  TEXT NOT NULL,     -- JSON: where the workflow was defined
    shape       TEXT NOT NULL,     -- JSON: step names, edges and state schema
    fingerprint TEXT NOT NULL,     -- hash of the shape
    environment TEXT NOT NULL      -- JSON: working folder, PATH, interpreter, version
);

CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    thread_id   INTEGER NOT NULL,
    superstep   INTEGER NOT NULL,  -- of the top level
    key         TEXT NOT NULL,     -- the place in the run
    step        TEXT NOT NULL,     -- the name that people see
    visit       INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    status      TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    seconds     REAL,
    error       TEXT,              -- JSON
    is_last     INTEGER NOT NULL DEFAULT 0,  -- it failed, and no retry followed by itself
    due_at      INTEGER,           -- when the attempt after it is due
    progress    TEXT               -- JSON
);
CREATE UNIQUE INDEX attempts_by_place ON attempts (thread_id, superstep, key, attempt);

CREATE TABLE results (
    thread_id INTEGER NOT NULL,
    ns        TEXT NOT NULL,       -- checkpoint namespace of the graph the step belongs to
    key       TEXT NOT NULL,
    type      TEXT NOT NULL,
    value     BLOB NOT NULL,
    PRIMARY KEY (thread_id, key)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    thread_id            TEXT NOT NULL,
    checkpoint_ns        TEXT NOT NULL DEFAULT '',
    checkpoint_id        TEXT NOT NULL,
    parent_checkpoint_id TEXT,
    type                 TEXT,
    checkpoint           BLOB,
    metadata             BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);
CREATE TABLE writes (
    thread_id     TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL,
    task_id       TEXT NOT NULL,
    task_path     TEXT NOT NULL DEFAULT '',
    idx           INTEGER NOT NULL,
    channel       TEXT NOT NULL,
    type          TEXT,
    value         BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);
""",
    """
ALTER TABLE origins ADD COLUMN crc INTEGER;
ALTER TABLE results ADD COLUMN crc INTEGER;
ALTER TABLE origins ADD COLUMN claim_crc INTEGER;     -- of what each claim says anew
ALTER TABLE origins ADD COLUMN claim_epoch INTEGER;   -- the epoch that claim_crc is of
ALTER TABLE checkpoints ADD COLUMN crc INTEGER;
ALTER TABLE writes ADD COLUMN crc INTEGER;
ALTER TABLE checkpoints ADD COLUMN next_crc INTEGER;  -- of the row in threads that points here
CREATE TABLE effects (
    thread_id   INTEGER NOT NULL,
    place       TEXT NOT NULL,     -- in the run: the key of the step's attempts
    name        TEXT NOT NULL,
    key         TEXT NOT NULL,     -- the idempotency key
    step        TEXT NOT NULL,     -- the name that people see
    status      TEXT NOT NULL,     -- begun, failed (by its own word) or done
    times       INTEGER NOT NULL,  -- how often it was begun
    attempt     INTEGER NOT NULL,  -- that began it last
    begun_at    INTEGER NOT NULL,
    finished_at INTEGER,
    type        TEXT NOT NULL DEFAULT 'null',
    value       BLOB NOT NULL DEFAULT x'',
    crc         INTEGER NOT NULL,
    PRIMARY KEY (thread_id, place, name)
);

-- Of an abandoned attempt: how often in a row, with this time, one at its place was in flight
-- when a process died that a step may have killed; and whether nothing ran beside the last.
ALTER TABLE attempts ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;

ALTER TABLE attempts ADD COLUMN max_attempts INTEGER;  -- the last number that retries may reach

CREATE TABLE named_locks (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE lock_turns (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    lock_id   INTEGER NOT NULL,
    thread_id INTEGER NOT NULL,
    step      TEXT NOT NULL,
    pid       INTEGER NOT NULL,
    limited   INTEGER NOT NULL,    -- to so many holders
    since     INTEGER NOT NULL,
    seat      INTEGER,             -- null while it waits
    held_at   INTEGER
);

CREATE TABLE sleeps (
    thread_id INTEGER NOT NULL,
    key       TEXT NOT NULL,       -- the place in the run
    number    INTEGER NOT NULL,    -- 0: the step's delay; else the step's first, second, … sleep
    wake_at   INTEGER NOT NULL,
    slept     INTEGER NOT NULL DEFAULT 0,
    since     INTEGER NOT NULL,
    PRIMARY KEY (thread_id, key, number)
) WITHOUT ROWID;

CREATE TABLE questions (
    id          INTEGER PRIMARY KEY,
    thread_id   INTEGER NOT NULL,
    question    TEXT NOT NULL,     -- the id that people see
    place       TEXT NOT NULL,     -- in the run: the key of the step's attempts
    superstep   INTEGER NOT NULL,  -- of the top level
    name        TEXT NOT NULL,     -- which of the step's questions
    step        TEXT NOT NULL,     -- the name that people see
    prompt      TEXT NOT NULL,     -- JSON
    schema      TEXT,              -- JSON Schema that the answer must fit
    asked_at    INTEGER NOT NULL,
    expires_at  INTEGER,
    on_expiry   TEXT,              -- JSON: {"answer": …}; null: the step fails
    status      TEXT NOT NULL,     -- open, answered, expired, closed
    answer      TEXT,              -- JSON
    answered_at INTEGER,
    answered_by TEXT               -- a user of the operating system; null: it expired
);
CREATE UNIQUE INDEX questions_by_place ON questions (thread_id, place, name);
CREATE UNIQUE INDEX questions_by_id ON questions (thread_id, question);

ALTER TABLE threads ADD COLUMN outcome TEXT;          -- null, compensating or compensated
ALTER TABLE threads ADD COLUMN cause TEXT;            -- JSON: the failure that is compensated
ALTER TABLE threads ADD COLUMN cancel_epoch INTEGER;  -- a person wants it cancelled; the epoch then

CREATE TABLE compensations (
    id          INTEGER PRIMARY KEY,  -- in the order of finishing
    thread_id   INTEGER NOT NULL,
    key         TEXT NOT NULL,        -- the step's place in the run
    node        TEXT NOT NULL,        -- the step whose policy names the function
    step        TEXT NOT NULL,        -- the name that people see
    visit       INTEGER NOT NULL,
    state_type  TEXT NOT NULL,        -- what the step was given
    state       BLOB NOT NULL,
    result_type TEXT NOT NULL,        -- what it returned
    result      BLOB NOT NULL,
    crc         INTEGER
);
CREATE INDEX compensations_by_thread ON compensations (thread_id, id);

CREATE TABLE interventions (
    id        INTEGER PRIMARY KEY,
    thread_id INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    user      TEXT NOT NULL,
    verb      TEXT NOT NULL,
    step      TEXT,
    reason    TEXT,
    details   TEXT,                   -- JSON object
    superstep INTEGER NOT NULL        -- in which the thread was then
);
CREATE INDEX interventions_by_thread ON interventions (thread_id, id);

CREATE TABLE claims (
    thread_id      INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    superstep      INTEGER NOT NULL,  -- with which it began
    at             INTEGER NOT NULL,
    host           TEXT NOT NULL,
    pid            INTEGER NOT NULL,
    left_at        INTEGER,           -- null: it drives the thread, or has died
    left_superstep INTEGER,
    status         TEXT,              -- of the thread, as it was left
    reason         TEXT,              -- of a stop: a signal's name, or timeout
    wake_at        INTEGER,
    error          TEXT,              -- JSON
    PRIMARY KEY (thread_id, epoch)
) WITHOUT ROWID;
-- For the overview: what ended lately, and what wakes next.
CREATE INDEX threads_by_end ON threads (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX threads_by_wake ON threads (wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE notifications (
    id         INTEGER PRIMARY KEY,
    event      TEXT NOT NULL,      -- one id for one event, however it is told of
    means      TEXT NOT NULL,      -- command or ping
    name       TEXT NOT NULL,      -- started, completed, failed, waiting, stopped, …
    workflow   TEXT NOT NULL,
    thread_id  INTEGER,            -- null: of a slot that no thread was started for
    epoch      INTEGER,            -- of the owner whose run it was
    definition TEXT NOT NULL,      -- JSON: where it is said who is told
    details    TEXT NOT NULL,      -- JSON object
    at         INTEGER NOT NULL,
    status     TEXT NOT NULL,      -- open, sent, dropped or given_up
    tries      INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER,            -- null once it is not open any more
    error      TEXT,               -- why the last try failed
    ended_at   INTEGER
);
CREATE UNIQUE INDEX notifications_by_event ON notifications (event, means);
CREATE INDEX notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notifications_by_thread ON notifications (thread_id);

CREATE TABLE ticked_files (
    file  TEXT PRIMARY KEY,          -- a workflows.toml, as ticks name it
    stamp TEXT NOT NULL              -- what it was when its schedules were last taken over
) WITHOUT ROWID;
CREATE TABLE schedules (
    file      TEXT NOT NULL,
    workflow  TEXT NOT NULL,
    times     TEXT NOT NULL,         -- JSON: what its slots follow from
    watermark INTEGER NOT NULL,      -- every slot up to here is in the ledger
    due_at    INTEGER,               -- when the next one is due; null: there is none
    PRIMARY KEY (file, workflow)
) WITHOUT ROWID;
CREATE TABLE slots (
    id         INTEGER PRIMARY KEY,
    file       TEXT,                 -- the workflows.toml with its schedule
    workflow   TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    shown      TEXT NOT NULL,        -- the slot in the time zone of its schedule
    due_at     INTEGER NOT NULL,
    outcome    TEXT NOT NULL,        -- queued, started, skipped or missed
    reason     TEXT,
    thread     TEXT,
    handled_at INTEGER NOT NULL,
    handled_by TEXT NOT NULL,        -- tick, hand or backfill
    asked_by   TEXT,                 -- of a backfill: a user of the operating system
    told       INTEGER NOT NULL,     -- whether nothing of it is left to be told
    slots      INTEGER NOT NULL DEFAULT 1,  -- that the row stands for
    until      INTEGER               -- the last of them
);
CREATE UNIQUE INDEX slots_by_time ON slots (workflow, slot);
CREATE INDEX slots_by_range ON slots (workflow, until) WHERE until IS NOT NULL;
CREATE INDEX slots_untold ON slots (thread) WHERE told = 0;
CREATE INDEX slots_queued ON slots (workflow, slot) WHERE outcome = 'queued';
CREATE TABLE refusals (
    thread_id INTEGER PRIMARY KEY,
    epoch     INTEGER NOT NULL,
    times     INTEGER NOT NULL,      -- in a row, at this epoch
    retry_at  INTEGER NOT NULL,
    error     TEXT NOT NULL,         -- JSON: code, message, hint
    told      INTEGER NOT NULL DEFAULT 0
);
""",
)
"""One script for each version; the first makes version 1. A script only adds, so that an
older durajob which is driving a thread meanwhile finds all that it knows."""

VERSION = len(MIGRATIONS)


def migrate(connection: Any, scripts: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring the store to version ``len(scripts)``, each step in one transaction.

    The caller holds the store's migration lock.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number in range(version, len(scripts)):
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{scripts[number]}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number + 1};\nCOMMIT;"
        )
