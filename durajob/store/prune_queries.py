"""The statements of ``prune``: threads that have ended, and checkpoints that nobody needs."""

_IS_ENDED = "(status IN ('completed', 'cancelled') OR outcome IS 'compensated')"
# Of how it ended somebody is still to be told.
_IS_UNTOLD = """EXISTS (
    SELECT 1 FROM notifications WHERE thread_id = threads.id AND due_at IS NOT NULL)"""
_CHECKPOINT_BYTES = "length(checkpoint) + length(metadata) + 200"
# A state that LangGraph keeps as changes is rebuilt from earlier checkpoints.
_KEEPS_CHANGES = """
EXISTS (SELECT 1 FROM checkpoints AS c WHERE c.thread_id = {} AND
    json_extract(CAST(c.metadata AS TEXT), '$.counters_since_delta_snapshot') <> '{{}}')"""

ENDED = f"""
SELECT id, thread, workflow, status, {_IS_ENDED}, {_IS_UNTOLD},
       coalesce(finished_at, updated_at)
FROM threads WHERE status IN ('completed', 'cancelled', 'failed') ORDER BY id"""
SIZE = f"""
SELECT sum(bytes), sum(number) FROM (
    SELECT coalesce(sum({_CHECKPOINT_BYTES}), 0) AS bytes, 0 AS number
        FROM checkpoints WHERE thread_id = :thread
    UNION ALL SELECT coalesce(sum(length(value) + 150), 0), count(*)
        FROM writes WHERE thread_id = :thread
    UNION ALL SELECT coalesce(sum(coalesce(length(error), 0) + 250), 0), count(*)
        FROM attempts WHERE thread_id = :id
    UNION ALL SELECT coalesce(sum(length(value) + 150), 0), count(*)
        FROM effects WHERE thread_id = :id
    UNION ALL SELECT coalesce(sum(length(value) + 100), 0), count(*)
        FROM results WHERE thread_id = :id
    UNION ALL SELECT coalesce(sum(length(prompt) + coalesce(length(answer), 0) + 250), 0), count(*)
        FROM questions WHERE thread_id = :id
    UNION ALL SELECT coalesce(sum(length(state) + length(result) + 150), 0), count(*)
        FROM compensations WHERE thread_id = :id
    UNION ALL SELECT length(input) + length(definition) + length(shape) + length(environment) + 400,
        1 FROM origins WHERE thread_id = :id)"""
SPENT = f"""
SELECT threads.id, thread, workflow, updated_at, count(*), sum({_CHECKPOINT_BYTES})
FROM checkpoints JOIN threads ON thread = thread_id
WHERE checkpoints.rowid NOT IN (
        SELECT max(rowid) FROM checkpoints GROUP BY thread_id, checkpoint_ns)
    AND checkpoints.checkpoint_id IS NOT threads.checkpoint_id
    AND NOT {_KEEPS_CHANGES.format("thread")}
GROUP BY threads.id"""
SPENT_OF = f"""
SELECT rowid, checkpoint_ns, checkpoint_id, {_CHECKPOINT_BYTES} FROM checkpoints
WHERE thread_id = (SELECT thread FROM threads WHERE id = :id AND thread = :thread)
    AND checkpoint_id IS NOT (SELECT checkpoint_id FROM threads WHERE id = :id)
    AND (:ended OR (rowid NOT IN (
            SELECT max(rowid) FROM checkpoints WHERE thread_id = :thread GROUP BY checkpoint_ns)
        AND NOT {_KEEPS_CHANGES.format(":thread")}))
ORDER BY rowid LIMIT :rows"""

# A thread that has ended loses what is many before it goes itself.
UNCOUNT = f"UPDATE threads SET done = 0 WHERE id = :id AND {_IS_ENDED}"
WEAR_DOWN = (
    "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE thread_id = :id LIMIT :rows)",
    """
DELETE FROM effects WHERE rowid IN (SELECT rowid FROM effects WHERE thread_id = :id LIMIT :rows)""",
    """
DELETE FROM writes WHERE rowid IN (
    SELECT rowid FROM writes WHERE thread_id = :thread LIMIT :rows)""",
)
DELETE_THREAD = f"""
DELETE FROM threads
WHERE id = :id AND thread = :thread AND {_IS_ENDED} AND NOT {_IS_UNTOLD}"""
DELETE_REST = (
    "DELETE FROM origins WHERE thread_id = :id",
    "DELETE FROM attempts WHERE thread_id = :id",
    "DELETE FROM results WHERE thread_id = :id",
    "DELETE FROM effects WHERE thread_id = :id",
    "DELETE FROM questions WHERE thread_id = :id",
    "DELETE FROM sleeps WHERE thread_id = :id",
    "DELETE FROM lock_turns WHERE thread_id = :id",
    "DELETE FROM compensations WHERE thread_id = :id",
    "DELETE FROM interventions WHERE thread_id = :id",
    "DELETE FROM claims WHERE thread_id = :id",
    "DELETE FROM notifications WHERE thread_id = :id",
    "DELETE FROM refusals WHERE thread_id = :id",
    "DELETE FROM checkpoints WHERE thread_id = :thread",
    "DELETE FROM writes WHERE thread_id = :thread",
)
# What became of slots long ago. Of a thread that is there its slot is, too; and a slot that no
# tick has come to yet must be found when one does.
FORGET_SLOTS = """
DELETE FROM slots WHERE id IN (
    SELECT id FROM slots
    WHERE workflow = :workflow AND outcome <> 'queued' AND coalesce(until, slot) <= :before
      AND handled_at <= :before
      AND NOT EXISTS (SELECT 1 FROM threads WHERE threads.thread = slots.thread)
      AND NOT EXISTS (SELECT 1 FROM schedules WHERE schedules.workflow = slots.workflow
                      AND watermark < coalesce(until, slot))
    LIMIT :rows)
RETURNING slot, outcome"""
# Up to where slots without a row may have run.
FORGOTTEN_UNTIL = """
INSERT INTO meta VALUES ('slots_until:' || :workflow, :until)
ON CONFLICT (key) DO UPDATE SET value = max(value, :until)"""
SLOT_WORKFLOWS = "SELECT DISTINCT workflow FROM slots"
# When workflows.toml was last found to name nothing that is to be pruned.
SET_RETENTION_AT = "INSERT OR REPLACE INTO meta VALUES ('retention_at', ?)"
PRUNED_AT = "SELECT value FROM meta WHERE key = 'pruned_at'"
SET_PRUNED_AT = "INSERT OR REPLACE INTO meta VALUES ('pruned_at', ?)"
