"""`Outbox`: what was not yet delivered, kept on disk until the receiver has acknowledged it.

`append` takes messages from any thread at once. One thread calls `commit`, which writes all that
waits in one transaction; another calls `take` and `settle` to deliver. What is committed survives
a crash, and is delivered first, in order, by the next run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.clock import Clock
from pipeline.errors import ConfigError
from sinks.output import prepare_folder
from sinks.queues.damaged_spool import damage, open_spool
from sinks.queues.messages import NOTHING, Amount, Draft, Message
from sinks.queues.progress import Progress
from sinks.queues.spool import Spool, SpoolDamaged, SpoolFailed
from sinks.queues.waiting import Recent, Waiting

log = logging.getLogger(__name__)

MAX_BYTES = 256 * 2**20
MAX_AGE_S = 7 * 86_400.0
MEMORY_BYTES = 16 * 2**20
"""Messages that wait to be written, while the disk cannot take them."""
RECENT_BYTES = 4 * 2**20
"""Messages on disk that are kept in memory too, so that they need not be read."""
GATHER_S = 0.02
"""How long a transaction waits for more messages: each costs a sync of the disk."""
RETRY_S = 1.0
"""How long a disk that failed is left alone."""
LOOK_S = 60.0
"""How often what nobody adds to is looked through for messages that are too old."""
BATCH = 500
BATCH_BYTES = 2**20
"""How much is handed out at once."""


class Outbox:
    """A queue of messages on disk. A context manager: entering opens the file.

    Args:
        path: of the file.
        stream: names the destination.
        clock: tells the age of messages.
        max_bytes: of messages on disk; when there are more, the oldest go.
        max_age_s: older messages go too.
        memory_bytes: of messages in memory, while the disk cannot take them.
    """

    def __init__(
        self,
        path: Path,
        stream: str,
        clock: Clock,
        *,
        max_bytes: int = MAX_BYTES,
        max_age_s: float = MAX_AGE_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.path, self.stream = path, stream
        self.ended = False
        """Closed, and all that can be written is."""
        self._clock = clock
        self._max_bytes, self._max_age_s = max_bytes, max_age_s
        self._spool: Spool | None = None
        self._file = threading.Lock()
        """Held around every use of the file; taken before the other one."""
        self._lock = threading.Lock()
        self._to_write = threading.Condition(self._lock)
        self._to_take = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._failing = False  # the last commit did not work
        self._waiting = Waiting(memory_bytes)  # not yet on disk
        self._storing = NOTHING  # on their way there
        self._held = NOTHING  # on disk
        self._recent = Recent(RECENT_BYTES)  # on disk and in memory
        self._dropped = 0  # of what was on disk
        self._progress = Progress()
        self._last_stored = 0
        self._last_seq = 0

    def prepare(self) -> None:
        """Make the folder of the file and make sure that it can be written.

        Raises:
            ConfigError: it cannot.
        """
        prepare_folder(self.path.parent)

    def __enter__(self) -> Self:
        self.prepare()
        self._spool = self._open()
        self._shed_disk()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what still waits, and close the file."""
        self.close()
        self.commit()
        with self._file:
            if self._spool is not None:
                self._spool.close()
                self._spool = None

    @property
    def appended(self) -> int:
        """The number of the last message that was appended, in this run or an earlier one."""
        return self._last_seq

    @property
    def stored(self) -> int:
        """The number of the last message that is on disk."""
        return self._last_stored

    @property
    def dropped(self) -> int:
        """Messages that were given up, on disk and in memory."""
        return self._dropped + self._waiting.dropped

    def close(self) -> None:
        """Nothing more will be appended: pending calls end."""
        self._closing.set()
        with self._lock:
            self._to_write.notify_all()
            self._to_take.notify_all()

    def append(self, drafts: Sequence[Draft]) -> None:
        """Take messages; never waits for the disk."""
        made_s = self._clock.now().timestamp()
        with self._lock:
            for draft in drafts:
                self._last_seq += 1
                self._waiting.put(Message(self._last_seq, draft, made_s))
            self._shed_memory()
            self._to_write.notify()
            if self._failing:
                self._to_take.notify()

    def commit(self) -> bool:
        """Wait for something to write and write all of it in one transaction.

        Returns:
            False once the outbox is closed and everything is written, or cannot be.
        """
        with self._lock:
            self._to_write.wait_for(lambda: self._unwritten() or self._closing.is_set(), LOOK_S)
        self._closing.wait(RETRY_S if self._failing else GATHER_S)
        with self._file:
            committed = self._commit()
        with self._lock:
            done = not (committed and self._unwritten())
            self.ended = self._closing.is_set() and done
            self._to_take.notify_all()
            return not self.ended

    def take(self, timeout_s: float | None = None) -> list[Message]:
        """Wait for messages and hand the oldest out, in order; `settle` them before more.

        Returns:
            Nothing once the time is over or, when there is nothing left, the outbox has ended.
        """
        with self._lock:
            self._to_take.wait_for(lambda: self._available() or self.ended, timeout_s)
            if not self._available():
                return []
            found = self._recent.take(self._progress.taken, BATCH, BATCH_BYTES)
            if found:
                return self._progress.hand_out(found)
        with self._file:
            messages = self._take_stored()
        if not messages and self._failing:
            self._closing.wait(RETRY_S)  # the disk cannot even be read
        return messages

    def settle(
        self, acknowledged: Collection[int], refused: Mapping[int, str] | None = None
    ) -> None:
        """Say what became of what was taken; the rest of it will be handed out again.

        Args:
            acknowledged: numbers of messages that the receiver has.
            refused: those that it never will, and why; they are set aside.
        """
        settled = {*acknowledged, *(refused or {})}
        with self._lock:
            self._progress.settle(settled)
            stored = settled - self._waiting.remove(settled)
            self._progress.done |= stored
            self._progress.refused |= {
                seq: why for seq, why in (refused or {}).items() if seq in stored
            }
            self._to_write.notify()

    def drained(self) -> bool:
        """Whether all that was appended is delivered."""
        with self._lock:
            return self._progress.taken >= self._last_seq and self._progress.settled

    @property
    def backlog(self) -> Amount:
        """What is not delivered yet; asking never waits for the disk."""
        with self._lock:
            kept = self._held.plus(self._storing).plus(self._waiting.amount)
            return Amount(max(kept.messages - len(self._progress.done), 0), kept.bytes)

    def _unwritten(self) -> bool:
        return bool(self._waiting or self._progress.done)

    def _available(self) -> bool:
        """Whether there may be something to hand out."""
        last = max(self._last_stored, self._waiting.last_seq if self._failing else 0)
        return last > self._progress.taken

    def _take_stored(self) -> list[Message]:
        """Hand out what is on disk or, if there is nothing, what cannot be written to it."""
        try:
            after, spool = self._progress.taken, self._spool
            found = spool.read(after, BATCH, BATCH_BYTES) if spool is not None else []
        except SpoolDamaged as error:
            self._fail(error)
            return []  # a new file begins with a message about what was in this one
        except SpoolFailed as error:
            self._fail(error)
            found = []
        with self._lock:
            if not found and self._failing:
                found = [message for message in self._waiting if message.seq > after][:BATCH]
            elif not found:
                self._progress.taken = max(after, self._last_stored)
            return self._progress.hand_out(found)

    def _open(self) -> Spool:
        spool = open_spool(self.path, self.stream, self._clock, self._lost)
        with self._lock:
            self._last_stored = max(self._last_stored, spool.last_seq)
            self._last_seq = max(self._last_seq, self._last_stored)
            self._recent.begin(self._last_stored)
            self._held = spool.held
        return spool

    def _lost(self, now: datetime) -> Message | None:
        """What tells of the messages of a damaged file."""
        with self._lock:
            return damage(self.stream, self._progress.first_open, self._last_stored, now)

    def _commit(self) -> bool:
        """Write what waits; whether that worked. After a failure it may need what goes first."""
        return (not self._failing or self._write(store=False)) and self._write(store=True)

    def _write(self, *, store: bool) -> bool:
        with self._lock:
            done, refused = set(self._progress.done), dict(self._progress.refused)
            self._storing = self._waiting.amount if store else NOTHING
            waiting = self._waiting.take_all() if store else []
        messages = [message for message in waiting if message.seq not in done]
        try:
            if self._spool is None:
                self._spool = self._open()
            self._spool.change(messages, refused.items(), done)
        except (SpoolDamaged, SpoolFailed, ConfigError) as error:
            with self._lock:
                self._storing = NOTHING
                self._waiting.put_back(messages)
                self._shed_memory()
            self._fail(error)
            return False
        with self._lock:
            self._storing, self._held = NOTHING, self._spool.held
            self._progress.written(done, refused)
            if messages:
                self._last_stored = max(self._last_stored, messages[-1].seq)
                self._recent.add(messages)
            if store:
                self._recovered()
        self._shed_disk()
        return True

    def _shed_disk(self) -> None:
        assert self._spool is not None, "open"
        now = self._clock.now()
        since_s = now.timestamp() - self._max_age_s
        try:
            if not self._spool.exceeds(self._max_bytes, since_s):
                return
            with self._lock:
                self._recent.forget()  # from here on what is taken is read, which needs the file
                taken = self._progress.taken
            while shed := self._spool.shed(taken, self._max_bytes, since_s, now):
                count, reason = shed
                if self._dropped == 0:
                    why = f"more than {self._max_bytes} bytes" if reason == "size" else "too old"
                    log.error("%s: the outbox drops its oldest messages: %s", self.stream, why)
                self._dropped += count
            with self._lock:
                self._held = self._spool.held
        except (SpoolDamaged, SpoolFailed) as error:
            self._fail(error)

    def _shed_memory(self) -> None:
        self._waiting.shed(self.stream, self._progress.last_held, self._clock)

    def _fail(self, error: Exception) -> None:
        """Note and say that the file does not work; a damaged one is closed, to be replaced."""
        if isinstance(error, SpoolDamaged) and self._spool is not None:
            self._spool.close()
            self._spool = None
        with self._lock:
            if self._spool is None:
                self._held = NOTHING
            if not self._failing:
                words = "%s: the outbox %s cannot be written: %s; up to %d MB wait in memory"
                log.error(words, self.stream, self.path, error, self._waiting.max_bytes >> 20)
            self._failing = True
            self._to_take.notify_all()

    def _recovered(self) -> None:
        if self._failing:
            self._failing = False
            words = "%s: the outbox can be written again; %d messages were dropped meanwhile"
            log.warning(words, self.stream, self._waiting.dropped)
