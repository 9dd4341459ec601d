"""Statements about notifications: what somebody is to be told of, and what came of it."""

from durajob.store.queries import LAST_CLAIM_OF_THREAD

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
INTERRUPTED = f"""
SELECT threads.id, definition, {LAST_CLAIM_OF_THREAD}
FROM threads JOIN origins ON origins.thread_id = threads.id
WHERE thread = ? AND epoch = ? AND status = 'running'"""
THREAD_OF_ROW = """
SELECT thread, status, epoch, environment FROM threads
JOIN origins ON origins.thread_id = threads.id WHERE threads.id = ?"""
FORGET_NOTIFICATIONS = """
DELETE FROM notifications WHERE thread_id IS NULL AND due_at IS NULL AND at < ?"""
