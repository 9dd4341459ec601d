"""Every statement durajob runs on its own tables, by name."""

# Looked up as they are at each commit, not by going through all.
IDENTITY = """
SELECT (SELECT value FROM meta WHERE key = 'store_id'),
       (SELECT value FROM meta WHERE key = 'commits')"""
STORE_ID = "SELECT value FROM meta WHERE key = 'store_id'"

# A durable commit: counted in the transaction that it counts.
COUNT_COMMIT = "UPDATE meta SET value = value + 1 WHERE key = 'commits' RETURNING value"

# The fence: no row changed means that this owner has lost the thread.
# With it go the steps that the transaction finishes.
FENCE = """
UPDATE threads SET updated_at = ?, done = done + ?, resumes = iif(?, 0, resumes)
WHERE id = ? AND epoch = ?"""

# A thread is admitted: status pending, no owner. Nothing happens if the id is taken.
ADMIT = """
INSERT INTO threads (thread, workflow, status, next, total, slot, created_at, updated_at)
VALUES (:thread, :workflow, 'pending', :next, :total, :slot, :now, :now)
ON CONFLICT (thread) DO NOTHING RETURNING id"""
ADMIT_ORIGIN = """
INSERT INTO origins (thread_id, input, definition, shape, fingerprint, environment, crc,
                     claim_crc, claim_epoch)
VALUES (:id, :input, :definition, :shape, :fingerprint, :environment, :crc, :claim_crc, 0)"""

# pending, interrupted, stopped, failed, sleeping, waiting -> running, with the next epoch.
# The claimer holds the thread's lock, so nobody else can be about to do the same.
CLAIM = """
UPDATE threads SET status = 'running', epoch = epoch + 1, owner = :owner, error = NULL,
       resumes = CASE WHEN :reset THEN 0 WHEN started_at IS NULL THEN 0
           WHEN status = 'sleeping' THEN resumes ELSE resumes + 1 END,
       started_at = coalesce(started_at, :now), updated_at = :now, wake_at = NULL,
       total = :total
WHERE id = :id AND status NOT IN ('completed', 'cancelled') AND outcome IS NOT 'compensated'
RETURNING epoch, cancel_epoch IS NOT NULL"""
CLAIM_ORIGIN = """
UPDATE origins SET definition = :definition, shape = :shape, fingerprint = :fingerprint,
       environment = :environment, claim_crc = :claim_crc, claim_epoch = :epoch
WHERE thread_id = :id"""
# Supersteps are numbered from -1, at which the input is stored.
NOTE_CLAIM = """
INSERT OR REPLACE INTO claims (thread_id, epoch, superstep, at, host, pid)
SELECT id, epoch, iif(checkpoint_id IS NULL, -1, superstep + 1), :now, :host, :pid
FROM threads WHERE id = :id"""
NOTE_LEFT = """
UPDATE claims SET left_at = :now, status = :left, reason = :reason, wake_at = :wake_at,
       error = :error, left_superstep = (SELECT superstep + 1 FROM threads WHERE id = :id)
WHERE thread_id = :id AND epoch = :epoch"""

# Attempts of an owner that is gone: their process died. Where a step may have killed it
# (:counts), each of them may be the one; what ended otherwise leaves the count as it was.
IN_FLIGHT = "SELECT count(*) FROM attempts WHERE thread_id = :id AND status = 'running'"
ABANDON = """
UPDATE attempts SET status = 'abandoned', finished_at = coalesce(finished_at, :now),
       (crashes, alone) = (
           SELECT coalesce(max(before.crashes), 0) + :counts,
                  CASE WHEN :counts THEN :alone ELSE coalesce(max(before.alone), 0) END
           FROM attempts AS before
           WHERE before.thread_id = attempts.thread_id
             AND before.superstep = attempts.superstep AND before.key = attempts.key
             AND before.attempt = attempts.attempt - 1)
WHERE thread_id = :id AND status = 'running'"""

