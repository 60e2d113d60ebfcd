"""`Trainer`: trains a model epoch by epoch (SSD paper section 3, "Base network")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from pipeline.clock import SystemClock
from pipeline.errors import ConfigError, DatasetError, TrainingError
from pipeline.ssd.loss import multibox_loss
from pipeline.ssd.model import SSD
from pipeline.ssd.zoo import ModelSpec
from pipeline.training.average import AveragedModel
from pipeline.training.coco_ap import coco_average_precision
from pipeline.training.datasets.example import Dataset
from pipeline.training.history import EpochRecord
from pipeline.training.loader import TrainingLoader, validation_batches
from pipeline.training.recipe import Precision, Recipe
from pipeline.training.samples import Batch
from pipeline.training.schedule import learning_rate
from pipeline.training.validate import find_objects
from pipeline.types import Detections

_DTYPES: Mapping[Precision, torch.dtype | None] = {
    "fp32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of training."""

    epoch: int
    """Counts from 1."""
    step: int
    """Of the epoch; counts from 1."""
    steps: int
    """In an epoch."""
    pictures: int
    """That the step was made with."""
    loss: float


class Trainer:
    """Trains a model by SGD, averages its weights and measures the average after each epoch.

    Nothing but its arguments decides what it does: on a CPU the same ones give the same weights,
    whatever the number of workers.

    Args:
        model: trained in place.
        spec: how it is fed and read.
        training: pictures to train on.
        validation: pictures to measure on, with the same classes.
        recipe: how; with a learning rate.
        device: where to compute.
        workers: processes that prepare pictures.
    Raises:
        DatasetError: there are fewer than two pictures to train on.
        ConfigError: the precision is not for this device.
    """

    def __init__(
        self,
        model: SSD,
        spec: ModelSpec,
        training: Dataset,
        validation: Dataset,
        recipe: Recipe,
        device: torch.device,
        workers: int,
    ) -> None:
        if len(training.examples) < 2:
            raise DatasetError("there is 1 picture to train on; it takes 2 or more")
        self.history: list[EpochRecord] = []
        self.steps = 0
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._averaged = AveragedModel(self.model, recipe.ema_decay)
        self._optimiser = torch.optim.SGD(
            _parameter_groups(model, recipe.weight_decay), momentum=recipe.momentum
        )
        self._dtype = _autocast_dtype(recipe.precision, device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        self._loader = TrainingLoader(
            training,
            spec,
            recipe.batch_size,
            recipe.augmentation,
            recipe.seed,
            workers,
            pinned=device.type == "cuda",
        )
        self._spec, self._validation = spec, validation
        self._recipe, self._device, self._workers = recipe, device, workers

    @property
    def total_steps(self) -> int:
        """Of the whole run."""
        return self._recipe.epochs * len(self._loader)

    @property
    def averaged(self) -> SSD:
        """The model with averaged weights, in evaluation mode."""
        return self._averaged.model

    def run(self) -> Iterator[StepReport | EpochRecord]:
        """Train the epochs that are left.

        Yields:
            A report after each step, and a record after each epoch, when `state` is that of the
            epoch's end.
        Raises:
            TrainingError: the loss or the gradient is not finite, and the weights are as before
                the step; or the weights are not after an epoch.
            DatasetError: a picture cannot be read.
        """
        clock = SystemClock()
        while len(self.history) < self._recipe.epochs:
            started_s, epoch = clock.monotonic(), len(self.history) + 1
            losses: list[tuple[float, float]] = []
            self.model.train()
            for step, batch in enumerate(self._loader.epoch(epoch - 1), start=1):
                box_loss, class_loss = self._step(batch, epoch)
                losses.append((box_loss, class_loss))
                yield StepReport(
                    epoch, step, len(self._loader), len(batch.images), box_loss + class_loss
                )
            self._require_finite_state(epoch)
            result = coco_average_precision(self._validation, self._find_objects())
            box_loss, class_loss = (sum(part) / len(losses) for part in zip(*losses, strict=True))
            record = EpochRecord(
                epoch=epoch,
                steps=self.steps,
                loss=box_loss + class_loss,
                box_loss=box_loss,
                class_loss=class_loss,
                learning_rate=float(self._optimiser.param_groups[0]["lr"]),
                ap=result.ap,
                ap50=result.ap50,
                seconds=clock.monotonic() - started_s,
            )
            self.history.append(record)
            yield record

    def state(self) -> dict[str, Tensor]:
        """All tensors that training goes on from: weights, their average and the momentum."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"averaged.{key}": value for key, value in self.averaged.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            momentum = self._optimiser.state[parameter].get("momentum_buffer")
            tensors[f"momentum.{name}"] = (
                torch.zeros_like(parameter) if momentum is None else momentum
            )
        return tensors

    def scaler_state(self) -> dict[str, Any]:
        """The state of the scaler of fp16's losses, ready for JSON; empty for other precisions."""
        return self._scaler.state_dict()

    def restore(
        self,
        tensors: Mapping[str, Tensor],
        scaler: Mapping[str, Any],
        history: Sequence[EpochRecord],
    ) -> None:
        """Go on from where an earlier trainer was after an epoch.

        Args:
            tensors: its `state`, whole.
            scaler: its `scaler_state`.
            history: its history, at least one epoch.
        """
        self.history = list(history)
        self.steps = history[-1].steps
        self.model.load_state_dict(_below("model.", tensors))
        self.averaged.load_state_dict(_below("averaged.", tensors))
        for name, momentum in _below("momentum.", tensors).items():
            parameter = self.model.get_parameter(name)
            buffer = torch.empty_like(parameter).copy_(momentum)
            self._optimiser.state[parameter]["momentum_buffer"] = buffer
        if scaler:
            self._scaler.load_state_dict(dict(scaler))

    def _step(self, batch: Batch, epoch: int) -> tuple[float, float]:
        """Make one step; return the losses of the boxes and of the classes."""
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.steps, self.total_steps, self._recipe)
        device = self._device
        images = batch.images.to(device, memory_format=torch.channels_last, non_blocking=True)
        with torch.autocast(device.type, self._dtype, enabled=self._dtype is not None):
            deltas, logits = self.model(images)
        boxes, labels = ([part.to(device) for part in parts] for parts in batch[1:])
        loss = multibox_loss(deltas, logits, self.model.default_boxes, boxes, labels)

        self._optimiser.zero_grad()
        self._scaler.scale(loss.total).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        norm = clip_grad_norm_(self.model.parameters(), self._recipe.clip_norm)
        self._require_finite("loss", loss.total, epoch)
        # fp16 overflows now and then; the scaler then skips the step and scales less.
        if not self._scaler.is_enabled() or self._scaler.get_scale() < 1:
            self._require_finite("length of the gradient", norm, epoch)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._averaged.update(self.steps)
        self.steps += 1
        return loss.box.item(), loss.classes.item()

    def _require_finite(self, what: str, value: Tensor, epoch: int) -> None:
        if not torch.isfinite(value):
            raise TrainingError(
                f"the {what} is {value.item()} at step {self.steps + 1} (epoch {epoch})"
            )

    def _require_finite_state(self, epoch: int) -> None:
        """Batch norm can hide from the loss that its statistics overflow."""
        for key, value in self.state().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise TrainingError(f"{key} is not finite after step {self.steps} (epoch {epoch})")

    def _find_objects(self) -> list[Detections]:
        dataset, spec = self._validation, self._spec
        validation = validation_batches(dataset, spec, self._recipe.batch_size, self._workers)
        return find_objects(self.averaged, spec, dataset, validation, self._device)


def _parameter_groups(model: SSD, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with and without decay; there is nothing to gain from small biases."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """What the network computes in besides float32; None for float32 alone."""
    if precision == "auto":
        if device.type == "cpu":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("precision fp16 trains on a GPU only; on the CPU use fp32 or bf16")
    return _DTYPES[precision]


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin like this, by the rest of the name."""
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
