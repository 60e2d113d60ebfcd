"""Zones, lines and masks in a configuration: what is right becomes rules, the rest is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipeline.config import Config, load_config
from pipeline.configured import check_classes, check_sources, check_tracking
from pipeline.errors import ConfigError
from pipeline.rules.hours import ALWAYS, Hours, Span
from pipeline.rules.rule import Wanted

Load = Callable[[str], Config]
TRIANGLE = "polygon: [[0, 0], [1, 0], [1, 1]]"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Config:
        path = tmp_path / "rules.yaml"
        path.write_text(text)
        return load_config(path, {}, {})

    return load


def test_a_zone_becomes_a_rule(load: Load) -> None:
    config = load(
        """
        zones:
          - name: yard
            polygon: [[0, 0.5], [1, 0.5], [1.0, 1]]
            classes: [person]
            min_score: 0.7
            min_area: 0.02
            anchor: center
            hysteresis: 0.05
            cooldown_s: 30
            loitering_s: 60
            crowd: 3
            crowd_s: 5
            hours: [{days: [sat, sun]}, {start: "22:00", end: 6:30}]
        timezone: Europe/Berlin
        """
    )
    (zone,) = config.rules("any").zones
    np.testing.assert_allclose(zone.polygon, [[0, 0.5], [1, 0.5], [1, 1]])
    assert (zone.name, zone.anchor, zone.hysteresis) == ("yard", "center", 0.05)
    assert zone.wanted == Wanted(frozenset({"person"}), 0.7, 0.02)
    assert (zone.loitering_s, zone.crowd, zone.crowd_s, zone.cooldown_s) == (60, 3, 5, 30)
    assert zone.hours == Hours(
        (Span((5, 6)), Span(start=22 * 60, end=6 * 60 + 30)), ZoneInfo("Europe/Berlin")
    )


def test_what_is_left_out_is_the_usual(load: Load) -> None:
    (line,) = load("lines: [{name: gate, points: [[0, 0], [1, 1]]}]").rules("a").lines
    assert (line.anchor, line.hysteresis, line.cooldown_s) == ("bottom", 0.01, 0.0)
    assert line.hours is ALWAYS
    assert line.wanted == Wanted()


def test_pixels_are_those_of_the_size_named(load: Load) -> None:
    text = "zones: [{name: a, size: 1920x1080, polygon: [[960, 0], [1920, 540], [0, 1080]]}]"
    (zone,) = load(text).rules("a").zones
    np.testing.assert_allclose(zone.polygon, [[0.5, 0], [1, 0.5], [0, 1]])


def test_a_rule_is_for_all_sources_or_for_those_named(load: Load) -> None:
    config = load(
        f"""
        zones:
          - {{name: all, {TRIANGLE}}}
          - {{name: some, sources: [a, b], {TRIANGLE}}}
        ignore_masks:
          - {{sources: [b], classes: [car], anchor: center, {TRIANGLE}}}
        """
    )
    assert [zone.name for zone in config.rules("a").zones] == ["all", "some"]
    assert [zone.name for zone in config.rules("c").zones] == ["all"]
    (mask,) = config.rules("b").ignore
    assert (mask.classes, mask.anchor) == (frozenset({"car"}), "center")
    assert config.rules("a").ignore == ()


def test_one_name_may_stand_for_a_zone_at_each_of_several_sources(load: Load) -> None:
    load(
        f"""
        zones:
          - {{name: door, sources: [a], {TRIANGLE}}}
          - {{name: door, sources: [b], {TRIANGLE}}}
        """
    )


@pytest.mark.parametrize(
    ("polygon", "complaint"),
    [
        ("[[0, 0], [1, 1]]", "zones.0.polygon: a polygon must have 3 different corners"),
        ("[]", "zones.0.polygon: a polygon must have 3 different corners"),
        ("[[0, 0], [1, 1], [1, 0], [0, 1]]", "zones.0.polygon: a polygon must not cross itself"),
        ("[[0, 0], [0.5, 0.5], [1, 1]]", "zones.0.polygon: a polygon must"),
        ("[[0, 0], [0, 0], [0, 0]]", "zones.0.polygon: a polygon must"),
        ("[[0, 0], [1.2, 0], [1, 1]]", "zones.0.polygon: coordinates must be 0 to 1, or pixels"),
        ("[[0, 0], [640, 0], [640, 480]]", "with 'size: 1920x1080' beside them; [640, 0] is not"),
        ("[[0, -0.1], [1, 0], [1, 1]]", "[0, -0.1] is not"),
        ("[[0, 0], [1, 0], [1]]", "zones.0.polygon.2: "),
        ("[[0, 0], [1, 0], [1, 1, 1]]", "zones.0.polygon.2: "),
        ("[[0, 0], [1, 0], [1, up]]", "zones.0.polygon.2.1: "),
        ("[[0, 0], [1, 0], [1, .nan]]", "zones.0.polygon.2.1: "),
        ("everything", "zones.0.polygon: "),
        (str([[0, 0], *[[n / 300, 1] for n in range(250)]]), "zones.0.polygon: "),
    ],
)
def test_a_wrong_polygon_is_refused_with_its_path(load: Load, polygon, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(f"zones: [{{name: a, polygon: {polygon}}}]")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            f"zones: [{{name: a, {TRIANGLE}}}, {{name: a, {TRIANGLE}}}]",
            "zones.1.name: number 0 has the name 'a' too",
        ),
        (
            f"zones: [{{name: a, {TRIANGLE}}}, {{name: a, sources: [x], {TRIANGLE}}}]",
            "zones.1.name: number 0 has the name 'a' too",
        ),
        *(
            (f"lines: [{{name: a, {points}}}]", "lines.0.points: a line must not lie along an edge")
            for points in (
                "points: [[0, 1], [1, 1]]",
                "points: [[0, 0.2], [0, 0.8]]",
                "size: 640x480, points: [[639, 0], [639, 480]]",
            )
        ),
        (f"zones: [{{name: a, size: 640, {TRIANGLE}}}]", "zones.0.size: must be a width and a"),
        (f"zones: [{{{TRIANGLE}}}]", "zones.0.name: is missing"),
        (f"zones: [{{name: a/b, {TRIANGLE}}}]", "zones.0.name: must be 1 to 64 letters"),
        (f"zones: [{{name: a, colour: red, {TRIANGLE}}}]", "unknown key 'zones.0.colour'"),
        (f"zones: [{{name: a, classes: [], {TRIANGLE}}}]", "zones.0.classes: "),
        (f"zones: [{{name: a, anchor: feet, {TRIANGLE}}}]", "zones.0.anchor: "),
        (f"zones: [{{name: a, min_score: 2, {TRIANGLE}}}]", "zones.0.min_score: must be between"),
        (f"zones: [{{name: a, crowd: 0, {TRIANGLE}}}]", "zones.0.crowd: must be between"),
        (
            "zones: [{name: a, size: 640x480, polygon: [[0, 0], [641, 0], [9, 9]]}]",
            "zones.0.polygon: coordinates must be inside the picture, 0 to 640 and 0 to 480",
        ),
        (f"zones: [{{name: a, size: 00x10, {TRIANGLE}}}]", "zones.0.size: must be a width and"),
        (
            f"zones: [{{name: a, size: \uff11\uff10\uff10x100, {TRIANGLE}}}]",
            "zones.0.size: must be a width",
        ),
        (f"zones: [{', '.join([f'{{name: a, {TRIANGLE}}}'] * 501)}]", "zones: "),
        (
            "lines: [{name: a, points: [[0.5, 0.5], [0.5, 0.5000000001]]}]",
            "lines.0.points: a line must have two different points",
        ),
        (f"zones: [{{name: a, size: huge, {TRIANGLE}}}]", "zones.0.size: must be a width and"),
        (f"zones: [{{name: a, size: '0x480', {TRIANGLE}}}]", "zones.0.size: must be a width and"),
        (
            f"zones: [{{name: a, hours: [{{days: [monday]}}], {TRIANGLE}}}]",
            "zones.0.hours.0.days.0: ",
        ),
        (
            f"zones: [{{name: a, hours: [{{start: '25:00'}}], {TRIANGLE}}}]",
            "zones.0.hours.0.start: must be a time of day such as 18:30",
        ),
        ("lines: [{name: a, points: [[0, 0]]}]", "lines.0.points: "),
        (
            "lines: [{name: a, points: [[0, 0], [0, 0]]}]",
            "lines.0.points: a line must have two different points",
        ),
        (f"privacy_masks: [{{treatment: mosaic, {TRIANGLE}}}]", "privacy_masks.0.treatment: "),
        ("ignore_masks: [{polygon: [[0, 0]]}]", "ignore_masks.0.polygon: "),
        ("timezone: Europe/Atlantis", "timezone: must be a time zone such as Europe/Berlin"),
        ("timezone: ../../etc/passwd", "timezone: must be a time zone"),
        ("objects: {appear_frames: 0}", "objects.appear_frames: must be between"),
    ],
)
def test_what_is_wrong_is_named(load: Load, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_of_a_name_given_twice_its_place_is_told_and_not_all_rules(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"lines\.1\.name: number 0 has the name 'a' too$"):
        load(f"lines: {[{'name': 'a', 'points': [[0, 0], [1, 1]]}] * 2}")


def test_a_source_that_is_not_there_is_named(load: Load) -> None:
    config = load(f"zones: [{{name: a, sources: [yard, door], {TRIANGLE}}}]")
    check_sources(config, ["yard", "door"])
    with pytest.raises(ConfigError, match=r"zones.0.sources.1: there is no source 'door'; .* yard"):
        check_sources(config, ["yard"])


def test_a_class_that_the_model_lacks_is_named(load: Load) -> None:
    config = load(f"ignore_masks: [{{classes: [person, dog], {TRIANGLE}}}]")
    check_classes(config, ["person", "dog"])
    with pytest.raises(ConfigError, match=r"ignore_masks.0.classes.1: .* no class 'dog'.*person"):
        check_classes(config, ["person"])


def test_rules_need_tracking(load: Load) -> None:
    text = "tracking: false\nlines: [{name: a, points: [[0, 0], [1, 1]]}]"
    with pytest.raises(ConfigError, match="lines: need tracked objects"):
        check_tracking(load(text))
    check_tracking(load("tracking: false"))


def test_a_polygon_may_be_closed_and_hold_a_corner_twice(load: Load) -> None:
    text = "zones: [{name: a, polygon: [[0, 0], [1, 0], [1, 0], [1, 1], [0, 0]]}]"
    (zone,) = load(text).rules("a").zones
    assert sorted(zone.polygon.tolist()) == [[0, 0], [1, 0], [1, 1]]


def test_many_corners_take_no_time_to_speak_of(load: Load) -> None:
    from math import cos, pi, sin

    circle = [[0.5 + cos(n * pi / 100) / 3, 0.5 + sin(n * pi / 100) / 3] for n in range(200)]
    zones = [{"name": f"z{number}", "polygon": circle} for number in range(50)]
    assert len(load(f"zones: {zones}").zones) == 50
