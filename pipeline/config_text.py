"""Lists in the text of a YAML file, changed so that all else stays as it was written.

Comments belong to what they stand above; those beside a line, and those that are indented deeper
than an entry's dash below it, to the entry. What is changed in an entry is written on one line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.errors import ConfigError
from pipeline.plain_yaml import PlainLoader

_COLUMN = 2
"""Where the dashes of new lists stand."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping in a list, as it is to be."""

    values: Mapping[str, Any]
    """All of it, plain."""
    old: int | None = None
    """Number of the entry that it was; None for a new one."""
    changed: Collection[str] = field(default_factory=frozenset)
    """Keys that have another value than the old one, or are no more."""


def with_list(text: str, key: str, entries: Sequence[Entry]) -> str:
    """The text with another list under one of its keys.

    Args:
        text: YAML that `parse_yaml` reads, a mapping in lines or nothing.
        key: of the mapping, perhaps a new one.
        entries: of the list.
    Raises:
        ConfigError: the text is written in braces.
    """
    root = yaml.compose(text, PlainLoader)
    if root is not None and (not isinstance(root, yaml.MappingNode) or root.flow_style):
        raise ConfigError("its settings stand in braces, and only lines can be changed")
    pairs = [] if root is None else root.value
    found = next((pair for pair in pairs if pair[0].value == key), None)
    if found is None:
        new = f"{key}:\n{_blocks(entries, _COLUMN)}" if entries else ""
        return text + ("\n" if text and not text.endswith("\n") else "") + new
    begin, value = _after_colon(text, found[0]), found[1]
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        block = _Block(text, begin, value)
        head = text[begin : block.begin] if entries else f" []{text[begin : block.begin]}"
        return text[:begin] + head + block.rewritten(entries) + text[block.end :]
    if not entries:
        return f"{text[:begin]} []{text[value.end_mark.index :]}"
    end = _next_line(text, value.end_mark.index)
    beside = text[value.end_mark.index : end].rstrip()  # a comment
    return f"{text[:begin]}{beside}\n{_blocks(entries, _COLUMN)}{text[end:]}"


class _Block:
    """A list in lines.

    Args:
        text: that it is in.
        begin: index behind the colon of its key.
        node: the list.
    """

    def __init__(self, text: str, begin: int, node: yaml.SequenceNode) -> None:
        self._text, self._items = text, node.value
        self._column = node.start_mark.column
        self.begin = _next_line(text, begin)
        dashes = [
            token.start_mark.index
            for token in yaml.scan(text, PlainLoader)
            if isinstance(token, yaml.BlockEntryToken)
            and token.start_mark.column == self._column
            and node.start_mark.index <= token.start_mark.index < node.end_mark.index
        ]
        self._lines = [text.rfind("\n", 0, dash) + 1 for dash in dashes]
        """Where entries begin."""
        self._ends = [self._past_comments(_next_line(text, _end(item))) for item in node.value]
        self.end = self._ends[-1]

    def rewritten(self, entries: Sequence[Entry]) -> str:
        """Its lines with other entries."""
        return "".join(self._rewritten(entry) for entry in entries)

    def _rewritten(self, entry: Entry) -> str:
        if entry.old is None:
            return _block(entry.values, self._column)
        begin = self._ends[entry.old - 1] if entry.old else self.begin
        line, end = self._lines[entry.old], self._ends[entry.old]
        body = self._edited(entry, line, end) if entry.changed else self._text[line:end]
        return self._text[begin:line] + body + ("" if body.endswith("\n") else "\n")

    def _edited(self, entry: Entry, begin: int, end: int) -> str:
        """The lines of an entry with its changes."""
        assert entry.old is not None
        node = self._items[entry.old]
        if not isinstance(node, yaml.MappingNode) or node.flow_style:
            first, last = node.start_mark.index, node.end_mark.index
            return self._text[begin:first] + _flow(entry.values) + self._text[last:end]
        edits: list[tuple[int, int, str]] = []
        known = {name.value: (name, value) for name, value in node.value}
        for key in entry.changed:
            if key not in entry.values:
                if key == node.value[0][0].value:  # it shares its line with the dash
                    return _block(entry.values, self._column)
                name, value = known[key]
                line = self._text.rfind("\n", 0, name.start_mark.index) + 1
                edits.append((line, _next_line(self._text, _end(value)), ""))
            elif key in known:
                first, last = _span(self._text, *known[key])
                edits.append((first, last, f" {_flow(entry.values[key])}"))
        rest = _next_line(self._text, _end(node))
        fresh = [key for key in entry.values if key in entry.changed and key not in known]
        if fresh:
            before = "" if self._text[:rest].endswith("\n") else "\n"
            indent = " " * node.start_mark.column
            lines = "".join(f"{indent}{key}: {_flow(entry.values[key])}\n" for key in fresh)
            edits.append((rest, rest, before + lines))
        body = self._text[begin:end]
        for first, last, new in sorted(edits, reverse=True):
            body = body[: first - begin] + new + body[last - begin :]
        return body

    def _past_comments(self, index: int) -> int:
        """The end of an entry whose last value ends before `index`."""
        deeper = re.compile(rf" {{{self._column + 1},}}#.*\n?")
        while comment := deeper.match(self._text, index):
            index = comment.end()
        return index


def _after_colon(text: str, key: yaml.Node) -> int:
    return text.index(":", key.end_mark.index) + 1


def _span(text: str, key: yaml.Node, value: yaml.Node) -> tuple[int, int]:
    """What stands for a value, from behind the colon of its key."""
    begin, end = _after_colon(text, key), _end(value)
    return begin, begin + len(text[begin:end].rstrip())


def _end(node: yaml.Node) -> int:
    """Index behind the last character of a node; PyYAML's own is that of the next one."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _next_line(text: str, index: int) -> int:
    """Index of the first line that begins there or further on."""
    if index == 0 or text[index - 1] == "\n":
        return index
    newline = text.find("\n", index)
    return len(text) if newline < 0 else newline + 1


class _Dumper(yaml.SafeDumper):
    """Lists in brackets, unless mappings are in them."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_list(dumper: yaml.SafeDumper, data: Sequence[Any]) -> yaml.Node:
    flow = None if any(isinstance(item, Mapping) for item in data) else True
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _represent_list)


def _dump(value: object, *, flow: bool) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=flow,
        width=float("inf"),
        sort_keys=False,
        allow_unicode=True,
    )
    return text


def _flow(value: object) -> str:
    """On one line."""
    plain = dict(value) if isinstance(value, Mapping) else value
    return _dump(plain, flow=True).removesuffix("\n").removesuffix("\n...")


def _block(values: Mapping[str, Any], column: int) -> str:
    """An entry in lines."""
    lines = _dump([dict(values)], flow=False).splitlines(keepends=True)
    return "".join(" " * column + line for line in lines)


def _blocks(entries: Sequence[Entry], column: int) -> str:
    return "".join(_block(entry.values, column) for entry in entries)
