"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ConfigError, WatchlineError


def write_whole(
    path: Path,
    content: bytes | str,
    fault: type[WatchlineError] = ConfigError,
    *,
    like: os.stat_result | None = None,
) -> None:
    """Write a file, and its folder if need be; an older file is replaced.

    Args:
        path: of the file.
        content: text is written as UTF-8.
        fault: raised when it cannot be written.
        like: of a file whose permissions, and owner if that can be, this one gets.
    Raises:
        ConfigError: or `fault`, naming the file and the reason.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        temporary = path.with_name(f".{uuid.uuid4().hex}.new")
        if path.exists() and not path.is_file() and not path.is_dir():
            raise fault(f"{path}: cannot be written: is a device or a pipe, not a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb", opener=None if like is None else _open_for_owner) as file:
                file.write(data)
                if like is not None:
                    _make_like(temporary, like)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise fault(f"{path}: cannot be written: {error.strerror}") from error
    except ValueError as error:  # "." and "/" name no file, and a zero byte is in no name
        raise fault(f"{str(path)!r}: cannot be written: not the name of a file") from error


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_like(path: Path, like: os.stat_result) -> None:
    with suppress(OSError):  # only who may give files away can
        os.chown(path, like.st_uid, like.st_gid)
    path.chmod(stat.S_IMODE(like.st_mode))
