"""Files that a crash left: video is given its index, and torn lines are cut."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
from av.container import InputContainer

from sinks.archive.recording_names import BROKEN

log = logging.getLogger(__name__)

_FORMATS = {".mp4": "mp4", ".mov": "mov"}
_MAX_PIXELS = 16384 * 8704
"""Of a picture, which may be claimed to be of any size."""
_PATIENCE = 500
"""Packets in which a first picture must be."""
_CHUNK = 1 << 16

_LIBAV_ERRORS = (av.error.FFmpegError, OSError, ValueError, MemoryError)


def mend(part: Path, go_on: Callable[[], bool]) -> Path:
    """Make a whole recording of what a crash left, and say what was done.

    Args:
        part: `NAME.mp4.part`, of whatever content.
        go_on: asked from time to time; False ends what takes long. Such a file is only renamed:
            as it was written in fragments, it can be played, but is slow to seek in.
    Returns:
        `NAME.mp4`, or `NAME.mp4.broken` where there is no frame to be seen.
    Raises:
        OSError: it cannot be renamed.
    """
    path = part.with_suffix("")
    lines = path.with_suffix(".jsonl")
    if lines.is_file() and not lines.is_symlink() and (cut := cut_torn_line(lines)):
        log.warning("%s: an earlier run did not finish it; %d bytes of a torn line cut", lines, cut)
    if not has_video(part, path.suffix):
        broken = path.with_name(f"{path.name}{BROKEN}")
        os.rename(part, broken)
        log.warning("%s: an earlier run did not finish it, and it shows nothing", broken)
        return broken
    whole = go_on() and _remux_in_place(part, path, go_on)
    os.rename(part, path)
    how = "its index is made" if whole else "it is kept as it is"
    log.warning("%s: an earlier run did not finish it; %s", path, how)
    return path


def _remux_in_place(part: Path, path: Path, go_on: Callable[[], bool]) -> bool:
    # The next run finds the same name, should this one end meanwhile.
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        if not remux(part, temporary, path.suffix, go_on):
            return False
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, part)
        return True
    except OSError:
        return False
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def has_video(path: Path, suffix: str) -> bool:
    """Whether there is at least one video frame that can be decoded.

    Args:
        path: a file of whatever content.
        suffix: of its format, `.mp4` or `.mov`.
    """
    try:
        with _opened(path, suffix) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:  # no decoder for it
                return False
            stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
            stream.codec_context.thread_count = 1
            for number, packet in enumerate(container.demux(stream)):
                if any(not frame.is_corrupt for frame in packet.decode()):
                    return True
                if number >= _PATIENCE:
                    break
    except (*_LIBAV_ERRORS, IndexError):
        pass
    return False


def count_pictures(path: Path, suffix: str) -> int:
    """How many whole pictures there are; 0 where not even the first can be decoded.

    Args:
        path: a file of whatever content.
        suffix: of its format, `.mp4` or `.mov`.
    """
    count = 0
    if has_video(path, suffix):
        with suppress(*_LIBAV_ERRORS), _opened(path, suffix) as container:
            for packet in container.demux(container.streams.video[0]):
                count += packet.size > 0 and not packet.is_corrupt
    return count


def remux(path: Path, target: Path, suffix: str, go_on: Callable[[], bool]) -> bool:
    """Copy what can be read of a file into a new one with an index, without re-encoding.

    Args:
        path: a file without its end.
        target: the new file, replaced.
        suffix: of the format of both.
        go_on: asked from time to time; False ends the work.
    Returns:
        False where it was ended, or not all was copied; the target is of no use then.
    """
    try:
        with (
            _opened(path, suffix) as source,
            av.open(f"file:{target}", "w", format=_FORMATS[suffix]) as copy,
        ):
            streams = {
                stream.index: copy.add_stream_from_template(stream)
                for stream in source.streams
                if stream.type in ("video", "audio")
            }
            for packet in source.demux(*(source.streams[index] for index in streams)):
                if packet.dts is None or packet.is_corrupt:  # the flush at the end; a torn one
                    continue
                if not go_on():
                    return False
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    except _LIBAV_ERRORS:
        return False
    return True


def cut_torn_line(path: Path) -> int:
    """Cut what follows the last whole line; returns the bytes that went.

    Raises:
        OSError: the file cannot be changed.
    """
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - _CHUNK)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                end = begin + found + 1
                break
            end = begin
        if end < size:
            file.truncate(end)
    return size - end


def _opened(path: Path, suffix: str) -> InputContainer:
    return av.open(f"file:{path}", format=_FORMATS[suffix])