# A person says that the cause is mended: what was counted is counted no more.
FORGIVE_CRASHES = "UPDATE attempts SET crashes = 0 WHERE thread_id = :id AND crashes > 0"

# running -> where it ended or stopped. The fence has checked the epoch.
# Of a thread that is compensated, a person's wish to cancel it makes a cancelled one.
FINISH = """
UPDATE threads SET error = :error, waiting = :waiting, wake_at = :wake_at,
       status = iif(:outcome IS NOT NULL AND cancel_epoch IS NOT NULL, 'cancelled', :status),
       outcome = coalesce(:outcome, outcome),
       owner = NULL, updated_at = :now, finished_at = CASE WHEN :ended THEN :now END,
       next = CASE WHEN :ended THEN '[]' ELSE next END
WHERE id = :id RETURNING status"""

END_ATTEMPTS = """
UPDATE attempts SET status = :status, finished_at = :now,
       seconds = coalesce(seconds, (:now - started_at) / 1e6)
WHERE thread_id = :id AND status = 'running'"""

# A checkpoint was stored: the thread's row points at it.
POINT = "UPDATE threads SET checkpoint_id = ?, superstep = ?, next = ? WHERE id = ?"

BEGIN_ATTEMPT = """
INSERT INTO attempts (thread_id, superstep, key, step, visit, attempt, epoch, status, started_at,
       max_attempts)
VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?, ?) RETURNING id"""

# running -> succeeded; with KEEP_RESULT it is what "finished" means.
SUCCEED_ATTEMPT = """
UPDATE attempts SET status = 'succeeded', finished_at = ?, seconds = ?, progress = NULL
WHERE id = ?"""
KEEP_RESULT = """
INSERT OR REPLACE INTO results (thread_id, ns, key, type, value, crc) VALUES (?, ?, ?, ?, ?, ?)"""

# running -> failed or timed_out.
FAIL_ATTEMPT = """
UPDATE attempts SET status = ?, finished_at = ?, seconds = ?, error = ?, is_last = ?,
       due_at = ? WHERE id = ?"""

# An attempt that asked a person something: the step runs again from its top when answered.
FORGET_ATTEMPT = "DELETE FROM attempts WHERE id = ?"

SET_PROGRESS = "UPDATE attempts SET progress = ? WHERE id = ?"

# Results of a namespace are spent once the checkpoint that contains them is stored.
SPEND_RESULTS = "DELETE FROM results WHERE thread_id = ?"
SPEND_RESULTS_OF = """
DELETE FROM results WHERE thread_id = ? AND (ns = ? OR substr(ns, 1, ?) = ?)"""

RECALL_KEYS = "SELECT key FROM results WHERE thread_id = ?"
RECALL = "SELECT type, value FROM results WHERE thread_id = ? AND key = ?"
RESULTS = "SELECT key, type, value, crc FROM results WHERE thread_id = ?"

# Steps that finished after the latest checkpoint, and whose results are gone all the same.
# (Inside a subgraph a result is spent with the subgraph's own checkpoint.)
LOST_RESULTS = """
SELECT key FROM attempts
WHERE thread_id = :id AND superstep > :superstep AND instr(key, '/') = 0
  AND status IN ('succeeded', 'skipped')
  AND key NOT IN (SELECT key FROM results WHERE thread_id = :id) LIMIT 1"""
# The other way round.
LOST_ATTEMPTS = """
SELECT key FROM results WHERE thread_id = :id AND key NOT IN (
    SELECT key FROM attempts WHERE thread_id = :id AND superstep > :superstep
    AND status IN ('succeeded', 'skipped')) LIMIT 1"""
COUNT_FINISHED = """
SELECT count(*) FROM attempts WHERE thread_id = ? AND status IN ('succeeded', 'skipped')"""
COMPENSATIONS = """
SELECT thread_id, key, node, state_type, state, result_type, result, crc FROM compensations
WHERE thread_id = ?"""
PENDING_WRITES = """
SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value, crc
FROM writes WHERE thread_id = ?"""

