"""Every statement on the ledger of slots, by name."""

from durajob.store.queries import LAST_CLAIM_OF_THREAD
from durajob.store.read_queries import THREAD_COLUMNS

# Looked up by file or status, not by workflow: of one there may be many rows that have ended.
_AMONG = "AND (:among IS NULL OR +workflow IN (SELECT value FROM json_each(:among)))"

STAMP = "SELECT stamp FROM ticked_files WHERE file = ?"
SET_STAMP = "INSERT OR REPLACE INTO ticked_files (file, stamp) VALUES (?, ?)"
# A watermark in the future: the clock was set back.
DUE = "SELECT workflow FROM schedules WHERE file = :file AND (due_at <= :now OR watermark > :now)"
SCHEDULES = f"""
SELECT workflow, times, watermark, due_at FROM schedules WHERE file = :file {_AMONG}"""
KEEP = """
INSERT OR REPLACE INTO schedules (file, workflow, times, watermark, due_at)
VALUES (:file, :workflow, :times, :watermark, :due_at)"""
FORGET = "DELETE FROM schedules WHERE file = ? AND workflow = ?"

# A slot's row is written once. Only one that was not run, or is only queued, may be written anew:
# by whoever runs it after all.
RECORD = """
INSERT INTO slots (file, workflow, slot, shown, due_at, outcome, reason, thread, handled_at,
                   handled_by, asked_by, told, slots, until)
VALUES (:file, :workflow, :slot, :shown, :due_at, :outcome, :reason, :thread, :handled_at,
        :handled_by, :asked_by, :outcome IN ('skipped', 'missed'), :slots, :until)
ON CONFLICT (workflow, slot) DO UPDATE SET file = :file, outcome = :outcome, reason = :reason,
    thread = :thread, handled_at = :handled_at, handled_by = :handled_by,
    asked_by = :asked_by, told = :outcome IN ('skipped', 'missed')
WHERE outcome <> 'started' AND until IS NULL"""
HANDLED = """
SELECT slot, until FROM slots WHERE workflow = :workflow AND slot BETWEEN :first AND :last
UNION ALL
SELECT slot, until FROM slots WHERE workflow = :workflow AND until >= :first AND slot < :first"""
# What a tick of the future has entered as not run, of slots that are still to come.
UNDUE = """
DELETE FROM slots WHERE workflow = :workflow AND slot > :now AND outcome IN ('missed', 'skipped')"""
RANGES = """
SELECT id, slot FROM slots WHERE workflow = :workflow AND slot <= :now AND until > :now"""
SHORTEN = "UPDATE slots SET slots = ?, until = ? WHERE id = ?"
FORGOTTEN_UNTIL = "SELECT value FROM meta WHERE key = 'slots_until:' || ?"
OUTCOMES = """
SELECT slot, outcome FROM slots WHERE workflow = :workflow AND slot BETWEEN :first AND :last"""
# What a backfill has queued lets what a tick has queued go before it.
QUEUED = """
SELECT workflow, slot, shown, due_at, handled_by, asked_by,
       min(slot + (handled_by = 'backfill') * 1000000000000000000)
FROM slots WHERE outcome = 'queued' AND file = ? GROUP BY workflow"""
IS_QUEUED = """
SELECT 1 FROM slots WHERE outcome = 'queued' AND workflow = ? AND handled_by <> 'backfill'"""
ANY_QUEUED = "SELECT 1 FROM slots WHERE outcome = 'queued' AND file = ? LIMIT 1"
SLOTS = """
SELECT slots.workflow, shown, due_at, slots.outcome, reason, slots.thread, handled_at, handled_by,
       slots, until, threads.id, threads.status, threads.owner
FROM slots LEFT JOIN threads ON threads.thread = slots.thread"""

ROW_OF = "SELECT id FROM threads WHERE thread = ?"
LOOKED_AT_RETENTION = """
SELECT max(value) FROM meta WHERE key IN ('pruned_at', 'retention_at')"""
WHOSE = "SELECT workflow, slot, status FROM threads WHERE thread = ?"
_UNFINISHED = "status IN ('pending', 'running', 'sleeping', 'waiting', 'stopped')"
ACTIVE = f"""
SELECT workflow, thread, status, id, owner,
       EXISTS (SELECT 1 FROM slots WHERE slots.thread = threads.thread AND slots.told = 0
               AND handled_by = 'backfill')
FROM threads WHERE {_UNFINISHED} AND slot IS NOT NULL {_AMONG} ORDER BY id"""
UNFINISHED = f"""
SELECT {THREAD_COLUMNS},
       (SELECT handled_by FROM slots WHERE slots.thread = threads.thread
        AND slots.workflow = threads.workflow AND slots.told = 0),
       (SELECT retry_at FROM refusals WHERE refusals.thread_id = threads.id
        AND refusals.epoch = threads.epoch)
FROM threads LEFT JOIN origins ON origins.thread_id = threads.id
WHERE {_UNFINISHED} AND (wake_at IS NULL OR wake_at <= :now OR status = 'waiting')
ORDER BY threads.id"""
# Of a thread whose owner is gone: when its next attempt is due, if it died between two attempts.
BACKOFF = """
SELECT iif((SELECT count(*) FROM attempts WHERE thread_id = :id AND status = 'running'), NULL, (
    SELECT min(due_at) FROM attempts AS last WHERE thread_id = :id AND due_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM attempts AS next WHERE next.thread_id = :id
        AND next.superstep = last.superstep AND next.key = last.key
        AND next.attempt > last.attempt)))"""

UNTOLD = f"""
SELECT entry, {THREAD_COLUMNS}
FROM (SELECT id AS entry, thread AS its FROM slots WHERE told = 0 AND outcome = 'started')
LEFT JOIN threads ON threads.thread = its
LEFT JOIN origins ON origins.thread_id = threads.id
WHERE threads.status IS NULL OR threads.status NOT IN ('pending', 'sleeping', 'waiting')"""
# A thread that may be interrupted; its claim, or a tick before, notes that for whom it concerns.
RUNNING_UNTOLD = f"""
SELECT {THREAD_COLUMNS} FROM threads LEFT JOIN origins ON origins.thread_id = threads.id
WHERE threads.status = 'running' AND NOT EXISTS (
    SELECT 1 FROM notifications AS told WHERE told.thread_id = threads.id
    AND told.epoch = {LAST_CLAIM_OF_THREAD} AND told.name = 'interrupted')"""
TOLD = "UPDATE slots SET told = 1 WHERE id = ?"

REFUSE = """
INSERT INTO refusals (thread_id, epoch, times, retry_at, error)
SELECT id, epoch, 1, :now + 60000000, :error FROM threads WHERE thread = :thread
ON CONFLICT (thread_id) DO UPDATE SET
    times = iif(epoch = excluded.epoch, times + 1, 1),
    retry_at = iif(epoch = excluded.epoch,
        :now + min(3600000000, 60000000 * (1 << min(times, 6))), excluded.retry_at),
    told = iif(epoch = excluded.epoch, told, 0), epoch = excluded.epoch, error = :error"""
UNTOLD_REFUSALS = """
SELECT thread_id, thread, refusals.error FROM refusals
JOIN threads ON threads.id = thread_id WHERE told = 0"""
REFUSAL_TOLD = "UPDATE refusals SET told = 1 WHERE thread_id = ?"
