"""Batches of a dataset for a model, prepared by worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
from torch.utils.data import DataLoader, Sampler

from pipeline.ssd.preprocess import rgb_to_input
from pipeline.ssd.zoo import ModelSpec
from pipeline.training.augment import AUGMENTATIONS, Colour
from pipeline.training.datasets.example import Dataset
from pipeline.training.recipe import AugmentationName
from pipeline.training.samples import Batch, Sample, Samples, batches, collate


class TrainingLoader:
    """Augmented batches in random order; the seed and the epoch alone decide what is in them.

    Pictures that do not fill a batch at the end of an epoch are left out of it.

    Args:
        dataset: the pictures, at least 2.
        spec: the model.
        batch_size: pictures a batch; no more than there are.
        augmentation: a key of `AUGMENTATIONS`.
        seed: not negative.
        workers: processes; 0 for this one.
        pinned: whether batches lie where a GPU can fetch them from.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: ModelSpec,
        batch_size: int,
        augmentation: AugmentationName,
        seed: int,
        workers: int,
        pinned: bool,
    ) -> None:
        augment = AUGMENTATIONS[augmentation](mean_colour(spec))
        self._samples = Samples(dataset, partial(rgb_to_input, spec=spec), augment, seed)
        self._order = _RandomOrder(len(self._samples), seed)
        self._loader: DataLoader[Sample] = DataLoader(
            self._samples,
            min(batch_size, len(self._samples)),
            sampler=self._order,
            drop_last=True,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pinned,
            worker_init_fn=_prepare_worker,
        )

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._loader)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, which counts from 0.

        Raises:
            DatasetError: a picture cannot be read.
        """
        self._samples.set_epoch(epoch)
        self._order.epoch = epoch
        return batches(self._loader)


def validation_batches(
    dataset: Dataset, spec: ModelSpec, batch_size: int, workers: int
) -> Iterator[Batch]:
    """All pictures of a dataset in order, as they are.

    Raises:
        DatasetError: a picture cannot be read.
    """
    samples = Samples(dataset, partial(rgb_to_input, spec=spec), None, seed=0)
    loader: DataLoader[Sample] = DataLoader(
        samples,
        batch_size,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_prepare_worker,
    )
    return batches(loader)


def mean_colour(spec: ModelSpec) -> Colour:
    """The RGB colour, 0..255, that a model's input has as zero."""
    red, green, blue = (round(-offset / spec.pixels.scale) for offset in spec.pixels.offset)
    return red, green, blue


class _RandomOrder(Sampler[int]):
    """Every index once, in an order of its own for each epoch."""

    def __init__(self, count: int, seed: int) -> None:
        self.epoch = 0
        self._count = count
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self.epoch))
        return iter(random.permutation(self._count).tolist())


def _prepare_worker(_worker: int) -> None:
    # A signal may reach every process of the program, which ends its workers itself: they must
    # neither tell of Ctrl-C, nor end by SIGTERM as if by an accident.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    # Threads of OpenCV do not survive the fork, and the workers fill the cores already.
    cv2.setNumThreads(0)
