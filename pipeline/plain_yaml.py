"""YAML of plain values, read safely: settings and descriptions of datasets."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError
from pipeline.redact import redact

MAX_FILE_BYTES = 1_000_000


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of `key: value` lines; an empty one has none.

    Raises:
        ConfigError: it cannot be read or is something else; names the file and the line.
    """
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
    values = parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold 'key: value' lines, got {type(values).__name__}")
    return values


class PlainLoader(yaml.SafeLoader):
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
                    None, None, f"the key {redact(repr(key))} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# A folder called 2026-01-31 is text and no date.
PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, origin: str) -> Any:
    """Turn YAML into plain values.

    Args:
        text: the YAML.
        origin: where it comes from, for the error message.
    Raises:
        ConfigError: it is not valid, or holds more than plain values.
    """
    try:
        return yaml.load(text, PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{origin}: {where}{error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: is not valid YAML") from error