# What the wrapper must know of earlier attempts: those of supersteps that may be met again.
PLACES = """
SELECT key, max(attempt), max(visit), max(attempt * is_last), max(due_at) FROM attempts
WHERE thread_id = ? AND superstep >= ? GROUP BY key"""
CRASHES = """
SELECT key, attempt, crashes, alone FROM attempts
WHERE thread_id = ? AND superstep >= ? AND crashes > 0"""
LAST_CRASHES = """
SELECT crashes, alone FROM attempts WHERE thread_id = ? AND step = ? ORDER BY id DESC LIMIT 1"""
VISITS = "SELECT step, max(visit) FROM attempts WHERE thread_id = ? GROUP BY step"

# An effect begins, for the first time or again.
BEGIN_EFFECT = """
INSERT INTO effects (thread_id, place, name, key, step, status, times, attempt, begun_at, crc)
VALUES (?, ?, ?, ?, ?, 'begun', 1, ?, ?, ?)
ON CONFLICT (thread_id, place, name) DO UPDATE SET key = excluded.key, status = 'begun',
    times = times + 1, attempt = excluded.attempt, begun_at = excluded.begun_at, finished_at = NULL,
    type = 'null', value = x'', crc = excluded.crc
RETURNING times"""

# begun -> done, with its result, or failed by its own word.
END_EFFECT = """
UPDATE effects SET status = ?, finished_at = ?, type = ?, value = ?, crc = ?
WHERE thread_id = ? AND place = ? AND name = ?"""
EFFECTS = """
SELECT name, key, status, times, attempt, type, value, crc FROM effects
WHERE thread_id = ? AND place = ?"""

# When the attempts at a place began that count for its retries.
FIRST_ATTEMPT = """
SELECT min(started_at) FROM attempts
WHERE thread_id = ? AND superstep = ? AND key = ? AND attempt > ?"""

# A sleep's end is said once: the first to say it is heard, whatever the clock says later.
FALL_ASLEEP = """
INSERT INTO sleeps (thread_id, key, number, wake_at, since) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET wake_at = wake_at RETURNING wake_at, slept"""
WAKE_UP = "UPDATE sleeps SET slept = 1 WHERE thread_id = ? AND key = ? AND number = ?"

# Locks that steps name. A turn waits (no seat), then holds, then is gone.
NAME_LOCK = "INSERT INTO named_locks (name) VALUES (?) ON CONFLICT DO NOTHING"
LOCK_NUMBER = "SELECT id FROM named_locks WHERE name = ?"
TAKE_TURN = """
INSERT INTO lock_turns (lock_id, thread_id, step, pid, limited, since) VALUES (?, ?, ?, ?, ?, ?)
RETURNING id"""
TURNS_BEFORE = "SELECT id FROM lock_turns WHERE lock_id = ? AND id < ? AND seat IS NULL ORDER BY id"
# Whoever takes a seat holds its byte, so whoever is said to sit there has died; so have those
# who wait before the first in the queue.
CLEAR_TURNS = """
DELETE FROM lock_turns WHERE lock_id = ? AND (seat = ? OR (seat IS NULL AND id < ?))"""
TAKE_SEAT = "UPDATE lock_turns SET seat = ?, held_at = ? WHERE id = ?"
LEAVE_LOCK = "DELETE FROM lock_turns WHERE id = ?"

# A question is asked; a step that runs again may ask the same once more.
ASK = """
INSERT INTO questions (thread_id, question, place, superstep, name, step, prompt, schema, asked_at,
    expires_at, on_expiry, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open') ON CONFLICT DO NOTHING"""

# open -> answered, by whoever is first; or, when its time is over, expired or answered so.
ANSWER = """
UPDATE questions SET status = 'answered', answer = :answer, answered_at = :now, answered_by = :by
WHERE thread_id = :id AND question = :question AND status = 'open'
  AND (expires_at IS NULL OR expires_at > :now)"""
