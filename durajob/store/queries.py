"""Statements of those who admit, claim, drive and end threads, by name. Others stand beside it:
``read_queries``, ``past_queries``, ``hand_queries``, ``slot_queries``, ``outbox_queries``,
``prune_queries``."""

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
# Who settles a step by hand takes the epoch further, and drives nothing: what was interrupted is
# the run of the last claim.
LAST_CLAIM_OF_THREAD = """
(SELECT coalesce(max(claims.epoch), threads.epoch) FROM claims
 WHERE claims.thread_id = threads.id)"""
LAST_CLAIM = f"SELECT {LAST_CLAIM_OF_THREAD} FROM threads WHERE threads.id = :id"
NOTE_CLAIM = """
INSERT OR REPLACE INTO claims (thread_id, epoch, superstep, at, host, pid)
SELECT id, epoch, iif(checkpoint_id IS NULL, -1, superstep + 1), :now, :host, :pid
FROM threads WHERE id = :id"""
NOTE_LEFT = """
UPDATE claims SET left_at = :now, status = :left, reason = :reason, wake_at = :wake_at,
       error = :error, left_superstep = (SELECT superstep + 1 FROM threads WHERE id = :id)
WHERE thread_id = :id AND epoch = :epoch"""
OWNER = "SELECT thread, owner FROM threads WHERE id = ?"

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
