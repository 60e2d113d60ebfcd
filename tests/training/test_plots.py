"""The plots are PNGs of the promised size, show the data they are given, and touch no state."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.errors import ConfigError
from pipeline.training.datasets.example import Dataset
from pipeline.training.evaluation import Evaluation, evaluate
from pipeline.training.history import EpochRecord
from pipeline.training.plots import save_loss_curve, save_precision_recall
from tests.training.measured import NAMES, random_case

HISTORY = [
    EpochRecord(
        epoch=epoch,
        steps=100 * epoch,
        loss=3.0 / epoch,
        box_loss=1.0 / epoch,
        class_loss=2.0 / epoch,
        learning_rate=1e-3,
        ap=0.05 * epoch if epoch % 2 else None,
        ap50=0.1 * epoch if epoch % 2 else None,
        seconds=60.0,
    )
    for epoch in range(1, 7)
]

Save = Callable[[Path], None]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(*random_case(NAMES))


def drawn(path: Path, save: Save) -> npt.NDArray[np.uint8]:
    """The pixels that a function saves; no warning may be given on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    pixels = cv2.imread(str(path))
    assert pixels is not None
    assert pixels.shape == (720, 1080, 3)
    return np.asarray(pixels, np.uint8)


def coloured(pixels: npt.NDArray[np.uint8], colour: str) -> npt.NDArray[np.bool_]:
    """Which pixels have exactly a colour of matplotlib's."""
    rgb = np.round(np.array(matplotlib.colors.to_rgb(colour)) * 255)
    return np.asarray((pixels == rgb[::-1]).all(axis=-1))


def test_precision_and_recall_of_each_class_and_their_mean(
    tmp_path: Path, evaluation: Evaluation
) -> None:
    pixels = drawn(
        tmp_path / "new" / "pr.png", lambda path: save_precision_recall(path, evaluation)
    )
    assert coloured(pixels, "tab:blue").any()
    assert coloured(pixels, "tab:orange").any()
    assert not coloured(pixels, "tab:green").any()
    other = evaluate(*random_case(NAMES, seed=1))
    assert (
        pixels != drawn(tmp_path / "b.png", lambda path: save_precision_recall(path, other))
    ).any()


def test_at_most_twenty_classes_are_drawn(tmp_path: Path) -> None:
    names = tuple(f"class {i}" for i in range(23))
    evaluation = evaluate(*random_case(names, pictures=200))
    fewest = sorted(evaluation.voc.classes.items(), key=lambda item: item[1].objects)[:3]
    before = drawn(tmp_path / "a.png", lambda path: save_precision_recall(path, evaluation))
    renamed = {name: f"other {name}" for name, _ in fewest}
    voc = replace(
        evaluation.voc,
        classes={renamed.get(name, name): one for name, one in evaluation.voc.classes.items()},
    )
    after = drawn(
        tmp_path / "b.png",
        lambda path: save_precision_recall(path, replace(evaluation, voc=voc)),
    )
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    "names", [("person",), ("_hidden", "$x", "a $\\formula{$ c"), ("n" * 500, "other")]
)
def test_any_names_can_be_drawn(names: tuple[str, ...], tmp_path: Path) -> None:
    evaluation = evaluate(*random_case(names, pictures=10))
    pixels = drawn(tmp_path / "pr.png", lambda path: save_precision_recall(path, evaluation))
    # The curves keep the better part of the picture's width.
    assert coloured(pixels[:, :700], "tab:blue").any()


def test_the_legend_has_the_average_precision(tmp_path: Path, evaluation: Evaluation) -> None:
    voc = evaluation.voc
    before = drawn(tmp_path / "a.png", lambda path: save_precision_recall(path, evaluation))
    best = max(voc.classes, key=lambda name: voc.classes[name].ap_area or 0)
    for other in (
        replace(voc, ap_area=0.987),
        replace(voc, classes=voc.classes | {best: replace(voc.classes[best], ap_area=0.987)}),
    ):
        changed = replace(evaluation, voc=other)
        after = drawn(tmp_path / "b.png", lambda path, e=changed: save_precision_recall(path, e))
        np.testing.assert_array_equal(after[:, :700], before[:, :700])
        assert (after != before).any()


def test_precision_and_recall_of_nothing(tmp_path: Path) -> None:
    nothing = evaluate(Dataset(NAMES, ()), [])
    drawn(tmp_path / "pr.png", lambda path: save_precision_recall(path, nothing))


def test_losses_and_average_precision(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "loss.png", lambda path: save_loss_curve(path, HISTORY))
    for colour in ("black", "tab:blue", "tab:orange", "tab:green"):
        assert coloured(pixels, colour).any()
    # The AP of every second epoch is joined by lines.
    assert coloured(pixels, "tab:green").any(axis=0).sum() > 500
    other = [replace(record, box_loss=0.5) for record in HISTORY]
    assert (pixels != drawn(tmp_path / "b.png", lambda path: save_loss_curve(path, other))).any()


def test_losses_alone(tmp_path: Path) -> None:
    history = [replace(record, ap=None, ap50=None) for record in HISTORY]
    pixels = drawn(tmp_path / "loss.png", lambda path: save_loss_curve(path, history))
    assert coloured(pixels, "tab:blue").any()
    assert not coloured(pixels, "tab:green").any()


def test_one_epoch_is_enough(tmp_path: Path) -> None:
    drawn(tmp_path / "loss.png", lambda path: save_loss_curve(path, HISTORY[:1]))


@pytest.fixture(params=["precision_recall", "loss"])
def save(request: pytest.FixtureRequest, evaluation: Evaluation) -> Save:
    if request.param == "loss":
        return lambda path: save_loss_curve(path, HISTORY)
    return lambda path: save_precision_recall(path, evaluation)


def test_the_same_data_makes_the_same_file(save: Save, tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert b"matplotlib" not in (tmp_path / "a.png").read_bytes()


def test_a_file_is_overwritten_and_nothing_else_is_left(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    path.write_text("old")
    drawn(path, save)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", ["folder", "file/plot.png"])
def test_what_cannot_be_written_is_told_of_in_one_line(
    where: str, save: Save, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        save(tmp_path / where)
    assert str(caught.value).startswith(f"{tmp_path / where}: cannot be written: ")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_missing_package_is_told_of_in_one_line(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as caught:
        save(tmp_path / "plot.png")
    assert str(caught.value) == ("A plot needs the package matplotlib: pip install -e '.[train]'")
