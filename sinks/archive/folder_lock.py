"""A folder that one run at a time writes to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.errors import ConfigError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = ".watchline.lock"


class FolderLock:
    """Holds a folder until it is released, or the process has ended, however it ends.

    Args:
        folder: that exists and can be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the folder.

        Raises:
            ConfigError: somebody has it.
        """
        try:
            descriptor = os.open(self._folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ConfigError(f"{self._folder}: cannot write there: {error.strerror}") from error
        try:
            _lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise ConfigError(
                f"{self._folder}: another run or another output records there; "
                "choose another folder"
                if isinstance(error, BlockingIOError | PermissionError)
                else f"{self._folder}: cannot be locked: {error.strerror}; choose another folder"
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Leave the folder to others. The file stays: who removes it may remove another's lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
