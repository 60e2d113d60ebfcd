"""The configuration: one model for the YAML file, the environment and the flags."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_validator,
)

from pipeline.errors import ConfigError, UsageError

MAX_FILE_BYTES = 1_000_000
ENVIRONMENT_PREFIX = "WATCHLINE__"
MAX_ID_LENGTH = 64
_SLUG = re.compile(r"[A-Za-z0-9_-]+")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


_MAX_SHOWN = 100
"""Characters of a wrong value that an error message repeats."""
_MESSAGES = {"model_type": "must hold 'key: value' lines"}
"""Words for errors of pydantic whose own would speak of Python."""


def _between(low: float, high: float) -> tuple[AfterValidator, Any]:
    """A number in low..high, both included, whose error message states the range."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}")
        return value

    return AfterValidator(check), Field(json_schema_extra={"minimum": low, "maximum": high})


def _address(value: object) -> str:
    """The name of a file, which need not be UTF-8, with `~` expanded; or a URL."""
    if not isinstance(value, str | Path) or value == "":
        raise ValueError("must be a path")
    address = str(value)
    if b"\0" in os.fsencode(address):
        raise ValueError("must not hold zero bytes")
    return os.path.expanduser(address)


def _path(value: object) -> Path:
    return Path(_address(value))


_SCORE = _between(0, 1)
_BATCH_SIZE = _between(1, 256)
_WAIT_S = _between(0, 10)
_LANE = _between(1, 1024)
_DURATION_S = _between(0.1, 31_536_000)
_MAX_FRAMES = _between(1, 10**12)

Address = Annotated[str, PlainValidator(_address)]
FilePath = Annotated[Path, PlainValidator(_path)]
Score = Annotated[float, *_SCORE]
Engine = Literal["auto", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
LogFormat = Literal["text", "json"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class SourceConfig(_Strict):
    """One source."""

    source: Address
    """A video file or a folder of pictures."""
    id: str | None = Field(default=None, max_length=MAX_ID_LENGTH)
    """Its name in results and file names; made from the address if not given."""

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str | None) -> str | None:
        if value is not None and not _SLUG.fullmatch(value):
            raise ValueError("may hold letters, digits, '_' and '-' only")
        return value


class BatchConfig(_Strict):
    """How frames are gathered for the detector."""

    size: Annotated[int, *_BATCH_SIZE] = 4
    """Most frames in a batch."""
    max_wait_s: Annotated[float, *_WAIT_S] = 0.01
    """How long the first frame of a batch waits for others."""
    lane: Annotated[int, *_LANE] = 4
    """Frames of one source that may wait for the detector."""


class Config(_Strict):
    """All settings of `watch`; the flags bear the same names."""

    sources: list[SourceConfig] = Field(default_factory=list)
    model: str = "person"
    weights: FilePath | None = None
    device: str = "auto"
    engine: Engine = "auto"
    """What runs the model; so far "auto" is torch."""
    precision: Precision = "auto"
    score: Score = 0.5
    batch: BatchConfig = BatchConfig()
    record: FilePath | None = None
    detections: FilePath | None = None
    events: FilePath | None = None
    duration: Annotated[float, *_DURATION_S] | None = None
    max_frames: Annotated[int, *_MAX_FRAMES] | None = None
    quiet: bool = False
    log_format: LogFormat = "text"

    @field_validator("sources", mode="before")
    @classmethod
    def _accept_plain_addresses(cls, value: object) -> object:
        if isinstance(value, list):
            return [{"source": item} if isinstance(item, str) else item for item in value]
        return value

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise ValueError("must be auto, cpu, cuda or cuda:N")
        return value

    def source_ids(self) -> list[str]:
        """A unique id for each source: its own, or a slug of its address.

        Raises:
            ConfigError: two sources were given the same id.
        """
        given = [source.id for source in self.sources if source.id is not None]
        for source_id in given:
            if given.count(source_id) > 1:
                raise ConfigError(f"sources: the id {source_id!r} is used twice")
        taken, ids = set(given), []
        for source in self.sources:
            source_id = source.id or _unique(slug(source.source), taken)
            taken.add(source_id)
            ids.append(source_id)
        return ids


def slug(address: str) -> str:
    """Turn an address into a short name of letters, digits, `_` and `-`."""
    words = re.findall(r"[A-Za-z0-9_-]+", Path(address).stem)
    return "-".join(words)[:MAX_ID_LENGTH] or "source"


def _unique(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def load_config(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> Config:
    """Merge file, environment and flags, of which each wins over the one before.

    Args:
        path: a YAML file, or None.
        environment: variables such as `WATCHLINE__BATCH__SIZE=8`.
        flags: what the command line gives, by key of `Config`; None means not given.
    Raises:
        ConfigError: the file cannot be read, or a key or a value is wrong; says which and why.
        UsageError: a flag's value is wrong.
    """
    merged: dict[str, Any] = {}
    for origin, layer in (
        (str(path), _read_yaml(path) if path else {}),
        ("environment", _from_environment(environment)),
        ("command line", {key: value for key, value in flags.items() if value is not None}),
    ):
        merged = _merge(merged, layer)
        try:
            config = Config.model_validate(merged)
        except ValidationError as error:
            # The layers below were right, so what is wrong came with this one.
            fault = UsageError if origin == "command line" else ConfigError
            raise fault(f"{origin}: {_explain(error)}") from error
    return config


def _explain(error: ValidationError) -> str:
    """The first fault, with the path of its key and what would be right."""
    first = error.errors()[0]
    location = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
        return f"unknown key {location!r}; {hint}"
    if first["type"] == "missing":
        return f"{location}: is missing"
    message = _MESSAGES.get(first["type"], first["msg"].removeprefix("Value error, "))
    given = repr(first["input"])
    if len(given) > _MAX_SHOWN:
        given = f"{given[:_MAX_SHOWN]}..."
    return f"{location}: {message[0].lower()}{message[1:]}, got {given}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    models: dict[Hashable, type[BaseModel]] = {"sources": SourceConfig, "batch": BatchConfig}
    model = models[location[0]] if location else Config
    return sorted(model.model_fields)


def _merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        both_mappings = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both_mappings else value
    return merged


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            nested: Any = _parse_yaml(text, name)
            for part in reversed(parts):
                nested = {part: nested}
            values = _merge(values, nested)
    return values


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    values = _parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold 'key: value' lines, got {type(values).__name__}")
    return values


class _PlainLoader(yaml.SafeLoader):
    """YAML of plain values: no aliases, which can blow up, no tags, no keys given twice."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = None
        if isinstance(event, yaml.AliasEvent):
            fault = "aliases are not accepted"
        elif event.tag is not None:
            fault = f"tags are not accepted, got {event.tag!r}"
        else:
            node = super().compose_node(parent, index)
            if not (isinstance(node, yaml.ScalarNode) and "\0" in node.value):
                return node
            fault = "zero bytes are not accepted"
        raise yaml.composer.ComposerError(None, None, fault, event.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# A folder called 2026-01-31 is text and no date.
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parse_yaml(text: str, origin: str) -> Any:
    try:
        return yaml.load(text, _PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{origin}: {where}{error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: is not valid YAML") from error
