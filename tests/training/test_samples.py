"""What the model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torch.utils.data import DataLoader

from pipeline.errors import DatasetError
from pipeline.training.augment import AUGMENTATIONS
from pipeline.training.datasets import Dataset, Example
from pipeline.training.datasets.picture import read_picture
from pipeline.training.samples import Batch, Pixels, Sample, Samples, batches, collate
from tests.training.kinds import MakePicture

FILL = (123, 117, 104)
SIDE = 16


def to_input(pixels: Pixels) -> Tensor:
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return torch.from_numpy(small).permute(2, 0, 1).float()


def example(
    picture: Path,
    size: tuple[int, int] = (40, 60),
    boxes: Sequence[Sequence[float]] = ((10, 5, 30, 25),),
    labels: Sequence[int] = (1,),
    ignored: Sequence[bool] = (False,),
) -> Example:
    return Example(
        picture,
        size,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(ignored, np.bool_),
    )


@pytest.fixture
def dataset(make_picture: MakePicture, tmp_path: Path) -> Dataset:
    """Six pictures, each brighter than the one before, with one object."""
    examples = []
    for index in range(6):
        colour = (20 + 30 * index, 200 - 30 * index, 77)
        examples.append(example(make_picture(tmp_path / f"{index}.png", (40, 60), colour)))
    return Dataset(("cat", "dog"), tuple(examples))


def samples_of(dataset: Dataset, preset: str = "ssd", seed: int = 5) -> Samples:
    return Samples(dataset, to_input, AUGMENTATIONS[preset](FILL), seed)


def equal(first: Sequence[Sample], second: Sequence[Sample]) -> bool:
    return all(
        torch.equal(one, other)
        for pair in zip(first, second, strict=True)
        for one, other in zip(*pair, strict=True)
    )


def test_a_sample_without_augmentation(make_picture: MakePicture, tmp_path: Path) -> None:
    path = make_picture(tmp_path / "a.png", (40, 60), (200, 100, 50))
    one = example(
        path,
        boxes=[(10, 5, 30, 25), (0, 0, 60, 40), (3, 0, 6, 8)],
        labels=[1, 0, 1],
        ignored=[False, True, False],
    )
    samples = samples_of(Dataset(("cat", "dog"), (one,)), "none")
    assert len(samples) == 1
    image, boxes, labels = samples[0]
    assert image[:, 0, 0].tolist() == [200, 100, 50]
    expected = torch.tensor([[10 / 60, 5 / 40, 30 / 60, 25 / 40], [0.05, 0, 0.1, 0.2]])
    torch.testing.assert_close(boxes, expected)
    assert boxes.dtype == torch.float32
    assert labels.tolist() == [1, 1]
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("preset", AUGMENTATIONS)
def test_samples_have_the_same_form_with_any_augmentation(dataset: Dataset, preset: str) -> None:
    empty = example(dataset.examples[0].picture, boxes=(), labels=(), ignored=())
    samples = samples_of(replace(dataset, examples=(empty, *dataset.examples)), preset)
    for index in range(len(samples)):
        image, boxes, labels = samples[index]
        assert (image.shape, image.dtype) == ((3, SIDE, SIDE), torch.float32)
        assert (boxes.shape, boxes.dtype) == ((len(labels), 4), torch.float32)
        assert labels.dtype == torch.int64
        assert type(boxes) is type(labels) is Tensor
        assert (boxes >= 0).all()
        assert (boxes <= 1).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert len(labels) == 0 if index == 0 else labels.tolist() in ([1], [])


def test_a_sample_depends_on_seed_epoch_and_index_only(dataset: Dataset) -> None:
    samples = samples_of(dataset)
    forwards = [samples[index] for index in range(6)]
    torch.manual_seed(99)
    backwards = [samples_of(dataset)[index] for index in reversed(range(6))]
    assert equal(forwards, backwards[::-1])
    assert not equal(forwards, [samples_of(dataset, seed=6)[index] for index in range(6)])
    samples.set_epoch(1)
    assert not equal(forwards, [samples[index] for index in range(6)])
    samples.set_epoch(0)
    assert equal(forwards, [samples[index] for index in range(6)])


def test_samples_of_one_picture_differ_by_index(dataset: Dataset) -> None:
    samples = samples_of(replace(dataset, examples=dataset.examples[:1] * 4))
    assert not equal([samples[0]] * 3, [samples[index] for index in (1, 2, 3)])


def test_the_generator_of_the_caller_is_left_alone(dataset: Dataset) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert samples_of(dataset)[0]
    assert torch.equal(torch.rand(4), expected)


def loaded(samples: Samples, workers: int) -> DataLoader[Sample]:
    return DataLoader(
        samples,
        batch_size=4,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )


def flat(made: Sequence[Batch]) -> list[Sample]:
    return [Sample(*parts) for batch in made for parts in zip(*batch, strict=True)]


def test_workers_change_nothing_and_learn_of_the_epoch(dataset: Dataset) -> None:
    alone, shared = samples_of(dataset), samples_of(dataset)
    alone_loader, shared_loader = loaded(alone, 0), loaded(shared, 2)
    epochs = []
    for epoch in range(3):
        alone.set_epoch(epoch)
        shared.set_epoch(epoch)
        made = flat(list(batches(shared_loader)))
        assert equal(made, flat(list(batches(alone_loader))))
        assert equal(made, [alone[index] for index in range(6)])
        epochs.append(made)
    assert not equal(epochs[0], epochs[1])
    assert not equal(epochs[1], epochs[2])


def test_collate(dataset: Dataset) -> None:
    empty = example(dataset.examples[0].picture, boxes=(), labels=(), ignored=())
    samples = samples_of(Dataset(("cat", "dog"), (dataset.examples[1], empty)), "none")
    batch = collate([samples[0], samples[1]])
    assert batch.images.shape == (2, 3, SIDE, SIDE)
    assert [boxes.shape for boxes in batch.boxes] == [(1, 4), (0, 4)]
    assert [labels.tolist() for labels in batch.labels] == [[1], []]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_one_line_from_any_process(dataset: Dataset, workers: int) -> None:
    path = dataset.examples[5].picture
    path.write_bytes(b"no picture")
    with pytest.raises(DatasetError) as caught:
        list(batches(loaded(samples_of(dataset), workers)))
    message = f"{path}: cannot be read as a picture: damaged, or of an unknown kind"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "cannot be read as a picture: damaged, or of an unknown kind"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read as a picture: damaged, or of an unknown kind"),
    ],
)
def test_refuses_pictures_that_cannot_be_read(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        read_picture(example(path))
    assert str(caught.value) == f"{path}: {message}"


def test_refuses_a_folder_called_like_a_picture(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a file"):
        read_picture(example(tmp_path))


def test_refuses_a_picture_of_another_size(make_picture: MakePicture, tmp_path: Path) -> None:
    path = make_picture(tmp_path / "a.png", (60, 40))
    with pytest.raises(DatasetError) as caught:
        samples_of(Dataset(("cat", "dog"), (example(path),)))[0]
    message = f"{path}: is 40 pixels wide and 60 high, but its annotation says 60 and 40"
    assert str(caught.value) == message


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (60, 40)).save(path)
    pixels = read_picture(example(path))
    assert (pixels.shape, pixels.dtype) == ((40, 60, 3), np.uint8)


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[:, :30] = (255, 0, 0)
    Image.fromarray(stored).save(path, exif=exif)
    pixels = read_picture(example(path, size=(60, 40)))
    assert (pixels[:30] == (255, 0, 0)).all(), "the left half is the upper one"
    assert (pixels[30:] == 0).all()


def test_large_pictures_are_made_smaller_before_they_are_augmented(
    make_picture: MakePicture, tmp_path: Path
) -> None:
    path = make_picture(tmp_path / "a.png", (1, 4000))
    seen = []

    def watch(targets: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append((tuple(targets["image"].shape), targets["boxes"].tolist()))
        return targets

    one = example(path, (1, 4000), [(1000, 0, 4000, 1)])
    _, boxes, _ = Samples(Dataset(("cat", "dog"), (one,)), to_input, watch, 0)[0]
    assert seen == [((3, 1, 1600), [[400, 0, 1600, 1]])]
    torch.testing.assert_close(boxes, torch.tensor([[0.25, 0, 1, 1]]))


def test_the_seed_must_not_be_negative(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        samples_of(dataset, seed=-1)
