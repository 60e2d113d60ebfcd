"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from pipeline.errors import ConfigError, WatchlineError


def write_whole(
    path: Path, content: bytes | str, fault: type[WatchlineError] = ConfigError
) -> None:
    """Write a file, and its folder if need be; an older file is replaced.

    Args:
        path: of the file.
        content: text is written as UTF-8.
        fault: raised when it cannot be written.
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
            with temporary.open("xb") as file:
                file.write(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise fault(f"{path}: cannot be written: {error.strerror}") from error
    except ValueError as error:  # "." and "/" name no file, and a zero byte is in no name
        raise fault(f"{str(path)!r}: cannot be written: not the name of a file") from error
