"""A disk that fills up."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as a disk would that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes at a folder, which is made.

    Where that is not allowed the test is skipped, or with CI=true fails.
    """
    folder.mkdir()
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size={size},uid={os.geteuid()},gid={os.getegid()}"
    try:
        subprocess.run(
            [*root, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        told = f"no small disk can be mounted: {getattr(error, 'stderr', error)}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    try:
        yield folder
    finally:
        subprocess.run([*root, "umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill the disk of a folder up to so many bytes with one file, which is not ours."""
    path = folder / "somebody-elses.bin"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(folder) - leave)
    return path


def free_bytes(folder: Path) -> int:
    """What the disk of a folder has free."""
    return shutil.disk_usage(folder).free
