"""`Archive`: a folder of recordings, in which names are safe, and the oldest go in time.

A file is begun as `NAME.mp4.part`; once it is finished, `.part` goes. So what a run finds with
`.part` was left by a crash. What belongs to a recording (`NAME.jsonl`, `NAME.json`, `NAME.jpg`)
lies beside it from the beginning, and goes with it.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.clock import Clock
from pipeline.retention_config import Retention
from sinks.archive.folder_lock import FolderLock
from sinks.archive.mend import mend
from sinks.archive.recording_files import (
    camera_folders,
    delete_recording,
    find_recordings,
    is_taken,
    make_camera_folder,
    refuse_way_out,
    size_of,
)
from sinks.archive.recording_names import (
    PART,
    VIDEO_SUFFIXES,
    RecordingKey,
    parse_name,
    recording_key,
    stem,
)
from sinks.archive.retention import Recording, Shelves
from sinks.disk_file import Written
from sinks.output import prepare_folder

log = logging.getLogger(__name__)

ROOM_BYTES = 64 * 10**6
"""How much is made free at once on a full disk."""
CHECK_S = 60.0
"""How often age and free space are looked at, whatever is recorded."""
MEND_S = 600.0
"""For how long files of an earlier run are given an index; after that they are only renamed."""
_SCAN_WAIT_S = 10.0
"""How long a full disk waits until the archive knows what it has."""
_END_S = 2.0
"""For how long recordings that are due are deleted at the end of a run."""


class Archive:
    """Recordings in a folder for each camera; a context manager, used from any thread.

    Entering takes the folder's lock. A thread of its own then mends what an earlier run left, and
    applies the retention: at once, after each recording, and every minute.

    Args:
        folder: for the folders of the cameras; made if need be.
        retention: when recordings go.
        clock: tells their age.
    """

    def __init__(self, folder: Path, retention: Retention, clock: Clock) -> None:
        self.folder = folder
        self.written = Written()
        """Counts the bytes of videos in this run; for who writes them."""
        self._retention, self._clock = retention, clock
        self._lock = FolderLock(folder)
        self._shelves = Shelves()
        self._writing: set[tuple[str, RecordingKey]] = set()
        self._undeleted: list[tuple[str, RecordingKey]] = []
        self._changing = threading.Lock()
        """Held around every use of the three above."""
        self._freeing = threading.Lock()
        """Held while room is made: who waits for it may find enough."""
        self._scanned, self._wake, self._stop = (threading.Event() for _ in range(3))
        self._thread: threading.Thread | None = None
        self._end_s = 0.0
        self._said: set[str] = set()

    def prepare(self, source_ids: Iterable[str] = ()) -> None:
        """Make the folder, and make sure that it can be written and that nobody else holds it.

        Args:
            source_ids: the cameras whose folders are looked at, too.
        Raises:
            ConfigError: it cannot, somebody does, or the folder of a camera leads elsewhere.
        """
        prepare_folder(self.folder)
        for source_id in source_ids:
            refuse_way_out(self.folder, source_id)
        self._lock.acquire()
        self._lock.release()

    def __enter__(self) -> Self:
        prepare_folder(self.folder)
        self._lock.acquire()
        self._thread = threading.Thread(target=self._keep, name=f"archive {self.folder}")
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Apply the retention once more and let go of the folder."""
        self._end_s = self._clock.monotonic() + _END_S
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._lock.release()

    def begin(self, source_id: str, at: datetime, suffix: str = ".mp4") -> Path:
        """Make a new, empty file whose name no other has; `finish` or `discard` it.

        Args:
            source_id: the camera.
            at: the time of the first frame.
            suffix: one of `VIDEO_SUFFIXES`.
        Returns:
            `folder/<id>/<id>_20261124T034512.123Z.mp4.part`, with `-2`, `-3` ... if that is taken.
        Raises:
            ConfigError: the id is not a name, or its folder leads elsewhere.
            OSError: the file cannot be made, for instance because the disk is full.
        """
        assert suffix in VIDEO_SUFFIXES, suffix
        folder = make_camera_folder(self.folder, source_id)
        with self._changing:
            for number in count(1):
                key = recording_key(at, number)
                if is_taken(folder, key):
                    continue
                path = folder / f"{stem(source_id, key)}{suffix}{PART}"
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
                self._writing.add((source_id, key))
                return path
        raise AssertionError("numbers never end")

    def finish(self, part: Path) -> Path:
        """Give a file its final name, once it and all that belongs to it are written.

        Returns:
            The new path, without `.part`.
        Raises:
            OSError: it cannot be renamed; the next run will mend it.
        """
        path, source_id, key = part.with_suffix(""), part.parent.name, _key(part)
        os.rename(part, path)
        self._shelve(part.parent, key)
        with self._changing:
            self._writing.discard((source_id, key))
        self._wake.set()
        return path

    def discard(self, part: Path) -> None:
        """Delete a file in which there is nothing worth keeping, and what belongs to it.

        Raises:
            OSError: it cannot be deleted; the next run will mend it.
        """
        key = _key(part)
        part.unlink(missing_ok=True)
        delete_recording(part.parent, key)
        with self._changing:
            self._writing.discard((part.parent.name, key))

    def make_room(self, needed_bytes: int = ROOM_BYTES) -> bool:
        """The disk is full: delete the oldest recordings of all cameras, but not the newest.

        Args:
            needed_bytes: that are to be free then, or more if the retention says so.
        Returns:
            Whether there is more room now; if not, the disk is full of other things.
        """
        if not self._scanned.wait(_SCAN_WAIT_S):
            return False
        freed = self._free(max(needed_bytes, self._retention.min_free or 0))
        if freed is None:  # another camera has just made room
            return True
        if freed:
            self._say_once("the disk is full: the oldest recordings are deleted to make room")
        else:
            self._say_once(
                "the disk is full, and there are no recordings to delete; free some space"
            )
        return freed > 0

    def tidy(self) -> None:
        """Apply the retention now; what could not be deleted is tried again."""
        retention, oldest_ms = self._retention, None
        with self._changing:
            again, self._undeleted = self._undeleted, []
        for source_id, key in again:
            self._shelve(self.folder / source_id, key)
        if retention.max_age is not None:
            oldest = self._clock.now() - timedelta(seconds=retention.max_age)
            oldest_ms = recording_key(oldest).begun_ms
        with self._changing:
            surplus = list(self._shelves.take_surplus(oldest_ms, retention.max_size))
        self._delete(surplus)
        if retention.min_free is not None and self._free(retention.min_free) == 0:
            self._say_once("less than min_free is free, and there are no recordings to delete")

    def _shelve(self, folder: Path, key: RecordingKey) -> None:
        recording = Recording(key, size_of(folder, key))
        with self._changing:
            self._shelves.put(folder.name, recording)

    def _free(self, needed_bytes: float) -> int | None:
        """Delete the oldest until so much is free; how much was, None where there was no need."""
        with self._freeing:
            try:
                missing = needed_bytes - shutil.disk_usage(self.folder).free
            except OSError as error:
                self._say_once(f"its disk cannot be looked at: {error.strerror}")
                return 0
            if missing <= 0:
                return None
            freed = 0
            while freed < missing:  # some cannot be deleted
                with self._changing:
                    oldest = list(self._shelves.take_oldest(missing - freed))
                if not oldest:
                    break
                freed += self._delete(oldest)
            return freed

    def _delete(self, recordings: Sequence[tuple[str, Recording]]) -> int:
        """Delete recordings; how many bytes they had."""
        freed = 0
        for source_id, recording in recordings:
            if self._stop.is_set() and self._clock.monotonic() > self._end_s:
                break  # the next run goes on
            try:
                delete_recording(self.folder / source_id, recording.key)
                freed += recording.size
            except OSError as error:
                self._say_once(f"a recording that is due cannot be deleted: {error.strerror}")
                with self._changing:
                    self._undeleted.append((source_id, recording.key))
        return freed

    def _say_once(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            log.warning("%s: %s", self.folder, words)

    # In the thread.

    def _keep(self) -> None:
        left = self._scan()
        self._scanned.set()
        self.tidy()
        self._mend(left)
        stopping = False
        while not stopping:
            stopping = self._stop.is_set()
            self.tidy()
            if not stopping:
                self._wake.wait(CHECK_S)
                self._wake.clear()

    def _scan(self) -> list[Path]:
        """Shelve what an earlier run has finished; returns what it has not."""
        left: list[Path] = []
        try:
            folders = list(camera_folders(self.folder))
        except OSError as error:
            self._say_once(f"cannot be read: {error.strerror}")
            return left
        for folder in folders:
            try:
                recordings = find_recordings(folder)
            except OSError as error:
                self._say_once(f"{folder.name} cannot be read: {error.strerror}")
                continue
            with self._changing:
                known = self._shelves.keys(folder.name)
                for key, found in recordings.items():
                    if (folder.name, key) in self._writing or key in known:
                        continue  # of this run
                    if found.part is not None:
                        left.append(found.part)
                    else:
                        self._shelves.put(folder.name, Recording(key, found.size))
        return left

    def _mend(self, left: Sequence[Path]) -> None:
        end_s = self._clock.monotonic() + MEND_S
        for part in left:
            if self._stop.is_set():
                return
            try:
                mend(part, lambda: not self._stop.is_set() and self._clock.monotonic() < end_s)
            except OSError as error:
                self._say_once(f"{part.name}: cannot be mended: {error.strerror}")
                continue
            self._shelve(part.parent, _key(part))


def _key(part: Path) -> RecordingKey:
    parsed = parse_name(part.name)
    assert parsed is not None and part.suffix == PART, part
    return parsed[1]
