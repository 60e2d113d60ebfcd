"""The folder of a run: weights to use, the state to go on from, and the history."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.errors import ConfigError, ModelError
from pipeline.ssd.tensors import check_state, read_tensors, save_tensors
from pipeline.ssd.weights import save_weights
from pipeline.ssd.zoo import ModelSpec
from pipeline.training.history import EpochRecord
from pipeline.training.plots import save_loss_curve
from pipeline.training.recipe import Recipe, TrainingConfig
from pipeline.training.train import Trainer
from pipeline.whole_file import write_whole

_FORMAT = "watchline-training-1"


@dataclass(frozen=True, slots=True)
class Run:
    """What must stay the same for a run to be resumed."""

    architecture: str
    """A key of `zoo.MODELS`."""
    spec: ModelSpec
    class_names: tuple[str, ...]
    fingerprint: str
    """Of the pictures, see `TrainingData.fingerprint`."""
    recipe: Recipe
    """It may differ in the number of epochs."""

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON; the keys of the settings are those of the flags."""
        return {
            "settings": {
                "model": self.architecture,
                "size": self.spec.size,
                **self.recipe.model_dump(mode="json"),
            },
            "class_names": list(self.class_names),
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class State:
    """Where a run was after an epoch."""

    run: Mapping[str, Any]
    """`Run.to_json`."""
    history: tuple[EpochRecord, ...]
    scaler: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    """`Trainer.state`."""


class RunFolder:
    """Keeps a run in a folder. Every file appears whole or not at all.

    After each epoch `last` is written first, then `best` if the epoch was, the history and its
    picture, and at last `state`. Whoever resumes a run that was killed in between goes on from the
    state of the epoch before and writes the other files again, the same ones on the same machine.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.state = path / "state.safetensors"
        self.history = path / "history.json"
        self.plot = path / "loss.png"

    def require_empty(self) -> None:
        """Refuse to lose a run.

        Raises:
            ConfigError: there is one in the folder.
        """
        for file in (self.state, self.last, self.best):
            if os.path.lexists(file):
                raise ConfigError(
                    f"{self.path}: holds a run already ({file.name}); go on with it by --resume, "
                    "or choose another --output"
                )

    def make(self) -> None:
        """Make the folder.

        Raises:
            ConfigError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be made: {error.strerror}") from error

    def save(self, trainer: Trainer, run: Run) -> None:
        """Write everything after an epoch.

        Raises:
            ModelError, ConfigError: a file cannot be written.
        """
        history = trainer.history
        training = {
            "recipe": run.recipe.model_dump(mode="json"),
            "fingerprint": run.fingerprint,
            **history[-1].to_json(),
        }
        weights = (trainer.averaged, run.architecture, run.class_names, run.spec, training)
        save_weights(self.last, *weights)
        if best_epoch(history) == history[-1]:
            save_weights(self.best, *weights)
        records = [record.to_json() for record in history]
        write_whole(self.history, json.dumps(records, indent=1) + "\n")
        save_loss_curve(self.plot, history)
        metadata = {
            "format": _FORMAT,
            "run": json.dumps(run.to_json()),
            "history": json.dumps(records),
            "scaler": json.dumps(trainer.scaler_state()),
        }
        save_tensors(self.state, trainer.state(), metadata)

    def read_state(self) -> State:
        """Read the state to go on from.

        Raises:
            ConfigError: there is no run in the folder.
            ModelError: the file is damaged, or is none of ours.
        """
        if not self.state.is_file():
            raise ConfigError(f"{self.path}: holds no run to resume: no {self.state.name}")
        metadata, tensors = read_tensors(self.state)
        found = metadata.get("format", "none")
        if found != _FORMAT:
            raise ModelError(f"{self.state}: is no state of training: format is {found!r}")
        try:
            run, records, scaler = (
                json.loads(metadata[key]) for key in ("run", "history", "scaler")
            )
            TrainingConfig.model_validate(run["settings"])
            history = tuple(EpochRecord.from_json(record) for record in records)
            state = State(run, history, scaler, tensors)
            if not history or run.keys() != {"settings", "class_names", "fingerprint"}:
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ModelError(f"{self.state}: damaged: its record of the run is wrong") from error
        return state

    def resume(self, state: State, run: Run, trainer: Trainer) -> None:
        """Let a trainer go on from a state.

        Raises:
            ConfigError: the state is of a run with other settings, classes or pictures.
            ModelError: its tensors do not fit the trainer's, or are not finite.
        """
        self._require_same(state.run, run.to_json())
        check_state(self.state, state.tensors, trainer.state(), run.architecture)
        trainer.restore(state.tensors, state.scaler, state.history)

    def _require_same(self, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        differences = [
            f"{key} {was['settings'].get(key)}, not {value}"
            for key, value in now["settings"].items()
            if key != "epochs" and was["settings"].get(key) != value
        ]
        if was["class_names"] != now["class_names"]:
            classes = (", ".join(map(str, names["class_names"])) for names in (was, now))
            differences.append("the classes {}, not {}".format(*classes))
        elif was["fingerprint"] != now["fingerprint"]:
            differences.append("other pictures or objects than those of --data and --val")
        if differences:
            raise ConfigError(
                f"{self.path}: was begun with {differences[0]}; resume with the same, "
                "or choose another --output"
            )


def best_epoch(history: Sequence[EpochRecord]) -> EpochRecord:
    """The epoch with the highest AP, the last of equals."""
    return max(history, key=lambda record: (record.ap or 0.0, record.epoch))
