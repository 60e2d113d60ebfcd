"""Log records on stderr: readable lines for people, JSON lines for programs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from rich.console import Console
from rich.logging import RichHandler

from pipeline.clock import utc
from pipeline.config import LogFormat
from pipeline.redact import redact


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, and a traceback if it has one."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        entry = {
            "time": utc(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class Redacting(logging.Formatter):
    """Another formatter's words without secrets, whoever logged them.

    Args:
        formatter: makes the words.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return redact(self._formatter.format(record))


def set_up_logging(log_format: LogFormat, console: Console) -> None:
    """Send the program's records of level INFO and above to stderr.

    Args:
        log_format: "text" or "json".
        console: a console on stderr, shared with what is drawn live.
    """
    handler: logging.Handler
    if log_format == "json":
        handler = logging.StreamHandler(console.file)
        handler.setFormatter(Redacting(JsonFormatter()))
    elif not console.is_terminal:  # rich would wrap the lines
        handler = logging.StreamHandler(console.file)
        handler.setFormatter(Redacting(logging.Formatter("%(asctime)s %(levelname)s %(message)s")))
    else:
        handler = RichHandler(console=console, show_path=False, rich_tracebacks=False)
        handler.setFormatter(Redacting(logging.Formatter("%(message)s")))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
