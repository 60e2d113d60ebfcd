"""A configuration with a change in it, checked as a whole; what is wrong tells no secrets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pipeline.config import Config
from pipeline.config_file import named_sources, plain
from pipeline.config_parts import SourceConfig
from pipeline.configured import check_classes, check_sources, check_tracking
from pipeline.control import Rejected, Rules
from pipeline.errors import ConfigError
from pipeline.redact import redact
from pipeline.settings import explain

_FAR = re.compile(r"[a-z][a-z0-9+.-]*://.+", re.IGNORECASE)
_WEBCAM = re.compile(r"([0-9]{1,3}|/dev/video[0-9]{1,3})(\?.*)?")
_LONGEST = 2000
"""Characters of an address."""
_KEY = re.compile(r"[A-Za-z_]{1,32}")


def with_source(config: Config, number: int, settings: Mapping[str, Any]) -> Config:
    """The same with other settings of a source, or with one more.

    Args:
        config: every source with its id.
        number: of the source; how many there are for a new one.
        settings: keys and values of `SourceConfig`.
    Returns:
        Every source with its id.
    Raises:
        Rejected: something is wrong; says what, and never what was given.
    """
    known = ", ".join(sorted(SourceConfig.model_fields))
    if not all(_KEY.fullmatch(key) for key in settings):
        raise Rejected(f"unknown key; known are: {known}")
    sources = [*config.sources[:number], settings, *config.sources[number + 1 :]]
    try:
        changed = Config.model_validate({**dict(config), "sources": sources})
    except ValidationError as error:
        place = f"sources.{number}."
        raise Rejected(explain(error, Config, shown=False).replace(place, "", 1)) from None
    address = changed.sources[number].source
    if address not in [source.source for source in config.sources[number : number + 1]]:
        _check_address(address)
    return with_sources(changed, named_sources(changed))


def with_sources(config: Config, sources: Sequence[SourceConfig]) -> Config:
    """The same with other sources, which are right by themselves."""
    return config.model_copy(update={"sources": list(sources)})


def with_rules(
    config: Config,
    zones: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    class_names: Collection[str],
) -> Config:
    """The same with other rules.

    Raises:
        Rejected: something is wrong; names its path.
    """
    rules = {"zones": list(zones), "lines": list(lines)}
    try:
        changed = Config.model_validate({**dict(config), **rules})
        check_sources(changed, changed.source_ids())
        check_classes(changed, class_names)
        check_tracking(changed)
    except ValidationError as error:
        raise Rejected(explain(error, Config)) from None
    except ConfigError as error:
        raise Rejected(redact(str(error))) from None
    return changed


def check_lasting(config: Config, keys: Collection[str], source_ids: Collection[str]) -> None:
    """Make sure that rules that are kept are about sources that the next run has too.

    Args:
        config: has the rules.
        keys: of lists that are kept.
        source_ids: of the sources.
    Raises:
        Rejected: one is not; names its path.
    """
    for path, item in config.placed():
        unknown = set(item.sources or ()) - set(source_ids)
        if unknown and path.partition(".")[0] in keys:
            raise Rejected(
                f"{path}.sources: {min(unknown)!r} was added for this run only, and rules are kept"
            )


def rules_of(config: Config) -> Rules:
    """The rules of a configuration, and what tells them from others."""
    zones, lines = ([plain(rule) for rule in rules] for rules in (config.zones, config.lines))
    text = json.dumps([zones, lines], sort_keys=True)
    return Rules(hashlib.sha256(text.encode()).hexdigest()[:16], zones, lines)


def _check_address(address: str) -> None:
    """Whoever may use the page may watch cameras, and not read the machine's files."""
    if len(address) > _LONGEST or not address.isprintable():
        raise Rejected(f"source: must have at most {_LONGEST} characters, and no line ends")
    if not (_FAR.fullmatch(address) or _WEBCAM.fullmatch(address)):
        raise Rejected(
            "source: must be an address such as rtsp://HOST/PATH, http://HOST/PATH or test://bars, "
            "or a webcam: 0 or /dev/video0; files and folders are for the configuration alone"
        )
