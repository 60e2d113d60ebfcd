"""`CopiedRecording`: copied video of one source in files that follow one another."""

from __future__ import annotations

import errno
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.packets import MediaFormat, MediaPacket
from pipeline.types import Result
from sinks.archive.archive import Archive
from sinks.archive.mend import count_pictures
from sinks.copied.copied_file import DISK_FAULTS, CopiedFile, UnfitError
from sinks.copied.detections_beside import DetectionsBeside
from sinks.copied.outages import Outages
from sinks.copied.parameter_sets import ParameterSets

log = logging.getLogger(__name__)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_STEADY_S = 2.0
"""How much video must have been written for an outage to be over: a fragment of it is there."""
_MAX_BEHIND = 2
"""Finished files whose detections are still waited for."""


@dataclass(slots=True)
class _Open:
    """What is being written."""

    part: Path
    file: CopiedFile
    detections: DetectionsBeside
    pictures: int = 0
    """That were to be written."""


class CopiedRecording:
    """Writes the packets of a source to an archive.

    A file begins with a keyframe. It ends before one, when it is long enough, or where one file
    cannot go on: at a new connection, other parameters of the codec, or a jump of the timestamps.
    What is lost on the way, or cannot be written because the disk is full, is left out up to the
    next keyframe, and counted.

    Args:
        source_id: the source.
        archive: for the files, already entered.
        outages: of the disk; count the pictures and lines that are lost to it.
        purpose: what the files are, for messages.
        length_s: least length after which a new file begins; None for none.
        audio: keep the sound.
        on_finished: told of each file that is complete but for its detections.
    """

    def __init__(
        self,
        source_id: str,
        archive: Archive,
        outages: Outages,
        purpose: str,
        *,
        length_s: float | None = None,
        audio: bool = True,
        on_finished: Callable[[Path], object] = lambda _path: None,
    ) -> None:
        self._on_finished = on_finished
        self._name = f"{source_id}: {purpose}"
        self._source_id = source_id
        self._archive = archive
        self._outage = outages.of(source_id, "pictures")
        self._lines_outage = outages.of(source_id, "lines")
        self._steady_from_s: float | None = None
        self._length_s = length_s
        self._audio = audio
        self._open: _Open | None = None
        self._behind: deque[DetectionsBeside] = deque()
        self._format: MediaFormat | None = None
        self._sets: ParameterSets | None = None
        self._parameters: bytes | None = None
        self._size: tuple[int, int] | None = None
        self._number: int | None = None
        self._waits = True  # for a keyframe
        self._unfit: MediaFormat | None = None
        self._said: set[str] = set()

    def write(self, packet: MediaPacket) -> None:
        """Take a packet."""
        if packet.kind == "video":
            self._write_video(packet)
        elif self._open is not None and packet.format is self._format:
            self._copy(packet)

    def note(self, result: Result) -> None:
        """Take what was found in a picture, some time after its packet."""
        number = result.frame.packet
        if number is None:
            return
        while self._behind and self._open is not None and number >= self._open.file.first.number:
            self._behind.popleft().close()  # results have gone past it
        current = () if self._open is None else (self._open.detections,)
        for detections in (*self._behind, *current):
            detections.write(result)

    def finish(self) -> None:
        """End the present file; what is found in it may still come."""
        self._finish()
        self._waits = True

    def close(self) -> None:
        """End it all."""
        self.finish()
        while self._behind:
            self._behind.popleft().close()

    def _write_video(self, packet: MediaPacket) -> None:
        if self._number is not None and packet.number != self._number + 1:
            self._waits = True
            self._say_once("too slow for some packets; they are left out up to a keyframe")
        self._number = packet.number
        if packet.format is self._unfit:
            return
        if packet.is_keyframe:
            self._prepare(packet)
            self._waits = self._open is None
        elif packet.format is not self._format:
            self._waits = True
        if self._waits:
            self._count_missing()
        else:
            self._copy(packet)

    def _prepare(self, keyframe: MediaPacket) -> None:
        """Begin a new file if one is due."""
        changed = keyframe.format is not self._format
        if changed or self._sets is None:
            self._format, self._sets = keyframe.format, ParameterSets(keyframe.format)
            self._parameters = None
        parameters = self._sets.of(keyframe)
        if parameters is not None and parameters != self._parameters:
            # Before the first ones it is known only from outside of the stream what they are.
            self._size = self._sets.size_of(keyframe, parameters)
            self._parameters, changed = parameters, True
        if self._open is not None and (changed or self._is_enough(self._open.file, keyframe)):
            self._finish()
        if self._open is None and (not self._outage.lasts or self._outage.is_due):
            self._begin(keyframe)

    def _is_enough(self, file: CopiedFile, keyframe: MediaPacket) -> bool:
        if not file.goes_on_with(keyframe):
            return True
        length = (keyframe.pts - file.first.pts) * keyframe.time_base  # exact, unlike a float
        return self._length_s is not None and length >= self._length_s

    def _begin(self, keyframe: MediaPacket) -> None:
        try:
            part = self._archive.begin(self._source_id, keyframe.wall_time)
        except (OSError, ConfigError) as error:  # a link that leads elsewhere, since the run began
            self._fail(error)
            return
        assert self._sets is not None, "made for every keyframe"
        beside = DetectionsBeside(part.with_suffix("").with_suffix(".jsonl"), self._lines_outage)
        try:
            extradata = None if self._sets.codec == "mjpeg" else self._parameters
            file = CopiedFile(part, keyframe, extradata, self._size, audio=self._audio)
        except UnfitError as error:
            self._unfit = keyframe.format
            self._discard(part)
            log.error("%s: mp4 cannot hold %s video; use record instead", self._name, error)
        except DISK_FAULTS as error:
            self._discard(part)
            self._fail(error)
        else:
            self._open = _Open(part, file, beside)
            if file.lacks_sound is not None:
                self._say_once(f"without sound: mp4 cannot hold {file.lacks_sound}")

    def _copy(self, packet: MediaPacket) -> None:
        assert self._open is not None
        self._open.pictures += packet.kind == "video"
        try:
            time_s = self._open.file.write(packet)
        except DISK_FAULTS as error:
            self._give_up(error)
            return
        if packet.kind == "video" and time_s is None:
            self._open.pictures -= 1
        elif packet.kind == "video" and time_s is not None:
            self._open.detections.expect(packet.number, time_s)
            if self._outage.lasts and self._is_steady(packet.time_s):
                self._outage.end(self._name)

    def _finish(self) -> None:
        """End the present file, whatever state it is in."""
        if self._open is None:
            return
        try:
            self._open.file.close()
        except DISK_FAULTS as error:
            self._give_up(error)
        else:
            self._keep(self._open)

    def _give_up(self, error: Exception) -> None:
        """End a file that cannot be written further; what is there stays."""
        assert self._open is not None
        failed = self._open
        failed.file.close()
        kept = count_pictures(failed.part, ".mp4")
        if kept:
            self._keep(failed)
        else:
            self._open = None
            failed.detections.close()
            self._discard(failed.part)
        self._fail(error, failed.pictures - kept)

    def _keep(self, done: _Open) -> None:
        self._open = None
        self._behind.append(done.detections)
        if len(self._behind) > _MAX_BEHIND:
            self._behind.popleft().close()
        with suppress(OSError):  # the next run will mend it
            self._on_finished(self._archive.finish(done.part))

    def _discard(self, part: Path) -> None:
        with suppress(OSError):
            self._archive.discard(part)

    def _is_steady(self, time_s: float) -> bool:
        """Whether enough is written since the last fault, now that a picture of this time is."""
        if self._steady_from_s is None:
            self._steady_from_s = time_s
        return time_s - self._steady_from_s >= _STEADY_S

    def _fail(self, error: Exception, lost: int = 0) -> None:
        """Nothing can be written: say so once, make room, and wait."""
        self._waits = True
        self._steady_from_s = None
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        disk_error = error if isinstance(error, OSError) else None
        self._outage.fail(f"{self._name}: cannot be recorded: {reason}", disk_error, lost)
        if getattr(error, "errno", None) in _FULL and self._archive.make_room():
            self._outage.hurry()

    def _count_missing(self) -> None:
        if self._outage.lasts:
            self._outage.lost += 1

    def _say_once(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            log.warning("%s: %s", self._name, words)