EXPIRE = """
UPDATE questions SET status = ?, answer = ?, answered_at = ?
WHERE thread_id = ? AND question = ? AND status = 'open'"""
REOPEN = """
UPDATE questions SET status = 'open', answer = NULL, answered_at = NULL, answered_by = NULL
WHERE thread_id = ? AND question = ?"""
# The thread has come to where nothing asks any more: it has ended, or is compensated.
CLOSE_QUESTIONS = """
UPDATE questions SET status = 'closed' WHERE thread_id = ? AND status = 'open'"""
TOUCH = "UPDATE threads SET updated_at = :now WHERE id = :id"
QUESTIONS_AFTER = """
SELECT question, place, name, step, prompt, schema, expires_at, on_expiry, status, answer
FROM questions WHERE thread_id = ? AND superstep >= ? ORDER BY id"""
QUESTIONS = """
SELECT question, step, prompt, schema, asked_at, expires_at, status, answer, answered_at,
       answered_by
FROM questions WHERE thread_id = ? ORDER BY id"""
ASKED = "SELECT question, status FROM questions WHERE thread_id = ?"

LATEST_CHECKPOINT = """
SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?
ORDER BY rowid DESC LIMIT 1"""

# Spent checkpoints (``spent``).
KEPT = """
SELECT checkpoint_id, json_extract(CAST(metadata AS TEXT), '$.step'),
       length(checkpoint) + length(metadata) + ?
FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? ORDER BY rowid"""
DROP_CHECKPOINT = (
    "DELETE FROM writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
    "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
)
# Of subgraphs that are begun anew with each task; others have no ':' in their namespace.
DROP_INNER = (
    "DELETE FROM writes WHERE thread_id = ? AND checkpoint_ns > '' AND instr(checkpoint_ns, ':')",
    """
DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_ns > '' AND instr(checkpoint_ns, ':')""",
)

# Compensations. A row is due from the commit that finishes its step on.
OWE = """
INSERT INTO compensations (thread_id, key, node, step, visit, state_type, state, result_type,
                           result, crc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
DUE = """
SELECT id, key, node, step, visit, state_type, state, result_type, result, crc FROM compensations
WHERE thread_id = ? ORDER BY id DESC LIMIT 1"""
DUE_STEP = "SELECT step FROM compensations WHERE thread_id = ? ORDER BY id DESC LIMIT 1"
DUE_NODES = "SELECT DISTINCT node FROM compensations WHERE thread_id = ?"
SETTLE = "DELETE FROM compensations WHERE id = ?"
SETTLE_ALL = "DELETE FROM compensations WHERE thread_id = ?"

# From here on the graph never runs again: what is left of the thread are its compensations.
COMPENSATE = "UPDATE threads SET outcome = 'compensating', cause = ?, next = ? WHERE id = ?"
COMPENSATE_NEXT = "UPDATE threads SET next = ?, resumes = 0 WHERE id = ?"

# What people do by hand. A wish to cancel is noted once, and only where it can be granted.
INTERVENE = """
INSERT INTO interventions (thread_id, at, user, verb, step, reason, details, superstep)
SELECT id, :now, :user, :verb, :step, :reason, :details,
       iif(checkpoint_id IS NULL, -1, superstep + 1)
FROM threads WHERE id = :id"""
WISH_CANCELLED = """
UPDATE threads SET cancel_epoch = epoch, updated_at = :now
WHERE id = :id AND cancel_epoch IS NULL AND status NOT IN ('completed', 'cancelled')
  AND outcome IS NOT 'compensated'"""
# Whatever it is -> cancelled, by whoever holds the thread's lock; nothing is due.
CANCEL = """
UPDATE threads SET status = 'cancelled', epoch = epoch + 1, owner = NULL, error = NULL,
       waiting = NULL, wake_at = NULL, next = '[]', updated_at = :now, finished_at = :now,
       outcome = iif(outcome = 'compensating', 'compensated', NULL)
