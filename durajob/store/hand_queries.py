"""Statements of what people do by hand: settling a step, forking a thread, a look ahead."""

# A step is settled by hand. Whoever does it holds the thread's lock, and the epoch grows, so that
# an owner that was thought dead can write nothing; where the thread stands does not change.
SEIZE = """
UPDATE threads SET epoch = epoch + 1, owner = NULL,
       wake_at = iif(:woken AND wake_at IS NOT NULL, :now, wake_at)
WHERE id = :id RETURNING epoch"""
SEIZE_ORIGIN = """
UPDATE origins SET claim_epoch = :epoch WHERE thread_id = :id AND claim_epoch = :epoch - 1"""
SETTLE_ATTEMPT = """
INSERT INTO attempts (thread_id, superstep, key, step, visit, attempt, epoch, status, started_at,
       finished_at, seconds)
VALUES (:id, :superstep, :key, :step, :visit, :attempt, :epoch, 'skipped', :now, :now, 0)"""
# What it asked, and when it would have gone on, whatever is inside it.
CLOSE_QUESTIONS_AT = """
UPDATE questions SET status = 'closed', answered_by = :user
WHERE thread_id = :id AND status = 'open'
  AND (place = :key OR substr(place, 1, length(:key) + 1) = :key || '/')"""
END_SLEEPS = """
UPDATE sleeps SET slept = 1 WHERE thread_id = :id AND slept = 0
  AND (key = :key OR substr(key, 1, length(:key) + 1) = :key || '/')"""
SETTLED = """
SELECT verb, step, at, user, details FROM interventions
WHERE thread_id = ? AND verb IN ('complete', 'skip') ORDER BY id DESC"""

# A thread is forked: admitted, with the checkpoint and the attempts of another up to there.
RESERVE_ROW = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'threads' RETURNING seq"
ADMIT_AT = """
INSERT INTO threads (id, thread, workflow, status, next, total, slot, created_at, updated_at)
VALUES (:id, :thread, :workflow, 'pending', :next, :total, :slot, :now, :now)
ON CONFLICT (thread) DO NOTHING RETURNING id"""
FORK = """
UPDATE threads SET parent = :parent, checkpoint_id = :checkpoint, superstep = :superstep,
       done = (SELECT count(*) FROM attempts
               WHERE thread_id = :id AND status IN ('succeeded', 'skipped'))
WHERE id = :id"""
COPY_ATTEMPTS = """
INSERT INTO attempts (thread_id, superstep, key, step, visit, attempt, epoch, status, started_at,
       finished_at, seconds, error, is_last, due_at, max_attempts)
SELECT :id, superstep, key, step, visit, attempt, 0, status, started_at, finished_at, seconds,
       error, is_last, due_at, max_attempts
FROM attempts WHERE thread_id = :parent_row AND superstep <= :superstep ORDER BY id"""
COPY_CHECKPOINT = """
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type,
       checkpoint, metadata)
SELECT :thread, '', checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints
WHERE thread_id = :parent AND checkpoint_ns = '' AND checkpoint_id = :checkpoint"""
COPY_WRITES = """
INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type,
       value)
SELECT :thread, '', checkpoint_id, task_id, task_path, idx, channel, type, value
FROM writes WHERE thread_id = :parent AND checkpoint_ns = '' AND checkpoint_id = :checkpoint"""
FORK_CHECKPOINT = """
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type,
       checkpoint, metadata, crc, next_crc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
MET = "SELECT DISTINCT step, superstep FROM attempts WHERE thread_id = ?"
CHECKPOINTS_OF = """
SELECT checkpoint_id, metadata FROM checkpoints
WHERE thread_id = ? AND checkpoint_ns = '' ORDER BY rowid"""
FORKED_WITH = "SELECT details FROM interventions WHERE thread_id = ? AND verb = 'fork'"

# What a resume would do.
MET_SINCE = """
SELECT step, visit, status, attempt FROM attempts
WHERE thread_id = ? AND superstep > ? ORDER BY id"""
REUSED = """
SELECT step, visit, key IN (SELECT key FROM results WHERE thread_id = attempts.thread_id)
FROM attempts WHERE thread_id = ? AND status IN ('succeeded', 'skipped') ORDER BY id"""
DUE_STEPS = "SELECT step FROM compensations WHERE thread_id = ? ORDER BY id DESC"
