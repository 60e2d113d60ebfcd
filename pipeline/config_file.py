"""`ConfigFile`: what is changed while a run goes on, in the user's own configuration file."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config import Config, in_part
from pipeline.config_parts import MotionConfig, SourceConfig
from pipeline.config_text import Entry, with_list
from pipeline.control import Conflict
from pipeline.errors import ConfigError
from pipeline.plain_yaml import MAX_FILE_BYTES, parse_yaml
from pipeline.settings import Settings
from pipeline.source_ids import unique_ids
from pipeline.whole_file import write_whole


class ConfigFile:
    """A file that a run has begun with; comments, order and whatever does not change stay.

    Args:
        path: of it, perhaps a link.
    Raises:
        ConfigError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._content = self._read(ConfigError)

    def save(self, before: Config, after: Config, keys: Collection[str]) -> None:
        """Let the file say what a configuration says.

        Args:
            before: what it says, as the run has read it; every source with its id.
            after: what it is to say; every source with its id.
            keys: of lists, in which they differ.
        Raises:
            Conflict: somebody else has changed it, or it cannot be changed or written.
        """
        if self._read(Conflict) != self._content:
            raise self._conflict("was changed by somebody else; restart the run to go by it")
        text = self._content.decode()
        windows = "\r\n" in text and text.count("\n") == text.count("\r\n")
        text = text.replace("\r\n", "\n") if windows else text
        said = in_part(parse_yaml(text, str(self._path)) or {})
        new, intended = text, {}
        try:
            for key in keys:
                if _named(said)[key] != _named(before)[key]:
                    raise self._conflict("was changed before the run began; restart it")
                intended[key] = _intended(said, after) if key == "sources" else getattr(after, key)
                new = with_list(new, key, _entries(key, said, after, intended[key]))
        except ConfigError as error:
            raise self._conflict(str(error)) from error
        new = new.replace("\n", "\r\n") if windows else new
        self._check(text, new, intended, after)
        self._write(new.encode())

    def _check(
        self, old: str, new: str, intended: dict[str, Sequence[Settings]], after: Config
    ) -> None:
        """Make sure that the new text says what it should, and else what the old one said."""
        origin = str(self._path)
        try:
            before, read = parse_yaml(old, origin) or {}, parse_yaml(new, origin) or {}
            config = in_part(read)
            is_right = all(getattr(config, key) == value for key, value in intended.items())
            if "sources" in intended:
                is_right = is_right and config.source_ids() == after.source_ids()
        except (ConfigError, ValidationError):
            is_right = False
        others = is_right and _without(before, intended) == _without(read, intended)
        if not others or len(new.encode()) > MAX_FILE_BYTES:
            raise self._conflict("is written in a way that the program cannot change; edit it")

    def _read(self, fault: type[ConfigError] | type[Conflict]) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise fault(f"{self._path}: cannot be read: {error.strerror}") from error

    def _write(self, content: bytes) -> None:
        target = Path(os.path.realpath(self._path))
        try:
            like = target.stat()
        except OSError as error:
            raise self._conflict(f"cannot be read: {error.strerror}") from error
        write_whole(target, content, Conflict, like=like)
        self._content = content

    def _conflict(self, reason: str) -> Conflict:
        return Conflict(f"{self._path}: {reason}")


def plain(item: Settings) -> dict[str, Any]:
    """Settings as they stand in a file, without those that have their usual values."""
    values = item.model_dump(mode="json", exclude_defaults=True)
    motion = getattr(item, "motion", None)
    if motion is not None:
        usual = {True: MotionConfig(), False: MotionConfig(enabled=False)}
        values["motion"] = next(
            (on for on, same in usual.items() if same == motion), values["motion"]
        )
    return values


def _without(values: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _named(config: Config) -> dict[str, list[Any]]:
    """The lists that may change, sources with their ids."""
    return {"sources": named_sources(config), "zones": config.zones, "lines": config.lines}


def named_sources(config: Config) -> list[SourceConfig]:
    """The sources, each with its id."""
    named = zip(config.sources, config.source_ids(), strict=True)
    return [source.model_copy(update={"id": source_id}) for source, source_id in named]


def _intended(said: Config, after: Config) -> list[SourceConfig]:
    """The sources as they are to stand: without an id where that is made from the address."""
    ids, old = after.source_ids(), dict(zip(said.source_ids(), said.sources, strict=True))
    intended = [
        item.model_copy(update={"id": None}) if item.id in old and old[item.id].id is None else item
        for item in after.sources
    ]
    while (made := unique_ids(intended)) != ids:
        wrong = next(number for number, made_id in enumerate(made) if made_id != ids[number])
        intended[wrong] = after.sources[wrong]
    return intended


def _labels(key: str, config: Config) -> list[object]:
    """What tells the entries of a list apart."""
    if key == "sources":
        return list(config.source_ids())
    return [(rule.name, rule.sources) for rule in getattr(config, key)]


def _entries(key: str, said: Config, after: Config, new: Sequence[Settings]) -> list[Entry]:
    """A list as it is to be, with what becomes of its old entries."""
    old: Sequence[Settings] = getattr(said, key)
    labels, wanted = _labels(key, said), _labels(key, after)
    free, places = dict(enumerate(old)), dict[int, int]()
    for number, item in enumerate(new):
        place = next((place for place, other in free.items() if other == item), None)
        if place is not None:
            places[number] = place
            del free[place]
    for number in set(range(len(new))) - places.keys():
        place = next((place for place in free if labels[place] == wanted[number]), None)
        if place is not None:
            places[number] = place
            del free[place]
    return [_entry(item, places.get(number), old) for number, item in enumerate(new)]


def _entry(item: Settings, place: int | None, old: Sequence[Settings]) -> Entry:
    if place is None:
        return Entry(plain(item))
    keys = type(item).model_fields
    before = old[place]
    return Entry(
        plain(item),
        place,
        frozenset(key for key in keys if getattr(item, key) != getattr(before, key)),
    )