WHERE id = :id AND cancel_epoch IS NOT NULL AND outcome IS NOT 'compensated'
  AND status NOT IN ('completed', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM compensations WHERE thread_id = :id)"""

# Notifications. One is open until it was sent, was overtaken, or is given up.
NOTIFY = """
INSERT INTO notifications (event, means, name, workflow, thread_id, epoch, definition, details,
                           at, status, due_at)
VALUES ((SELECT value FROM meta WHERE key = 'store_id') || :event, :means, :name, :workflow, :id,
        :epoch, :definition, :details, :now, 'open', :now) ON CONFLICT DO NOTHING"""
# A monitor hears of things in their order: what has failed to reach it is tried again first.
HASTEN_PINGS = """
UPDATE notifications SET due_at = :now
WHERE due_at > :now AND means = 'ping' AND workflow = :workflow"""
NOTIFICATION_COLUMNS = """
SELECT notifications.id, event, means, name, workflow, thread_id, epoch, definition, details, at,
       tries FROM notifications"""
DUE_NOTIFICATIONS = f"""{NOTIFICATION_COLUMNS}
WHERE due_at <= :now AND NOT (means = 'ping' AND EXISTS (
    SELECT 1 FROM notifications AS before
    WHERE before.due_at > :now AND before.means = 'ping'
      AND before.workflow = notifications.workflow AND before.id < notifications.id))
ORDER BY id LIMIT 1000"""
DUE_NOTIFICATION = "SELECT 1 FROM notifications WHERE due_at <= ? LIMIT 1"
NOTIFICATION_IS_DUE = "SELECT tries FROM notifications WHERE id = ? AND due_at <= ?"
# Counted before it is tried: what kills the process that tries is not tried at once again.
TRY_NOTIFICATION = "UPDATE notifications SET tries = tries + 1, due_at = ? WHERE id = ?"
END_NOTIFICATION = """
UPDATE notifications SET status = ?, error = ?, due_at = NULL, ended_at = ? WHERE id = ?"""
PUT_NOTIFICATION_OFF = "UPDATE notifications SET error = ? WHERE id = ?"
INTERRUPTED = """
SELECT threads.id, definition FROM threads JOIN origins ON origins.thread_id = threads.id
WHERE thread = ? AND epoch = ? AND status = 'running'"""
THREAD_OF_ROW = """
SELECT thread, status, epoch, environment FROM threads
JOIN origins ON origins.thread_id = threads.id WHERE threads.id = ?"""
FORGET_NOTIFICATIONS = """
DELETE FROM notifications WHERE thread_id IS NULL AND due_at IS NULL AND at < ?"""

# Reading.

THREAD_COLUMNS = (
    "threads.id, thread, workflow, status, next, input, done, total, error, owner, epoch, waiting, "
    "wake_at, slot, parent, created_at, started_at, updated_at, finished_at, superstep, "
    "checkpoint_id, origins.crc, outcome, cause"
)
_WHOLE = "threads LEFT JOIN origins ON origins.thread_id = threads.id"
THREAD = f"SELECT {THREAD_COLUMNS} FROM {_WHOLE} WHERE thread = ?"
THREADS = f"SELECT {THREAD_COLUMNS} FROM {_WHOLE}"
FULL_ROW = f"SELECT threads.*, origins.* FROM {_WHOLE} WHERE thread = ?"
# A thread that its index has lost, and the table still has. One statement sees one instant: a
# thread that has just been admitted is in both.
LOST_BY_INDEX = """
SELECT 1 FROM threads NOT INDEXED WHERE thread = :thread
AND NOT EXISTS (SELECT 1 FROM threads AS t WHERE t.thread = :thread)"""
THREADS_BY_PREFIX = """
SELECT thread FROM threads WHERE thread >= ? AND thread < ? ORDER BY thread LIMIT 11"""
NAMES = "SELECT thread FROM threads ORDER BY id DESC LIMIT :most"
NAMES_BEGINNING = """
SELECT thread FROM threads WHERE thread >= :prefix AND thread < :end ORDER BY id DESC LIMIT :most"""
COUNT_BY_STATUS = "SELECT status, count(*) FROM threads GROUP BY status"
RUNNING = "SELECT id, thread, owner, epoch FROM threads WHERE status = 'running'"
OWNER = "SELECT thread, owner FROM threads WHERE id = ?"
STILL_RUNNING = "SELECT 1 FROM threads WHERE id = ? AND status = 'running' AND epoch = ?"

STEPS = """
SELECT step, visit, status, attempt, started_at, finished_at, seconds, error, progress, key,
       max_attempts, due_at
