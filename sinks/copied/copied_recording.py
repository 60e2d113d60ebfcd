"""`CopiedRecording`: copied video of one source in files that follow one another."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.packets import MediaFormat, MediaPacket
from pipeline.types import Result
from sinks.archive.archive import Archive
from sinks.copied.copied_file import CopiedFile, UnfitError
from sinks.copied.copied_files import CopiedFiles
from sinks.copied.outages import Outages
from sinks.copied.parameter_sets import ParameterSets

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""How much video without a keyframe is told of, where nothing can be recorded before one."""


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
        files: see `CopiedFiles`.
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
        files: list[Path] | None = None,
    ) -> None:
        self._name = f"{source_id}: {purpose}"
        self._files = CopiedFiles(source_id, archive, outages, self._name, audio=audio, files=files)
        self._length_s = length_s
        self._format: MediaFormat | None = None
        self._sets: ParameterSets | None = None
        self._parameters: bytes | None = None
        self._size: tuple[int, int] | None = None
        self._number: int | None = None
        self._waits = True  # for a keyframe
        self._waits_from_s: float | None = None
        self._unfit: MediaFormat | None = None
        self._said: set[str] = set()

    def write(self, packet: MediaPacket) -> None:
        """Take a packet."""
        if packet.kind == "video":
            self._write_video(packet)
        elif packet.format is self._format:
            self._files.write(packet)

    def note(self, result: Result) -> None:
        """Take what was found in a picture, some time after its packet."""
        if result.frame.packet is not None:
            self._files.note(result, result.frame.packet)

    def finish(self) -> None:
        """End the present file; what is found in it may still come."""
        self._files.end()

    def close(self) -> None:
        """End it all."""
        self._files.close()

    def _write_video(self, packet: MediaPacket) -> None:
        if self._number is not None and packet.number != self._number + 1:
            self._waits = True
            self._say_once("too slow for some packets; they are left out up to a keyframe")
        self._number = packet.number
        if packet.format is self._unfit:
            return
        if packet.is_keyframe:
            self._prepare(packet)
            self._waits, self._waits_from_s = False, None
        elif packet.format is not self._format:
            self._waits = True
        if self._waits or self._files.open is None:
            self._miss(packet)
        else:
            self._files.write(packet)

    def _miss(self, packet: MediaPacket) -> None:
        self._files.count_missing()
        if self._waits_from_s is None:
            self._waits_from_s = packet.time_s
        elif packet.time_s - self._waits_from_s >= PATIENCE_S:
            self._say_once(f"no keyframe for {PATIENCE_S:g} s; nothing is recorded before one")

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
        if self._files.open is not None:
            self._end_if_due(self._files.open.file, keyframe, changed)
        if self._files.open is None and self._files.may_begin:
            self._begin(keyframe, None if self._sets.codec == "mjpeg" else self._parameters)

    def _end_if_due(self, file: CopiedFile, keyframe: MediaPacket, changed: bool) -> None:
        if changed or not file.goes_on_with(keyframe):
            self._files.end()
            return
        length = (keyframe.pts - file.first.pts) * keyframe.time_base  # exact, unlike a float
        if self._length_s is not None and length >= self._length_s:
            self._files.end(sound_follows=True)

    def _begin(self, keyframe: MediaPacket, extradata: bytes | None) -> None:
        try:
            self._files.begin(keyframe, extradata, self._size)
        except UnfitError as error:
            self._unfit = keyframe.format
            log.error("%s: mp4 cannot hold %s video; use record instead", self._name, error)
            return
        begun = self._files.open
        if begun is not None and begun.file.lacks_sound is not None:
            self._say_once(f"without sound: mp4 cannot hold {begun.file.lacks_sound}")

    def _say_once(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            log.warning("%s: %s", self._name, words)
