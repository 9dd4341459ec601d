"""Statements of those who look at what has happened to threads, and at why they stand where they
stand; they write nothing."""

from durajob.store.read_queries import THREAD_COLUMNS

# For the overview. The indexes are named: without statistics SQLite would take those by status.
ENDED = f"""
SELECT {THREAD_COLUMNS}
FROM threads INDEXED BY threads_by_end LEFT JOIN origins ON origins.thread_id = threads.id
WHERE finished_at >= ? ORDER BY finished_at DESC LIMIT ?"""
COUNT_ENDED = "SELECT count(*) FROM threads INDEXED BY threads_by_end WHERE finished_at >= ?"
NEXT_SLEEPERS = f"""
SELECT {THREAD_COLUMNS}
FROM threads INDEXED BY threads_by_wake LEFT JOIN origins ON origins.thread_id = threads.id
WHERE wake_at IS NOT NULL AND status = 'sleeping' ORDER BY wake_at LIMIT ?"""

# History. Ids first, since the rows are read a part at a time.
ATTEMPT_IDS = """
SELECT id FROM attempts WHERE thread_id = :id ORDER BY attempts.id DESC LIMIT :last"""
ATTEMPTS = """
SELECT id, superstep, key, step, visit, attempt, epoch, status, started_at, finished_at, seconds,
       error, due_at, max_attempts FROM attempts WHERE id IN ({}) ORDER BY id"""
EFFECTS_AT = """
SELECT place, attempt, name, key, status, times, begun_at, finished_at FROM effects
WHERE thread_id = ? AND place IN ({}) ORDER BY begun_at"""
HAS_EFFECTS = "SELECT EXISTS (SELECT 1 FROM effects WHERE thread_id = ?)"
STORED = """
SELECT checkpoint_ns, checkpoint_id, metadata FROM checkpoints
JOIN (SELECT rowid AS found FROM checkpoints WHERE thread_id = :thread
      ORDER BY rowid DESC LIMIT :last) ON checkpoints.rowid = found
ORDER BY found DESC"""
CLAIMS = """
SELECT epoch, superstep, at, host, pid, left_at, left_superstep, status, reason, wake_at, error
FROM claims WHERE thread_id = :id ORDER BY epoch DESC LIMIT :last"""
HISTORY_QUESTIONS = """
SELECT superstep, asked_at, question, step, prompt, expires_at, status, answer, answered_at,
       answered_by
FROM questions WHERE thread_id = :id ORDER BY id DESC"""
SLEEPS = """
SELECT key, number, since, wake_at, slept FROM sleeps WHERE thread_id = :id
ORDER BY since DESC LIMIT :last"""
# (An answer is told with its question.)
INTERVENTIONS = """
SELECT superstep, at, user, verb, step, reason, details FROM interventions
WHERE thread_id = :id AND verb <> 'answer' ORDER BY id DESC LIMIT :last"""

# Why a thread stands where it stands: what is in flight, what is to be tried again, …
IN_FLIGHT_NOW = """
SELECT step, key, visit, attempt, max_attempts, started_at, progress,
       (SELECT before.crashes FROM attempts AS before
        WHERE before.thread_id = now.thread_id AND before.superstep = now.superstep
          AND before.key = now.key AND before.attempt = now.attempt - 1)
FROM attempts AS now
WHERE thread_id = :id AND superstep > :superstep AND status = 'running' ORDER BY id"""
BACKING_OFF = """
SELECT step, attempt, max_attempts, due_at, error FROM attempts AS tried
WHERE thread_id = :id AND superstep > :superstep AND due_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM attempts AS after WHERE after.thread_id = tried.thread_id
    AND after.superstep = tried.superstep AND after.key = tried.key
    AND after.attempt > tried.attempt)
ORDER BY due_at"""
LAST_OF_STEP = """
SELECT status, attempt, max_attempts FROM attempts
WHERE thread_id = :id AND superstep > :superstep AND step = :step ORDER BY id DESC LIMIT 1"""
ASLEEP = """
SELECT key, wake_at, since FROM sleeps WHERE thread_id = :id AND slept = 0 ORDER BY wake_at"""
LAST_CLAIM = """
SELECT reason, left_at FROM claims WHERE thread_id = :id ORDER BY epoch DESC LIMIT 1"""
LAST_INTERVENTION = """
SELECT user, at, reason FROM interventions WHERE thread_id = :id AND verb = :verb
ORDER BY id DESC LIMIT 1"""
LAST_SETTLED = """
SELECT user, at, reason FROM interventions
WHERE thread_id = :id AND verb IN ('complete', 'skip') AND step = :step ORDER BY id DESC LIMIT 1"""
LAST_ANSWER = """
SELECT step, answered_by, answered_at FROM questions
WHERE thread_id = :id AND status = 'answered' AND superstep > :superstep
ORDER BY answered_at DESC LIMIT 1"""

# For logs.
BEGUN = """
SELECT id, step, visit, attempt, started_at, status FROM attempts
WHERE thread_id = ? ORDER BY attempts.id"""
# Of those since an attempt: by their own order, and not through all of the thread's.
BEGUN_SINCE = """
SELECT id, step, visit, attempt, started_at, status FROM attempts NOT INDEXED
WHERE id >= ? AND +thread_id = ? ORDER BY id"""
BEGUN_AGAIN = """
SELECT id, step, visit, attempt, started_at, status FROM attempts
WHERE id IN ({}) AND thread_id = ? ORDER BY id"""
