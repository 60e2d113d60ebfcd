"""Changes in the user's own file: comments, order and all else stay, and it reads back the same."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config, load_config
from pipeline.config_file import ConfigFile, named_sources
from pipeline.control import Conflict
from pipeline.origin import Origin
from pipeline.plain_yaml import parse_yaml
from tests.paths import ROOT

CAMERAS = """\
# My cameras. Keep it secret.
model: person   # the default

sources:
  # The door.
  - source: "rtsp://admin:p%40ss#w,o:r{d}@10.0.0.5/stream"   # do not touch
    id: door
    priority: 2 # twice

  # The yard behind the house.
  - source: rtsp://admin:secret@10.0.0.6/h264?channel=1
    id: yard
    # Nobody runs there.
    detect_fps: 2   # enough
    # motion: true

  - http://10.0.0.7/video.mjpg # the roof
  # - source: rtsp://10.0.0.8/old

# Zones come last.
zones:
- name: pavement
  polygon: [[0.52, 0.55], [0.8, 0.55],
            [0.8, 1], [0.52, 1]]
  sources: [door, yard]
  hours:
    - days: [mon, tue]
      start: 18:00
      end: "06:00"
  # Who stays loiters.
  loitering_s: 30
score: 0.5
"""


def load(path: Path) -> Config:
    """What a run makes of a file: every source with its id."""
    config = load_config(path, {}, {})
    return Config.model_validate({**dict(config), "sources": named_sources(config)})


@pytest.fixture
def changed(tmp_path: Path):
    """Change a file of some text: `changed(text, zones=[...])`; what is in it then."""

    def changed(text: str, **lists: list[Any]) -> str:
        path = tmp_path / "watchline.yaml"
        path.write_bytes(text.encode())
        before = load(path)
        after = Config.model_validate({**dict(before), **lists})
        ConfigFile(path).save(before, after, lists)
        assert load(path) == after
        return path.read_bytes().decode()

    return changed


def source(config: Config, source_id: str, **update: Any) -> Any:
    """One of the sources, or a changed one."""
    (found,) = [item for item in config.sources if item.id == source_id]
    return found.model_copy(update=update)


@pytest.fixture
def cameras(tmp_path: Path) -> Config:
    path = tmp_path / "before.yaml"
    path.write_text(CAMERAS)
    return load(path)


ROOF = "10-0-0-7-video-mjpg"


def test_a_camera_is_added_behind_the_others(changed, cameras: Config) -> None:
    added = {"source": "rtsp://me:%2Fpa%23ss@10.0.0.9/1", "id": "gate", "motion": True}
    roof = "  - http://10.0.0.7/video.mjpg # the roof\n"
    assert changed(CAMERAS, sources=[*cameras.sources, added]) == CAMERAS.replace(
        roof, roof + "  - source: rtsp://me:%2Fpa%23ss@10.0.0.9/1\n    id: gate\n    motion: true\n"
    )


def test_a_camera_goes_with_its_comments_and_no_others(changed, cameras: Config) -> None:
    left = [source(cameras, "door"), source(cameras, ROOF)]
    zones = [{"name": "pavement", "polygon": [[0, 0], [1, 0], [1, 1]]}]
    text = changed(CAMERAS, sources=left, zones=zones)
    begin, end = CAMERAS.index("\n  # The yard"), CAMERAS.index("\n  - http")
    assert text[: text.index("zones:")] == (
        CAMERAS[:begin] + CAMERAS[end : CAMERAS.index("zones:")]
    )


def test_a_changed_value_is_changed_in_its_place(changed, cameras: Config) -> None:
    yard = source(cameras, "yard", detect_fps=None, priority=3.5)
    door = source(cameras, "door", priority=1.5)
    text = changed(CAMERAS, sources=[door, yard, source(cameras, ROOF)])
    assert text == CAMERAS.replace("priority: 2 #", "priority: 1.5 #").replace(
        "    detect_fps: 2   # enough\n", "    priority: 3.5\n"
    )


def test_an_address_alone_becomes_a_mapping_where_there_is_more_to_say(changed, cameras) -> None:
    roof = source(cameras, ROOF, motion=None, detect_fps=1.0)
    text = changed(CAMERAS, sources=[*cameras.sources[:2], roof])
    address = "{source: 'http://10.0.0.7/video.mjpg', detect_fps: 1.0}"
    assert text == CAMERAS.replace("http://10.0.0.7/video.mjpg", address)


def test_an_id_that_comes_from_the_address_is_written_when_it_would_change(changed) -> None:
    text = "sources:\n  - a/cam.mp4\n  - b/cam.mp4 # the second\n"
    (second,) = [{"source": "b/cam.mp4", "id": "cam-2"}]
    assert changed(text, sources=[second]) == (
        "sources:\n  - {source: b/cam.mp4, id: cam-2} # the second\n"
    )


def test_a_new_address_keeps_the_id(changed, cameras: Config) -> None:
    roof = source(cameras, ROOF, source="http://10.0.0.77/x")
    text = changed(CAMERAS, sources=[*cameras.sources[:2], roof])
    assert f"- {{source: 'http://10.0.0.77/x', id: {ROOF}}} # the roof" in text


def test_zones_are_known_by_name_and_sources(changed, cameras: Config) -> None:
    pavement = cameras.zones[0].model_copy(update={"loitering_s": 60.0, "crowd": 3})
    new = {"name": "yes", "polygon": [[0, 0], [1, 0], [1, 1]], "sources": ["yard"]}
    text = changed(CAMERAS, zones=[new, pavement])
    zones = CAMERAS[CAMERAS.index("zones:\n") : CAMERAS.index("score:")]
    expected = zones.replace("loitering_s: 30\n", "loitering_s: 60.0\n  crowd: 3\n").replace(
        "zones:\n",
        "zones:\n- sources: [yard]\n  name: 'yes'\n"
        "  polygon: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]\n",
    )
    assert text == CAMERAS.replace(zones, expected)


def test_a_list_in_lines_is_rewritten_in_its_place(changed, cameras: Config) -> None:
    always = cameras.zones[0].model_copy(update={"hours": []})
    text = changed(CAMERAS, zones=[always])
    begin, end = CAMERAS.index("  hours:"), CAMERAS.index("  # Who stays")
    assert text == CAMERAS[:begin] + CAMERAS[end:]
    later = {"days": ["sun"], "start": "09:30"}
    zone = Config.model_validate({"zones": [{**_plain(always), "hours": [later]}]}).zones[0]
    text = changed(CAMERAS, zones=[zone])
    new = "  hours: [{days: [sun], start: '09:30'}]\n"
    assert text == CAMERAS[:begin] + new + CAMERAS[end:]


def _plain(zone: Any) -> dict[str, Any]:
    return zone.model_dump(mode="json", exclude_defaults=True)


def test_what_is_not_there_yet_comes_at_the_end(changed) -> None:
    line = {"name": "kerb", "points": [[0.5, 1], [0.5, 0.15]]}
    new = "lines:\n  - name: kerb\n    points: [[0.5, 1.0], [0.5, 0.15]]\n"
    assert changed("", lines=[line]) == new
    assert changed("# nothing", lines=[line]) == "# nothing\n" + new
    assert changed("model: person", lines=[line]) == "model: person\n" + new
    assert changed("lines: [] # none\nscore: 1", lines=[line]) == (
        new.replace("lines:", "lines: # none") + "score: 1"
    )


def test_nothing_is_left_of_a_list_but_brackets(changed) -> None:
    text = changed(CAMERAS, zones=[])
    begin, end = CAMERAS.index("zones:"), CAMERAS.index("score:")
    assert text == CAMERAS[:begin] + "zones: []\n" + CAMERAS[end:]
    assert changed("zones: [{name: a, polygon: [[0,0],[1,0],[1,1]]}] # one\n", zones=[]) == (
        "zones: [] # one\n"
    )


def test_lists_in_brackets_become_lines(changed) -> None:
    text = "sources: [test://bars, 'test://ball'] # two\nscore: 0.4\n"
    after = changed(text, sources=[{"source": "test://bars", "id": "bars", "priority": 2}])
    assert after == "sources: # two\n  - source: test://bars\n    priority: 2.0\nscore: 0.4\n"


def test_line_ends_of_windows_stay(changed, cameras: Config) -> None:
    text = changed(CAMERAS.replace("\n", "\r\n"), sources=cameras.sources[:1], zones=[])
    assert text.count("\n") == text.count("\r\n") > 10


def test_the_files_we_ship_can_be_changed(changed) -> None:
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        if path.name == "training.yaml":
            continue
        text = path.read_text()
        line = {"name": "new", "points": [[0.2, 0.9], [0.9, 0.2]]}
        config = Config.model_validate(parse_yaml(text, ""))
        after = changed(text, lines=[*config.lines, line])
        kept = [row for row in after.splitlines() if row in text.splitlines()]
        assert kept == text.splitlines(), path


def test_settings_in_braces_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "watchline.json"
    path.write_text('{"sources": ["test://bars"], "score": 0.4}')
    before = load(path)
    after = Config.model_validate({**dict(before), "sources": []})
    with pytest.raises(Conflict, match="stand in braces"):
        ConfigFile(path).save(before, after, ["sources"])
    assert path.read_text() == '{"sources": ["test://bars"], "score": 0.4}'


def test_what_cannot_be_changed_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text("score: 0.4\n...\n")  # nothing may follow the end
    before = load(path)
    after = Config.model_validate({**dict(before), "sources": ["test://bars"]})
    with pytest.raises(Conflict, match="in a way that the program cannot change; edit it"):
        ConfigFile(path).save(before, after, ["sources"])
    assert path.read_text() == "score: 0.4\n...\n"


def test_a_file_that_somebody_else_has_changed_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text(CAMERAS)
    before, file = load(path), ConfigFile(path)
    path.write_text(CAMERAS + "# mine\n")
    after = Config.model_validate({**dict(before), "zones": []})
    with pytest.raises(Conflict, match=r"watchline\.yaml: was changed by somebody else"):
        file.save(before, after, ["zones"])
    assert path.read_text() == CAMERAS + "# mine\n"
    path.unlink()
    with pytest.raises(Conflict, match="cannot be read: No such file"):
        file.save(before, after, ["zones"])


def test_a_file_that_was_changed_before_the_run_has_begun_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text(CAMERAS)
    before = load(path)
    path.write_text(CAMERAS.replace("loitering_s: 30", "loitering_s: 40"))
    with pytest.raises(Conflict, match="was changed before the run began"):
        after = Config.model_validate({**dict(before), "zones": []})
        ConfigFile(path).save(before, after, ["zones"])


def test_mode_and_links_stay_and_changes_follow_each_other(tmp_path: Path) -> None:
    target = tmp_path / "secret" / "real.yaml"
    target.parent.mkdir()
    target.write_text(CAMERAS)
    target.chmod(0o640)
    link = tmp_path / "watchline.yaml"
    link.symlink_to(target)
    before, file = load(link), ConfigFile(link)
    middle = Config.model_validate({**dict(before), "zones": []})
    file.save(before, middle, ["zones"])
    file.save(middle, before, ["zones"])
    assert link.is_symlink() and load(link) == before
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(target.parent) == ["real.yaml"]


NAMES = st.sampled_from(["a", "b", "yes", "on", "1", "0x1f", "1e3", "null", "2026-01-01", "-"])
SECRETS = st.text("aZ0%#@:/?&*!'\"{}[],\\ |>`~ü", max_size=8)
SOURCES = st.lists(
    st.builds(
        lambda name, secret, fps, motion, priority: {
            "source": f"rtsp://u:{secret}@10.0.0.1/{name}",
            "id": name,
            "detect_fps": fps,
            "motion": motion,
            "priority": priority,
        },
        NAMES,
        SECRETS,
        st.sampled_from([None, 2, 0.5]),
        st.sampled_from([None, True, False, {"threshold": 20}]),
        st.sampled_from([1, 2.5]),
    ),
    max_size=5,
    unique_by=lambda item: item["id"],
)
COMMENT = st.sampled_from(
    ["", "# a comment: with - signs\n", "\n", "# [brackets] 'and' \"quotes\"\n"]
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), old=SOURCES, new=SOURCES, indent=st.sampled_from([0, 2, 4]))
def test_whatever_is_changed_reads_back_and_comments_stay(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, old, new, indent: int
) -> None:
    text, comments = "score: 0.25 # mine\n", {}
    if old:
        text += "sources: # all of them\n"
    for item in old:
        comment = data.draw(COMMENT)
        lead = "".join(" " * indent + line for line in comment.splitlines(keepends=True))
        values = [(key, value) for key, value in item.items() if value is not None]
        rows = [f"{key}: {json.dumps(value)}" for key, value in values]
        rows[1] += f" # beside {item['id']}"
        entry = f"\n{' ' * indent}  ".join(rows)
        text += f"{lead}{' ' * indent}- {entry}\n"
        comments[item["id"]] = f"{lead}{' ' * indent}- {entry}\n"
    text += data.draw(COMMENT) + "model: person\n# the end\n"
    path = tmp_path_factory.mktemp("config") / "watchline.yaml"
    path.write_text(text)
    before = load(path)
    stay = [item for item in old if data.draw(st.booleans())]
    ids = {item["id"] for item in stay}
    wanted = data.draw(st.permutations([*stay, *(item for item in new if item["id"] not in ids)]))
    after = Config.model_validate({**dict(before), "sources": wanted})
    ConfigFile(path).save(before, after, ["sources"])
    assert load(path) == after
    written = path.read_text()
    assert written.startswith("score: 0.25 # mine\n")
    assert written.endswith("model: person\n# the end\n") or not old
    for item in stay:
        assert comments[item["id"]] in written, "what stays is not touched"


def test_a_password_that_is_not_in_the_file_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text("dashboard: 0.0.0.0:80\nsources: [test://bars]\n")
    config = load_config(path, {"WATCHLINE__DASHBOARD__PASSWORD": "correct horse"}, {})
    before = config.model_copy(update={"sources": named_sources(config)})
    after = before.model_copy(update={"sources": []})
    ConfigFile(path).save(before, after, ["sources"])
    assert path.read_text() == "dashboard: 0.0.0.0:80\nsources: []\n"


def test_what_is_saved_depends_on_where_settings_came_from(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text(CAMERAS)
    everything = frozenset({"sources", "zones", "lines"})
    assert Origin.of(path, {"SOURCES": "x"}, {"sources": None, "score": 0.5}).saved == everything
    assert Origin.of(path, {}, {}).why_not_saved == ""
    named = Origin.of(path, {}, {"sources": ["test://bars"]})
    assert named.why_not_saved == "the cameras were named on the command line"
    assert named.saved == {"zones", "lines"}
    named = Origin.of(path, {"WATCHLINE__ZONES": "[]", "WATCHLINE__BATCH__SIZE": "1"}, {})
    assert named.why_not_saved == "the zones were named by environment variables"
    assert named.saved == {"sources", "lines"}
    nowhere = Origin.of(None, {}, {"sources": ["test://bars"]})
    assert nowhere.why_not_saved == "the run was started without --config"
    assert nowhere.saved == frozenset()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is no file that can be written again" in Origin.of(pipe, {}, {}).why_not_saved


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_nothing_is_saved_where_the_file_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text(CAMERAS)
    path.chmod(0o400)
    assert "may not be written" in Origin.of(path, {}, {}).why_not_saved
