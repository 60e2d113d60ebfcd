"""Errors a user can meet: each is one clear line and knows its exit code."""

from __future__ import annotations

from typing import ClassVar


class WatchlineError(Exception):
    """Base of every error that is reported as one line instead of a traceback.

    The message names the thing at fault and says what would be right.
    """

    exit_code: ClassVar[int] = 70


class UsageError(WatchlineError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class SourceError(WatchlineError):
    """A camera, stream or file cannot be opened, or stopped delivering."""

    exit_code = 69


class ConfigError(WatchlineError):
    """A configuration value or an output path is wrong."""

    exit_code = 78


class ModelError(WatchlineError):
    """A model is unknown, or its weights are missing, damaged or of another model."""

    exit_code = 78


class DatasetError(WatchlineError):
    """Annotated pictures are missing, empty or contradict themselves."""

    exit_code = 78


class TrainingError(WatchlineError):
    """Training cannot go on: the loss is no longer a number, or a checkpoint does not fit."""


class SinkError(WatchlineError):
    """A result could not be written."""


class PipelineError(WatchlineError):
    """A stage failed; `__cause__` is the error that made it fail."""
