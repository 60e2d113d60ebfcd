"""What the page and the server say to each other over `/api/live`.

A page says, as JSON,

    {"watch": [{"camera": "gate", "width": 640, "fps": 10, "rules": false}]}
    {"ack": "gate"}

The first replaces what it watched before. The second says that a picture was shown: until then no
other of that camera follows, and then the newest. The server sends, as bytes, the length of a
header (4, big-endian), the header (JSON) and a JPEG. It closes with 4400 after a message that is
none of these, with 4401 when the session has ended, with 4429 where too many look already, and
with 1001 when it ends itself.
"""

from __future__ import annotations

import json
import struct
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sinks.dashboard.live.view import LEAST_FPS, LEAST_WIDTH, MOST_FPS, MOST_WIDTH, Shot, View

MOST_WATCHED = 256
"""Cameras that one viewer may watch."""
MOST_LETTERS = 65_536
"""Of one message."""
_LENGTH = struct.Struct(">I")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Width = Annotated[int, Field(ge=LEAST_WIDTH, le=MOST_WIDTH)]
Fps = Annotated[float, Field(ge=LEAST_FPS, le=MOST_FPS, allow_inf_nan=False)]


class BadMessage(Exception):
    """A message that is none of those that are known."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Watched(_Message):
    """One camera that is watched."""

    camera: Name
    width: Width = 640
    """Of the picture on the page, pixels."""
    fps: Fps = 10.0
    """Pictures a second at most."""
    rules: bool = False
    """Draw zones and lines into the picture."""

    def view(self) -> View:
        """What pictures are made for."""
        return View.of(self.camera, self.width, rules=self.rules)


class Watch(_Message):
    """Watch these cameras, and no others any more."""

    watch: Annotated[list[Watched], Field(max_length=MOST_WATCHED)]


class Ack(_Message):
    """The latest picture of a camera was shown: another may come."""

    ack: Name


_MESSAGES: TypeAdapter[Watch | Ack] = TypeAdapter(Watch | Ack)


def parse(text: str) -> Watch | Ack:
    """Read what a client said.

    Raises:
        BadMessage: in words of ours alone, short enough for a close reason.
    """
    if len(text) > MOST_LETTERS:
        raise BadMessage(f"a message has at most {MOST_LETTERS} letters")
    try:
        message = _MESSAGES.validate_json(text)
    except ValidationError:
        raise BadMessage('expected {"watch": [...]} or {"ack": "camera"} as documented') from None
    if isinstance(message, Watch):
        cameras = {watched.camera for watched in message.watch}
        if len(cameras) < len(message.watch):
            raise BadMessage("watch: a camera stands twice")
    return message


def pack(shot: Shot, age_s: float) -> bytes:
    """A picture with what is told of it: the length of the header, the header, the JPEG."""
    header = json.dumps({**shot.about, "age_s": round(age_s, 3)}).encode()
    return b"".join((_LENGTH.pack(len(header)), header, shot.jpeg))
