"""Names of recordings: the camera's slug and the UTC time of the first frame in milliseconds.

`gate/gate_20261124T034512.123Z.mp4`, with `-2`, `-3` ... behind the Z where the name was taken.
What belongs to it bears the same name with another suffix.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pipeline.clock import utc

VIDEO_SUFFIXES = (".mp4", ".mov")
COMPANION_SUFFIXES = (".jsonl", ".json", ".jpg")
PART = ".part"
"""Behind the name of a file while it is written."""
BROKEN = ".broken"
"""Behind the name of one without a readable frame."""
SUFFIXES = (
    *VIDEO_SUFFIXES,
    *COMPANION_SUFFIXES,
    *(f"{suffix}{BROKEN}" for suffix in VIDEO_SUFFIXES),
)
"""All that a recording that is finished may consist of."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Only what `stem` gives: no hour 24, no number -1 or -02.
_NAME = re.compile(
    r"(?P<source_id>[A-Za-z0-9_-]{1,64})"
    r"_(?P<time>[0-9]{8}T(?:[01][0-9]|2[0-3])[0-9]{4}\.[0-9]{3}Z)"
    r"(?:-(?P<number>[2-9]|[1-9][0-9]{1,5}))?(?P<suffix>\.[a-z0-9.]+)"
)


class RecordingKey(NamedTuple):
    """Tells the recordings of a camera apart, and sorts them by age."""

    begun_ms: int
    """UTC, since 1970, in milliseconds."""
    number: int
    """1, or more for those that began in the same millisecond."""

    @property
    def begun(self) -> datetime:
        """The same as a time."""
        return _EPOCH + self.begun_ms * _MILLISECOND


def recording_key(at: datetime, number: int = 1) -> RecordingKey:
    """The key of a recording that begins at a time."""
    return RecordingKey((at - _EPOCH) // _MILLISECOND, number)


def stem(source_id: str, key: RecordingKey) -> str:
    """The name without suffixes."""
    time = utc(key.begun).replace("-", "").replace(":", "")
    return f"{source_id}_{time}" if key.number == 1 else f"{source_id}_{time}-{key.number}"


def parse_name(name: str) -> tuple[str, RecordingKey, str] | None:
    """Take a file's name apart.

    Returns:
        The source id, the key and the suffixes, `.mp4.part` for instance; None for other files.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        begun = datetime.fromisoformat(match["time"])
    except ValueError:  # a 13th month
        return None
    return match["source_id"], recording_key(begun, int(match["number"] or 1)), match["suffix"]
