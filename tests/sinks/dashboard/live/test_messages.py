"""Messages of clients, well meant and not."""

from __future__ import annotations

import json

import pytest

from sinks.dashboard.live.messages import MOST_LETTERS, Ack, BadMessage, Watch, parse
from sinks.dashboard.live.view import View

HOSTILE = {
    "no JSON": "watch gate",
    "nothing": "",
    "no object": "[]",
    "empty": "{}",
    "unknown key": '{"watch": [], "also": 1}',
    "both": '{"watch": [], "ack": "gate"}',
    "unknown key within": '{"watch": [{"camera": "gate", "format": "png"}]}',
    "no camera": '{"watch": [{"width": 640}]}',
    "no list": '{"watch": {"camera": "gate"}}',
    "a name with a path": '{"watch": [{"camera": "../gate"}]}',
    "an empty name": '{"ack": ""}',
    "a name with a newline": '{"ack": "gate\\n"}',
    "a long name": json.dumps({"ack": "g" * 65}),
    "no name": '{"ack": 1}',
    "half a letter": '{"ack": "\\ud800"}',
    "not a number": '{"watch": [{"camera": "gate", "fps": NaN}]}',
    "infinite": '{"watch": [{"camera": "gate", "fps": Infinity}]}',
    "overflowing": '{"watch": [{"camera": "gate", "fps": 1e999}]}',
    "never": '{"watch": [{"camera": "gate", "fps": 0}]}',
    "too fast": '{"watch": [{"camera": "gate", "fps": 31}]}',
    "too wide": '{"watch": [{"camera": "gate", "width": 3841}]}',
    "too narrow": '{"watch": [{"camera": "gate", "width": 15}]}',
    "a half pixel": '{"watch": [{"camera": "gate", "width": 640.5}]}',
    "a word": '{"watch": [{"camera": "gate", "width": "640"}]}',
    "a number for a truth": '{"watch": [{"camera": "gate", "rules": 1}]}',
    "null": '{"watch": null}',
    "a long number": '{"watch": [{"camera": "gate", "width": ' + "9" * 5000 + "}]}",
    "deep": "[" * 30_000,
    "twice": '{"watch": [{"camera": "gate"}, {"camera": "gate", "width": 320}]}',
    "many": json.dumps({"watch": [{"camera": f"c{number}"} for number in range(257)]}),
    "very many": json.dumps({"watch": [{"camera": f"c{number}"} for number in range(10_000)]}),
    "huge": '{"ack": "' + "g" * MOST_LETTERS + '"}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_not_understood_is_told_in_few_words_of_ours(text: str) -> None:
    with pytest.raises(BadMessage) as refusal:
        parse(text)
    reason = str(refusal.value)
    assert 0 < len(reason.encode()) <= 123, "as long as a close reason may be"
    assert "gate" not in reason


def test_what_is_watched() -> None:
    message = parse('{"watch": [{"camera": "gate", "width": 640, "fps": 10, "rules": true}]}')
    assert isinstance(message, Watch)
    (watched,) = message.watch
    assert (watched.view(), watched.fps) == (View("gate", 640, True), 10.0)


def test_what_is_not_said_has_a_usual_value() -> None:
    message = parse('{"watch": [{"camera": "gate"}]}')
    assert isinstance(message, Watch)
    assert (message.watch[0].view(), message.watch[0].fps) == (View("gate", 640, False), 10.0)


def test_nothing_may_be_watched_and_256_cameras_may() -> None:
    assert parse('{"watch": []}') == Watch(watch=[])
    longest = {"width": 3840, "fps": 29.97, "rules": False}
    names = [f"{number:064}" for number in range(256)]
    message = parse(json.dumps({"watch": [{"camera": name, **longest} for name in names]}))
    assert isinstance(message, Watch)
    assert len(message.watch) == 256


def test_an_acknowledgement() -> None:
    assert parse('{"ack": "gate"}') == Ack(ack="gate")
