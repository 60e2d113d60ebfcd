"""Output files: made where the user asked, refused early and clearly where they cannot be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pipeline.errors import ConfigError


def prepare_folder(folder: Path) -> None:
    """Create a folder for output and make sure that files can be written there.

    Raises:
        ConfigError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot write there: {error.strerror}; choose a folder you may write to"
        ) from error


def prepare_file(path: Path) -> None:
    """Make sure that a file can be created or overwritten, without touching it.

    Raises:
        ConfigError: it cannot.
    """
    # The methods of Path raise for names that are too long.
    if os.path.isdir(path):
        raise ConfigError(f"{path}: is a folder; name a file")
    if not os.path.exists(path):
        prepare_folder(path.parent)
    elif not os.access(path, os.W_OK):
        raise ConfigError(f"{path}: may not be overwritten; choose another file")


def remove_old_file(path: Path) -> None:
    """Remove what another run left; links stay, to be written through, and so do devices.

    Raises:
        ConfigError: it cannot be removed.
    """
    try:
        if os.path.isfile(path):
            os.unlink(os.path.realpath(path))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be replaced: {error.strerror}; choose another file"
        ) from error


def make_new_file(path: Path) -> bool:
    """Make an empty file unless there is something of the name, whoever makes that meanwhile.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.open("xb").close()
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return True
