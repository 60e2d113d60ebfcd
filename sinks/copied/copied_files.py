"""`CopiedFiles`: the files of a recording in their archive, and what to do when the disk fails."""

from __future__ import annotations

import errno
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.packets import MediaPacket
from pipeline.types import Result
from sinks.archive.archive import Archive
from sinks.archive.mend import count_pictures
from sinks.copied.copied_file import DISK_FAULTS, CopiedFile, suffix_for
from sinks.copied.detections_beside import DetectionsBeside
from sinks.copied.outages import Outages

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_STEADY_S = 2.0
"""How much video must have been written for an outage to be over: a fragment of it is there."""
_MAX_BEHIND = 2
"""Files that have ended whose detections are still waited for."""
LATE_SOUND_S = 2.0
"""How long a file that has ended waits for the rest of its sound, which comes behind the video."""


@dataclass(slots=True, eq=False)
class OpenFile:
    """What is being written."""

    part: Path
    file: CopiedFile
    detections: DetectionsBeside
    pictures: int = 0
    """That were to be written."""


class CopiedFiles:
    """One file that is written, and at times the one before, until its sound is complete.

    Where one cannot be written, what is whole of it is kept, the rest is counted, and room is made.

    Args:
        source_id: the source.
        archive: for the files, already entered.
        outages: of the disk; count the pictures and lines that are lost to it.
        name: of the recording, for messages.
        audio: keep the sound.
        files: gets the name of each file that is begun, as it will be in the end; those of which
            nothing is kept go again.
    """

    def __init__(
        self,
        source_id: str,
        archive: Archive,
        outages: Outages,
        name: str,
        *,
        audio: bool,
        files: list[Path] | None,
    ) -> None:
        self._source_id, self._archive, self._name = source_id, archive, name
        self._outages = outages
        self._outage = outages.of(source_id, "pictures")
        self._lines_outage = outages.of(source_id, "lines")
        self._audio = audio
        self._files = files
        self.open: OpenFile | None = None
        """The file that is written; None before the first and after a fault."""
        self._late: OpenFile | None = None
        self._behind: deque[DetectionsBeside] = deque()
        self._steady_from_s: float | None = None

    @property
    def may_begin(self) -> bool:
        """Whether it is worth trying to begin a file."""
        return not self._outage.lasts or self._outage.is_due

    def begin(
        self, keyframe: MediaPacket, extradata: bytes | None, size: tuple[int, int] | None
    ) -> None:
        """Begin a file, if the disk allows it; see `CopiedFile`.

        Raises:
            UnfitError: there is no file for such a video.
        """
        try:
            suffix = suffix_for(keyframe.format, audio=self._audio)
            part = self._archive.begin(self._source_id, keyframe.wall_time, suffix)
        except (OSError, ConfigError) as error:  # a link that leads elsewhere, since the run began
            self._fail(error)
            return
        file = None
        try:
            file = CopiedFile(
                part,
                keyframe,
                extradata,
                size,
                audio=self._audio,
                written=self._archive.written,
            )
        except DISK_FAULTS as error:
            self._fail(error)
        finally:
            if file is None:
                self._discard(part)
        if file is not None:
            beside = part.with_suffix("").with_suffix(".jsonl")
            self.open = OpenFile(part, file, DetectionsBeside(beside, self._lines_outage))
            if self._files is not None:
                self._files.append(part.with_suffix(""))

    def write(self, packet: MediaPacket) -> None:
        """Append a packet to the file that is open; or to the one before, if it is of its sound."""
        if self.open is not None and self._late is not None:
            begin_s = self.open.file.first.pts_s
            if packet.kind == "audio" and packet.pts_s < begin_s:
                self._copy(self._late, packet)
                return
            if packet.kind == "audio" or packet.pts_s > begin_s + LATE_SOUND_S:
                self._finish_late()
        if self.open is not None:
            self._copy(self.open, packet)

    def count_missing(self) -> None:
        """Count a picture that no file is there for, if the disk is the reason."""
        if self._outage.lasts:
            self._outage.lost += 1

    def note(self, result: Result, number: int) -> None:
        """Take what was found in the picture of a packet, some time after that."""
        while self._behind and self.open is not None and number >= self.open.file.first.number:
            self._behind.popleft().close()  # results have gone past it
        current = () if self.open is None else (self.open.detections,)
        for detections in (*self._behind, *current):
            detections.write(result)

    def end(self, *, sound_follows: bool = False) -> None:
        """End the file that is open.

        Args:
            sound_follows: the rest of its sound is still to come, between the video of the next.
        """
        self._finish_late()
        if self.open is None:
            return
        ended, self.open = self.open, None
        self._behind.append(ended.detections)
        if len(self._behind) > _MAX_BEHIND:
            self._behind.popleft().close()
        if sound_follows and ended.file.has_sound:
            self._late = ended
        else:
            self._finish(ended)

    def close(self) -> None:
        """End it all; results are no longer waited for."""
        self.end()
        while self._behind:
            self._behind.popleft().close()

    def _copy(self, target: OpenFile, packet: MediaPacket) -> None:
        is_video = packet.kind == "video"
        try:
            time_s = target.file.write(packet)
        except DISK_FAULTS as error:
            target.pictures += is_video
            self._give_up(target, error)
            return
        if is_video and time_s is None:
            self._outages.leading += 1
        elif is_video and time_s is not None:
            target.pictures += 1
            target.detections.expect(packet.number, time_s)
            if self._outage.lasts and self._is_steady(packet.time_s):
                self._outage.end(self._name)

    def _finish_late(self) -> None:
        if self._late is not None:
            late, self._late = self._late, None
            self._finish(late)

    def _finish(self, ended: OpenFile) -> None:
        """Finish a file, whatever state it is in."""
        try:
            ended.file.close()
        except DISK_FAULTS as error:
            self._give_up(ended, error)
        else:
            self._keep(ended, ended.pictures)

    def _give_up(self, failed: OpenFile, error: Exception) -> None:
        """End a file that cannot be written further; what is whole of it stays."""
        failed.file.close()
        kept = count_pictures(failed.part, failed.part.with_suffix("").suffix)
        if failed is self.open:
            self.open = None
            self._behind.append(failed.detections)
        elif failed is self._late:
            self._late = None
        if kept:
            self._keep(failed, kept)
        else:
            failed.detections.close()
            self._discard(failed.part)
        self._fail(error, failed.pictures - kept)

    def _keep(self, done: OpenFile, pictures: int) -> None:
        try:
            self._archive.finish(done.part)
        except OSError as error:  # the next run will mend it, if it is there
            self._fail(error, 0 if done.part.exists() else pictures)
            self._outage.hurry()  # the next file may fare better

    def _discard(self, part: Path) -> None:
        if self._files is not None and part.with_suffix("") in self._files:
            self._files.remove(part.with_suffix(""))
        with suppress(OSError):
            self._archive.discard(part)

    def _is_steady(self, time_s: float) -> bool:
        """Whether enough is written since the last fault, now that a picture of this time is."""
        if self._steady_from_s is None:
            self._steady_from_s = time_s
        return time_s - self._steady_from_s >= _STEADY_S

    def _fail(self, error: Exception, lost: int = 0) -> None:
        """Something cannot be written: say so once, make room, and wait."""
        self._steady_from_s = None
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        disk_error = error if isinstance(error, OSError) else None
        self._outage.fail(f"{self._name}: cannot be recorded: {reason}", disk_error, lost)
        if getattr(error, "errno", None) in _FULL and self._archive.make_room():
            self._outage.hurry()