FROM attempts WHERE thread_id = ? ORDER BY id"""

# Watching: whether anything was committed since; a thread without what may be large in it, what
# changes at each step last; and its attempts, of which only those that ran can change.
DATA_VERSION = "PRAGMA data_version"
BRIEF = """
SELECT id, status, epoch, owner, next, total, error, waiting, wake_at, outcome, cause, superstep,
       done, updated_at
FROM threads WHERE thread = ?"""
_WATCHED = """id, key, step, visit, status, attempt, started_at, finished_at, seconds, error,
       progress, max_attempts, due_at"""
WATCHED = f"SELECT {_WATCHED} FROM attempts WHERE thread_id = ? ORDER BY id"
WATCHED_AGAIN = f"""
SELECT {_WATCHED} FROM attempts
WHERE id IN (SELECT value FROM json_each(?)) AND thread_id = ? ORDER BY id"""
WATCHED_SINCE = f"""
SELECT {_WATCHED} FROM attempts WHERE id > ? AND +thread_id = ? ORDER BY id"""

LOCK_WAITS = """
SELECT lock_turns.id, lock_id, name, step, limited, since FROM lock_turns
JOIN named_locks ON named_locks.id = lock_id
WHERE thread_id = ? AND seat IS NULL ORDER BY lock_turns.id"""
LOCK_HOLDERS = """
SELECT seat, thread, step, pid, held_at FROM lock_turns
LEFT JOIN threads ON threads.id = thread_id
WHERE lock_id = ? AND seat IS NOT NULL ORDER BY seat"""

FINISHED_BRANCHES = """
SELECT step, key FROM attempts
WHERE thread_id = ? AND superstep > ? AND status IN ('succeeded', 'skipped')"""

CHECKPOINT = """
SELECT type, checkpoint, metadata, crc, next_crc, parent_checkpoint_id FROM checkpoints
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"""

# Before a thread is claimed: what its run will read, besides what is compared with checksums,
RUN_READS = (
    "SELECT max(attempt * is_last), max(due_at), max(visit) FROM attempts WHERE thread_id = :id",
    "SELECT * FROM effects WHERE thread_id = :id",
    "SELECT * FROM questions WHERE thread_id = :id",
    "SELECT * FROM sleeps WHERE thread_id = :id",
)
# and the places in tables and indexes where it will write.
RUN_WRITES = (
    "SELECT max(id) FROM attempts",
    "SELECT max(rowid) FROM checkpoints",
    "SELECT max(rowid) FROM writes",
    "SELECT max(rowid) FROM effects",
    "SELECT max(id) FROM questions",
    "SELECT max(id) FROM compensations",
    "SELECT max(id) FROM interventions",
    "SELECT max(id) FROM named_locks",
    "SELECT max(id) FROM lock_turns",
    "SELECT max(name) FROM named_locks",
    "SELECT seq FROM sqlite_sequence",
    "SELECT max(superstep) FROM attempts INDEXED BY attempts_by_place WHERE thread_id = :id",
    "SELECT max(key) FROM results WHERE thread_id = :id",
    "SELECT max(checkpoint_ns) FROM checkpoints WHERE thread_id = :thread",
    "SELECT max(checkpoint_ns) FROM writes WHERE thread_id = :thread",
    "SELECT max(place) FROM effects WHERE thread_id = :id",
    "SELECT max(place) FROM questions INDEXED BY questions_by_place WHERE thread_id = :id",
    "SELECT max(question) FROM questions INDEXED BY questions_by_id WHERE thread_id = :id",
    "SELECT max(key) FROM sleeps WHERE thread_id = :id",
    "SELECT max(id) FROM compensations INDEXED BY compensations_by_thread WHERE thread_id = :id",
    "SELECT max(id) FROM interventions INDEXED BY interventions_by_thread WHERE thread_id = :id",
    "SELECT max(epoch) FROM claims WHERE thread_id = :id",
    "SELECT max(finished_at) FROM threads INDEXED BY threads_by_end WHERE finished_at IS NOT NULL",
    "SELECT max(wake_at) FROM threads INDEXED BY threads_by_wake WHERE wake_at IS NOT NULL",
    "SELECT max(id) FROM threads WHERE status = (SELECT status FROM threads WHERE id = :id)",
    "SELECT max(id) FROM threads WHERE status = 'running'",
    "SELECT max(id) FROM notifications",
    "SELECT max(event) FROM notifications",
    "SELECT max(due_at) FROM notifications WHERE due_at IS NOT NULL",
    "SELECT max(id) FROM notifications INDEXED BY notifications_by_thread WHERE thread_id = :id",
)

# Threads that a table or an index has lost.
NEWEST = "SELECT (SELECT max(id) FROM threads), (SELECT max(thread_id) FROM origins)"
ORIGINS_BETWEEN = "SELECT count(*) FROM origins WHERE thread_id >= ? AND thread_id < ?"
COUNT_THREADS = "SELECT count(*) FROM threads INDEXED BY sqlite_autoindex_threads_1"

# Looking at all of a store.

UNFINISHED = """
SELECT thread FROM threads
WHERE status NOT IN ('completed', 'cancelled') AND outcome IS NOT 'compensated' ORDER BY id"""
LATEST_TIME = "SELECT max(updated_at) FROM threads"
CHECKPOINTS = """
SELECT thread_id, checkpoint_ns, checkpoint_id, type, checkpoint, metadata, crc, next_crc,
       parent_checkpoint_id
