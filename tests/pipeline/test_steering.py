"""A run that is steered: real pipelines over test cameras, and a file that keeps the changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.config import Config, load_config
from pipeline.configured import make_pipeline, masked
from pipeline.control import Conflict, Control, Rejected, UnknownCamera
from pipeline.events import CameraEvent, ZoneEvent
from pipeline.graph import Pipeline
from pipeline.origin import Origin
from pipeline.protocols import Source
from pipeline.rules.rule_book import RuleBook
from pipeline.steering import MAX_SOURCES, Steering
from pipeline.types import Result
from sinks.queues.places import Place, Places
from sources import open_source
from tests.kinds import MakeDetections
from tests.pipeline.doubles import Collector, Finder

END_S = 30.0
TEST = "test://bars?size=64x48&fps=50"
FLOOR = {"name": "floor", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
KERB = {"name": "kerb", "points": [[0.5, 1], [0.5, 0.15]]}
FILE = f"""\
dashboard: 8080
sources:
  - {TEST} # the first
  - source: {TEST}
    id: yard # the second
    priority: 2
zones:
  - {{name: floor, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]}} # all of it
"""


@dataclass
class Run:
    """A run and what comes out of it."""

    control: Control
    pipeline: Pipeline
    results: Collector
    events: Collector
    path: Path
    opened: list[str]
    places: Places

    def shows(self, camera_id: str, count: int = 1) -> bool:
        """Whether so many more pictures of a camera are inferred."""
        before = self._pictures(camera_id)
        return self.results.wait_for(lambda: self._pictures(camera_id) >= before + count)

    def _pictures(self, camera_id: str) -> int:
        return sum(item.inferred for item in self.of(camera_id))

    def of(self, camera_id: str) -> list[Result]:
        """The results of a camera."""
        return [item for item in self.results.items if item.frame.source_id == camera_id]

    def said(self, camera_id: str) -> list[str]:
        """Why a camera went offline, each time."""
        return [
            event.reason
            for event in self.events.items
            if isinstance(event, CameraEvent)
            and event.source_id == camera_id
            and event.kind == "camera_offline"
        ]


@pytest.fixture
def steered(tmp_path: Path, make_detections: MakeDetections):
    @contextmanager
    def steered(text: str = FILE, opener: Any = open_source, **flags: Any) -> Iterator[Run]:
        path = tmp_path / "watchline.yaml"
        path.write_text(text)
        config = load_config(path, {}, flags)
        clock, book, opened = SystemClock(), RuleBook(config.rules), list[str]()

        def open_noted(address: str, source_id: str, clock: SystemClock) -> Source:
            opened.append(address)
            return opener(address, source_id, clock)

        sources = [
            masked(open_source(item.source, source_id, clock), config)
            for item, source_id in zip(config.sources, config.source_ids(), strict=True)
        ]
        results, events = Collector(), Collector()
        pipeline = make_pipeline(
            config,
            sources,
            Finder(make_detections),
            {"results": results},
            clock,
            {"events": events},
            rules=book,
        )
        names = ("person", "car")
        origin, places = Origin.of(path, {}, flags), Places(config)
        control: Control = Steering(
            config, origin, pipeline, book, open_noted, names, clock, places.follow
        )
        with pipeline:
            try:
                yield Run(control, pipeline, results, events, path, opened, places)
            finally:
                pipeline.stop()
        assert pipeline.ledger.total().in_flight == 0

    return steered


def test_cameras_are_told_of_as_they_are(steered) -> None:
    with steered() as run:
        assert run.shows("bars", 3)
        first, second = run.control.cameras()
        assert (first.id, second.id) == ("bars", "yard")
        assert (first.state, first.live, first.size, first.reason) == ("online", True, (48, 64), "")
        assert first.since is not None and first.latency_s is not None
        assert first.counts.captured >= 3 and first.outages == 0
        assert second.settings == {"detect_fps": None, "motion": None, "priority": 2.0}
        assert run.control.camera("yard").address == TEST
        with pytest.raises(UnknownCamera, match="no such camera"):
            run.control.camera("nobody")
        assert run.control.is_running and run.control.why_not_saved == ""
    assert not run.control.is_running


def test_a_camera_is_added_saved_and_removed_again(steered) -> None:
    with steered() as run:
        added = run.control.add({"source": TEST, "detect_fps": 20, "motion": {"threshold": 20}})
        assert (added.id, added.settings["motion"]) == ("bars-2", {"threshold": 20.0})
        assert run.shows("bars-2", 2)
        assert load_config(run.path, {}, {}).sources[2].id == "bars-2"
        assert "- test://bars?size=64x48&fps=50 # the first\n" in run.path.read_text()
        run.control.remove("bars-2")
        assert [camera.id for camera in run.control.cameras()] == ["bars", "yard"]
        assert run.path.read_text() == FILE
        assert run.events.wait_for(lambda: run.said("bars-2") == ["removed"])
        again = run.control.add({"source": TEST, "id": "bars-2"})
        assert again.counts.captured > 0, "its figures go on"
        assert run.shows("bars-2")
        assert run.control.measures().sources.keys() == {"bars", "yard", "bars-2"}


def test_others_are_told_of_what_is_watched_now(steered) -> None:
    with steered() as run:
        assert run.places() == [Place("bars", ["floor"], []), Place("yard", ["floor"], [])]
        run.control.remove("bars")
        run.control.set_rules([], [KERB], run.control.rules().revision)
        with pytest.raises(Conflict):
            run.control.add({"source": TEST, "id": "yard"})
        assert run.places() == [Place("yard", [], ["kerb"])]


def test_a_camera_is_paused_and_goes_on(steered) -> None:
    with steered() as run:
        assert run.shows("yard", 3)
        paused = run.control.pause("yard")
        assert (paused.state, paused.reason) == ("paused", "") and paused.since is not None
        assert run.control.pause("yard").since == paused.since, "nothing happens"
        assert run.events.wait_for(lambda: run.said("yard") == ["paused"])
        assert run.pipeline.watched["yard"].done.wait(END_S)
        with pytest.raises(Conflict, match="yard: is paused; resume it"):
            run.control.restart("yard")
        resumed = run.control.resume("yard")
        assert resumed.state in ("connecting", "online")
        assert run.shows("yard", 3)
        assert run.control.resume("yard").state == "online", "nothing happens"
        indices = [item.frame.index for item in run.of("yard")]
        assert indices == sorted(set(indices)), "frames are counted on"
        assert run.path.read_text() == FILE, "a pause does not outlast the run"


def test_a_camera_is_restarted(steered) -> None:
    with steered() as run:
        assert run.shows("yard")
        run.control.restart("yard")
        assert run.shows("yard", 20)
        assert run.control.camera("yard").state == "online"


def test_other_settings_need_no_new_connection(steered) -> None:
    with steered() as run:
        assert run.shows("yard")
        changed = run.control.change("yard", {"motion": True, "priority": 1, "detect_fps": None})
        assert changed.settings == {"detect_fps": None, "motion": True, "priority": 1.0}
        assert run.results.wait_for(
            lambda: any(
                item.passed == "still" and item.frame.source_id == "yard"
                for item in run.results.items
            )
        )
        assert run.opened == [] and run.said("yard") == []
        saved = "    id: yard # the second\n    motion: true\n"
        assert run.path.read_text() == FILE.replace(
            "    id: yard # the second\n    priority: 2\n", saved
        )


def test_another_address_is_another_connection(steered) -> None:
    with steered() as run:
        assert run.shows("yard")
        run.control.change("yard", {"source": "test://bars?size=32x32&fps=50"})
        assert run.results.wait_for(
            lambda: any(item.frame.size == (32, 32) for item in run.results.items)
        )
        assert run.said("yard") == ["changed"]
        assert run.control.camera("yard").size == (32, 32)
        assert load_config(run.path, {}, {}).sources[1].priority == 2


def test_an_address_as_it_is_shown_stands_for_itself(steered) -> None:
    secret = "rtsp://u:geheim@127.0.0.1:9/x"
    with steered(f"dashboard: 8080\nsources: [{{source: '{secret}', id: cam}}]\n") as run:
        shown = run.control.camera("cam").address
        assert shown == "rtsp://***@127.0.0.1:9/x"
        assert run.control.change("cam", {"source": shown, "priority": 3}).address == shown
        assert load_config(run.path, {}, {}).sources[0].source == secret
        assert run.opened == []


def test_a_paused_camera_may_be_changed_and_removed(steered) -> None:
    with steered() as run:
        run.control.pause("yard")
        assert run.control.change("yard", {"source": "test://bars?size=32x32"}).state == "paused"
        run.control.resume("yard")
        assert run.results.wait_for(
            lambda: any(item.frame.size == (32, 32) for item in run.results.items)
        )
        run.control.pause("yard")
        assert run.pipeline.watched["yard"].removed == "paused"
        run.control.remove("yard")
        assert [camera.id for camera in run.control.cameras()] == ["bars"]
        assert run.pipeline.watched["yard"].removed == "removed"


def test_a_run_may_begin_without_cameras_and_go_on_without(steered) -> None:
    with steered("dashboard: 8080\n") as run:
        assert run.control.cameras() == []
        run.control.add({"source": TEST, "id": "cam"})
        assert run.shows("cam")
        run.control.remove("cam")
        assert run.pipeline.watched["cam"].done.wait(END_S)
        assert not run.pipeline.wait(0) and run.control.is_running
        assert run.path.read_text() == "dashboard: 8080\nsources: []\n"


def test_an_added_camera_is_masked_too(steered) -> None:
    mask = "privacy_masks: [{polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]}]\n"
    with steered(f"dashboard: 8080\n{mask}") as run:
        run.control.add({"source": TEST, "id": "cam"})
        assert run.shows("cam")
        assert (run.results.items[0].frame.picture.y == 16).all()
        run.control.change("cam", {"source": "test://ball?size=32x32"})
        assert run.results.wait_for(lambda: run.results.items[-1].frame.size == (32, 32))
        assert (run.results.items[-1].frame.picture.y == 16).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "source: is missing"),
        ({"source": ""}, "source: must be a path"),
        ({"source": None}, "source: must be a path"),
        ({"source": "/etc/passwd"}, "source: must be an address such as rtsp://"),
        ({"source": "/var/lib/../../etc"}, "source: must be an address such as"),
        ({"source": "~/film.mp4"}, "source: must be an address such as"),
        ({"source": "film.mp4?loop"}, "source: must be an address such as"),
        ({"source": "/dev/video0/../sda"}, "source: must be an address such as"),
        ({"source": "file:///etc/passwd"}, "source: not a known kind of source; known are"),
        ({"source": "concat://a|b"}, "source: not a known kind of source; known are"),
        ({"source": "rtsp://"}, "source: must be an address such as"),
        ({"source": "rtsp:///path"}, "source: names no host"),
        ({"source": "rtsp://h/\n- x"}, "source: must have at most 2000 characters, and no line"),
        ({"source": "rtsp://h/" + "x" * 3000}, "source: must have at most 2000 characters"),
        ({"source": "rtsp://h/\ud800"}, "source: "),
        ({"source": TEST, "id": "a/b"}, "id: may hold letters, digits, '_' and '-' only"),
        ({"source": TEST, "priority": -1}, r"priority: must be between 0\.1 and 100"),
        ({"source": TEST, "detect_fps": "5"}, "detect_fps: input should be a valid number"),
        ({"source": TEST, "motion": {"treshold": 1}}, "unknown key 'motion.treshold'; did you"),
        ({"source": TEST, "rtsp://u:geheim@h": 1}, "unknown key; known are: detect_fps, id"),
        ({"source": TEST, "detectfps": 1}, "unknown key 'detectfps'; did you mean 'detect_fps'?"),
        ({"source": "test://nothing"}, "source: "),
    ],
)
def test_wrong_settings_are_refused_with_their_key(steered, settings, message) -> None:
    with steered() as run:
        with pytest.raises(Rejected, match=message) as caught:
            run.control.add(settings)
        assert "sources." not in str(caught.value) and "\n" not in str(caught.value)
        assert len(run.control.cameras()) == 2
        assert run.path.read_text() == FILE


@pytest.mark.parametrize(
    "secret", ["p@ss", "p/w", "p#w", "p w", "p'w", 'p"w', "p?w", "p:w", "p\\w"]
)
@pytest.mark.parametrize("user", ["rtsp://admin:{}@10.0.0.5/x", "http://h/x?user=a&password={}"])
def test_no_refusal_tells_a_password(steered, secret: str, user: str) -> None:
    secret = f"geheim{secret}geheim"
    address = user.format(secret)
    wrong: list[dict[str, Any]] = [
        {"source": address, "id": "a b"},
        {"source": address, "id": address},
        {"source": address, "priority": address},
        {"source": [address]},
        {"source": {"source": address}},
        {"source": address + "&transport=x" if "?" in address else address + "?transport=x"},
        {"source": f"x{address}"},
        {"source": address, "motion": address},
        {"source": address, "detect_fps": [address]},
        {address: address, "source": address},
        {"source": f"ftp{address}"},
        {"source": f"/{address}"},
    ]
    with steered() as run:
        for settings in wrong:
            with pytest.raises((Rejected, Conflict)) as caught:
                run.control.add(settings)
            assert "geheim" not in str(caught.value), settings
            with pytest.raises((Rejected, Conflict)) as caught:
                run.control.change("yard", settings)
            assert "geheim" not in str(caught.value), settings


def test_conflicts_change_nothing(steered) -> None:
    with steered() as run:
        with pytest.raises(Conflict, match="id: 'yard' is taken; choose another"):
            run.control.add({"source": TEST, "id": "yard"})
        with pytest.raises(Rejected, match="id: cannot be changed"):
            run.control.change("yard", {"id": "garden"})
        with pytest.raises(UnknownCamera):
            run.control.remove("nobody")
        run.path.write_text(FILE + "# mine\n")
        revision = run.control.rules().revision
        for change in (
            lambda: run.control.add({"source": TEST, "id": "new"}),
            lambda: run.control.remove("yard"),
            lambda: run.control.change("yard", {"priority": 5}),
            lambda: run.control.change("yard", {"source": "test://ball"}),
            lambda: run.control.set_rules([], [KERB], revision),
        ):
            with pytest.raises(Conflict, match="was changed by somebody else"):
                change()
        assert run.shows("yard") and run.said("yard") == []
        assert [camera.id for camera in run.control.cameras()] == ["bars", "yard"]
        assert run.control.camera("yard").settings["priority"] == 2.0
        assert run.control.rules().revision == revision
        assert run.path.read_text() == FILE + "# mine\n"
    with pytest.raises(Conflict, match="the run is ending"):
        run.control.add({"source": TEST})


def test_what_cannot_be_done_is_not_saved_either(steered, monkeypatch) -> None:
    with steered() as run:

        def no_thread(_: object) -> None:
            raise RuntimeError("can't start new thread")

        assert run.shows("yard")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(Conflict, match="can't start new thread"):
                run.control.add({"source": TEST, "id": "new"})
            with pytest.raises(Conflict, match="can't start new thread"):
                run.control.change("yard", {"source": "test://ball"})
        assert run.path.read_text() == FILE
        assert [(camera.id, camera.state) for camera in run.control.cameras()][1:] == [
            ("yard", "paused")
        ]
        run.control.resume("yard")
        assert run.shows("yard")


def test_a_camera_that_rules_name_stays(steered) -> None:
    text = (
        FILE + "lines:\n  - {name: kerb, points: [[0.5, 1], [0.5, 0.1]], sources: [bars, yard]}\n"
    )
    with steered(text) as run:
        with pytest.raises(Conflict, match=r"yard: is named by lines\.0\.sources\.1; take it out"):
            run.control.remove("yard")
        run.control.set_rules([], [], run.control.rules().revision)
        run.control.remove("yard")


def test_a_camera_that_outputs_cannot_have_is_refused(steered, tmp_path: Path) -> None:
    with steered(f"dashboard: 8080\nsegments: {tmp_path / 'kept'}\n") as run:
        with pytest.raises(Rejected, match="segments: 'cam' has no compressed video to copy"):
            run.control.add({"source": TEST, "id": "cam"})
        added = run.control.add({"source": "rtsp://127.0.0.1:9/x", "id": "cam"})
        assert added.state in ("connecting", "offline")


def test_there_are_only_so_many_cameras(steered, monkeypatch) -> None:
    many = "\n".join(f"  - {{source: 'rtsp://127.0.0.1:9/{n}', id: c{n}}}" for n in range(3))
    with steered(f"dashboard: 8080\nsources:\n{many}\n") as run:
        monkeypatch.setattr("pipeline.steering.MAX_SOURCES", 3)
        with pytest.raises(Conflict, match="there are 3 cameras already; remove one"):
            run.control.add({"source": TEST})
        monkeypatch.setattr("pipeline.steering.MAX_SOURCES", MAX_SOURCES)
        monkeypatch.setattr("pipeline.steering.MAX_IDS", 3)
        with pytest.raises(Conflict, match="there were 3 cameras in this run"):
            run.control.add({"source": TEST})


def test_files_are_neither_paused_nor_restarted(steered, make_video) -> None:
    film = make_video(frames=5)
    with steered(f"dashboard: 8080\nsources: [{{source: '{film}', id: film}}]\n") as run:
        assert run.pipeline.watched["film"].done.wait(END_S)
        camera = run.control.camera("film")
        assert (camera.state, camera.live, camera.counts.inferred) == ("ended", False, 5)
        for act in (run.control.pause, run.control.resume, run.control.restart):
            with pytest.raises(Conflict, match="film: is a file or a folder, and no camera"):
                act("film")
        assert run.control.change("film", {"priority": 2}).settings["priority"] == 2
        run.control.remove("film")
        assert run.path.read_text() == "dashboard: 8080\nsources: []\n"


def test_rules_change_from_the_next_frame_on_and_are_saved(steered) -> None:
    with steered() as run:
        assert run.results.wait_for(lambda: zones_of(run) >= {("bars", "floor"), ("yard", "floor")})
        before = run.control.rules()
        assert before.zones == [{"name": "floor", "polygon": FLOOR["polygon"]}]
        gate = {"name": "gate", "polygon": FLOOR["polygon"], "sources": ["yard"]}
        after = run.control.set_rules([*before.zones, gate], [KERB], before.revision)
        assert after.revision != before.revision and after == run.control.rules()
        assert json.loads(json.dumps(after.zones)) == after.zones
        assert run.results.wait_for(lambda: ("yard", "gate") in zones_of(run))
        assert ("bars", "gate") not in zones_of(run)
        entered = [e for e in run.events.items if isinstance(e, ZoneEvent)]
        kinds = [(e.source_id, e.zone, e.kind) for e in entered if e.source_id == "yard"]
        assert kinds == [("yard", "floor", "zone_entered"), ("yard", "gate", "zone_entered")]
        assert load_config(run.path, {}, {}).zones[1].sources == ["yard"]
        assert " # all of it\n" in run.path.read_text()
        with pytest.raises(Conflict, match="the rules have been changed meanwhile"):
            run.control.set_rules([], [], before.revision)
        back = run.control.set_rules(before.zones, [], after.revision)
        assert back.revision == before.revision


def zones_of(run: Run) -> set[tuple[str, str]]:
    """Where somebody has entered."""
    return {
        (event.source_id, event.zone) for event in run.events.items if isinstance(event, ZoneEvent)
    }


@pytest.mark.parametrize(
    ("zones", "lines", "message"),
    [
        ([{"name": "a"}], [], r"zones\.0\.polygon: is missing"),
        ([FLOOR, FLOOR], [], r"zones\.1\.name: number 0 has the name 'floor' too"),
        ([{**FLOOR, "sources": ["nobody"]}], [], r"zones\.0\.sources\.0: there is no source 'nob"),
        (
            [{**FLOOR, "classes": ["cat"]}],
            [],
            r"zones\.0\.classes\.0: the model has no class 'cat'",
        ),
        ([], [{**KERB, "points": [[0, 0], [2, 0]]}], r"lines\.0\.points: coordinates must be 0"),
        ([], [7], r"lines\.0: must hold 'key: value' lines"),
        (
            [{**FLOOR, "polygon": [[0, 0]] * 300}],
            [],
            r"zones\.0\.polygon: list should have at most",
        ),
        ([{**FLOOR, "name": f"z{n}"} for n in range(501)], [], "zones: list should have at most"),
    ],
)
def test_wrong_rules_are_refused_with_their_path(steered, zones, lines, message) -> None:
    with steered() as run:
        with pytest.raises(Rejected, match=message):
            run.control.set_rules(zones, lines, run.control.rules().revision)
        assert run.path.read_text() == FILE


def test_rules_need_tracked_objects(steered) -> None:
    refused = pytest.raises(Rejected, match="zones: need tracked objects")
    with steered("dashboard: 8080\ntracking: false\n") as run, refused:
        run.control.set_rules([FLOOR], [], run.control.rules().revision)


def test_cameras_of_the_command_line_are_not_saved_and_rules_are(steered) -> None:
    text = "dashboard: 8080 # here\n"
    with steered(text, sources=[TEST]) as run:
        assert run.control.why_not_saved == "the cameras were named on the command line"
        run.control.add({"source": TEST, "id": "new"})
        assert run.path.read_text() == text
        revision = run.control.rules().revision
        with pytest.raises(Rejected, match=r"zones\.0\.sources: 'new' was added for this run only"):
            run.control.set_rules([{**FLOOR, "sources": ["new"]}], [], revision)
        run.control.set_rules([{**FLOOR, "sources": ["bars"]}], [], revision)
        assert load_config(run.path, {}, {}).zones[0].sources == ["bars"]


def test_reading_does_not_wait_for_a_slow_change(steered) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def slow(address: str, source_id: str, clock: SystemClock) -> Source:
        opening.set()
        assert go_on.wait(END_S)
        return open_source(address, source_id, clock)

    with steered(opener=slow) as run:
        adding = threading.Thread(target=lambda: run.control.add({"source": TEST, "id": "new"}))
        adding.start()
        assert opening.wait(END_S)
        assert [camera.id for camera in run.control.cameras()] == ["bars", "yard"]
        assert run.control.rules().zones and run.control.measures().sources
        go_on.set()
        adding.join(END_S)
        assert [camera.id for camera in run.control.cameras()] == ["bars", "yard", "new"]


def test_changes_from_many_threads_follow_each_other(steered) -> None:
    with steered() as run:
        faults = list[Exception]()

        def add(number: int) -> None:
            try:
                for _ in range(2):
                    run.control.add({"source": TEST, "id": f"c{number}"})
                    run.control.change(f"c{number}", {"priority": 1 + number})
                    run.control.remove(f"c{number}")
                run.control.add({"source": TEST, "id": f"c{number}"})
            except Exception as error:
                faults.append(error)

        threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(END_S)
        assert faults == []
        ids = {camera.id for camera in run.control.cameras()}
        assert ids == {"bars", "yard", "c0", "c1", "c2", "c3"}
        assert set(load_config(run.path, {}, {}).source_ids()) == ids


def test_what_is_measured(steered) -> None:
    with steered() as run:
        assert run.shows("bars", 3)
        measures = run.control.measures()
        bars = measures.sources["bars"]
        assert bars.counts.inferred >= 3 and bars.detections >= 3 and bars.queued >= 0
        assert sum(bars.latency.read()[0]) >= 3
        assert {"queue", "detect"} <= bars.stages.keys()
        assert sum(measures.batch_sizes.read()[0]) >= 2
        assert measures.sinks.keys() == {"results", "events"}
        assert measures.sinks["results"].waiting >= 0 and measures.sinks["results"].dropped == {}
        assert measures.class_names == ("person", "car") and 0 <= measures.detector_load <= 1


def test_a_configuration_survives_being_checked_again() -> None:
    config = Config.model_validate({"sources": ["test://bars"], "zones": [FLOOR], "record": "out"})
    again = Config.model_validate(dict(config))
    assert again == config and again.sources[0] is config.sources[0]
