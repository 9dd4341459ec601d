"""The effects of a thread's steps: begun before they are done, and then done, with a result.

A row stays as long as its thread, since a place in the run may be met again by a resume.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from durajob import clock
from durajob.errors import StoreDamaged
from durajob.store import queries, seals
from durajob.store.door import Door
from durajob.store.ledger import Attempt, Place


class Effect(NamedTuple):
    """An effect at one place in the run, as it is recorded."""

    name: str
    key: str  # the idempotency key
    status: str  # begun, failed (by its own word) or done
    times: int  # how often it was begun
    attempt: int  # of the step, that began it last
    kind: str = "null"  # of the result, for the serialiser
    value: bytes = b""


class EffectBook:
    """The effects of one thread, for its owner."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def new_key(self, place: Place, name: str) -> str:
        """The key of an effect that has none yet: made of where it is, so always the same."""
        import uuid

        store = uuid.UUID(self._door.store_id)
        return str(uuid.uuid5(store, f"{self._door.row}/{place.key}/{name}"))

    def of(self, place: Place) -> dict[str, Effect]:
        """What is recorded of the effects at a place, by name.

        Raises:
            StoreDamaged: when that is not what was recorded.
        """
        row = self._door.row
        with self._door.reading() as cursor:
            rows = cursor.execute(queries.EFFECTS, (row, place.key)).fetchall()
        try:
            seals.check_effects(row, place.key, rows)
        except seals.Altered as error:
            raise StoreDamaged(
                f"the store holds what cannot be right of step {place.step}: {error}",
                hint="restore a copy of the store; other threads may be whole",
            ) from error
        return {name: Effect(name, *known) for name, *known, _crc in rows}

    def begin(self, attempt: Attempt, name: str, key: str) -> Effect:
        """On disk before the effect is done: else nobody could know of a doubt."""
        place, row = attempt.place, self._door.row
        effect = Effect(name=name, key=key, status="begun", times=1, attempt=attempt.number)
        values = (
            *(row, place.key, name, key, place.step, attempt.number),
            *(clock.now(), self._seal(place, effect)),
        )
        times = self._door.write(
            lambda cursor: cursor.execute(queries.BEGIN_EFFECT, values).fetchone()[0],
            durable=True,
        )
        return effect._replace(times=times)

    def finish(self, place: Place, effect: Effect, kind: str, value: bytes) -> Effect:
        """When this returns, the effect is done and will not be done again."""
        done = effect._replace(status="done", kind=kind, value=value)
        values = self._end(place, done)
        self._door.write(lambda cursor: cursor.execute(queries.END_EFFECT, values), durable=True)
        return done

    def fail(self, place: Place, effect: Effect) -> Effect:
        """Goes with the next commit, that of the attempt's failure at the latest: until then
        the effect is in doubt, which is the careful thing to believe."""
        failed = effect._replace(status="failed")
        values = self._end(place, failed)
        self._door.write_later(lambda cursor: cursor.execute(queries.END_EFFECT, values))
        return failed

    def _end(self, place: Place, effect: Effect) -> tuple[Any, ...]:
        return (
            *(effect.status, clock.now(), effect.kind, effect.value, self._seal(place, effect)),
            *(self._door.row, place.key, effect.name),
        )

    def _seal(self, place: Place, effect: Effect) -> int:
        return seals.of_effect(
            *(self._door.row, place.key, effect.name, effect.key),
            *(effect.status, effect.kind, effect.value),
        )
