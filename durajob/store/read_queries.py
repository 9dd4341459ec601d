"""Statements of those who read threads, or look whether all of one is there; they write nothing."""

# Looked up as they are at each commit, not by going through all.
IDENTITY = """
SELECT (SELECT value FROM meta WHERE key = 'store_id'),
       (SELECT value FROM meta WHERE key = 'commits')"""

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
COUNT_THREADS = "SELECT count(*) FROM threads INDEXED BY sqlite_autoindex_threads_1"
RUNNING = "SELECT id, thread, owner, epoch FROM threads WHERE status = 'running'"
STILL_RUNNING = "SELECT 1 FROM threads WHERE id = ? AND status = 'running' AND epoch = ?"
UNFINISHED = """
SELECT thread FROM threads
WHERE status NOT IN ('completed', 'cancelled') AND outcome IS NOT 'compensated' ORDER BY id"""

STEPS = """
SELECT step, visit, status, attempt, started_at, finished_at, seconds, error, progress, key,
       max_attempts, due_at
FROM attempts WHERE thread_id = ? ORDER BY id"""

FINISHED_BRANCHES = """
SELECT step, key FROM attempts
WHERE thread_id = ? AND superstep > ? AND status IN ('succeeded', 'skipped')"""
DUE_NODES = "SELECT DISTINCT node FROM compensations WHERE thread_id = ?"
QUESTIONS = """
SELECT question, step, prompt, schema, asked_at, expires_at, status, answer, answered_at,
       answered_by
FROM questions WHERE thread_id = ? ORDER BY id"""
ASKED = "SELECT question, status FROM questions WHERE thread_id = ?"

LOCK_WAITS = """
SELECT lock_turns.id, lock_id, name, step, limited, since FROM lock_turns
JOIN named_locks ON named_locks.id = lock_id
WHERE thread_id = ? AND seat IS NULL ORDER BY lock_turns.id"""
LOCK_HOLDERS = """
SELECT seat, thread, step, pid, held_at FROM lock_turns
LEFT JOIN threads ON threads.id = thread_id
WHERE lock_id = ? AND seat IS NOT NULL ORDER BY seat"""

LATEST_CHECKPOINT = """
SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?
ORDER BY rowid DESC LIMIT 1"""

CHECKPOINT = """
SELECT type, checkpoint, metadata, crc, next_crc, parent_checkpoint_id FROM checkpoints
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"""

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

# What a thread is made of, to be compared with what was written.
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

# All of a store.
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