FROM checkpoints"""
ALL_COMPENSATIONS = """
SELECT thread_id, key, node, state_type, state, result_type, result, crc FROM compensations"""
ALL_RESULTS = "SELECT thread_id, key, type, value, crc FROM results"
ALL_WRITES = """
SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value, crc
FROM writes"""
ALL_EFFECTS = """
SELECT thread_id, place, name, key, status, times, attempt, type, value, crc FROM effects"""
ORPHANS = {
    "origins": "SELECT count(*) FROM origins WHERE thread_id NOT IN (SELECT id FROM threads)",
    "attempts": "SELECT count(*) FROM attempts WHERE thread_id NOT IN (SELECT id FROM threads)",
    "results": "SELECT count(*) FROM results WHERE thread_id NOT IN (SELECT id FROM threads)",
    "effects": "SELECT count(*) FROM effects WHERE thread_id NOT IN (SELECT id FROM threads)",
    "claims": "SELECT count(*) FROM claims WHERE thread_id NOT IN (SELECT id FROM threads)",
    "notifications": """
SELECT count(*) FROM notifications WHERE thread_id NOT IN (SELECT id FROM threads)""",
    "checkpoints": """
SELECT count(*) FROM checkpoints WHERE thread_id NOT IN (SELECT thread FROM threads)""",
    "writes": "SELECT count(*) FROM writes WHERE thread_id NOT IN (SELECT thread FROM threads)",
}
