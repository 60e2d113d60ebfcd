"""The fastest engine is found once, remembered, and never at the price of accuracy."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline import engine_choice
from pipeline.engine_choice import (
    Candidate,
    Measured,
    all_candidates,
    choose_plan,
    chosen,
    int8_loss_points,
    measure,
    quick_candidates,
    recall,
    remember,
)
from pipeline.errors import ModelError
from pipeline.ssd.model import SSD, create_model
from pipeline.ssd.networks import Networks, Plan

CPU = torch.device("cpu")
TORCH: Candidate = ("torch", "fp32")
OPENVINO: Candidate = ("openvino", "fp32")
INT8: Candidate = ("openvino", "int8")
COMPILED: Candidate = ("compiled", "fp32")


@pytest.fixture(scope="module")
def model() -> SSD:
    return create_model("ssdlite300_mobilenet_v2", 2)


@pytest.fixture(autouse=True)
def plain_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU without bf16, whatever the tests run on."""
    monkeypatch.setattr(engine_choice, "is_fast_in_bf16", lambda: False)
    monkeypatch.setattr("pipeline.ssd.openvino_networks.computes_bf16", lambda: False)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> dict[Candidate, float]:
    """What measuring finds; how often it is asked is under `calls`."""
    speeds: dict[Candidate, float] = {TORCH: 0.03, OPENVINO: 0.02, INT8: 0.01}

    def measure(
        _model: SSD, _size: int, _device: torch.device, candidates: Sequence[Candidate], _: Path
    ) -> Measured:
        return Measured({candidate: speeds[candidate] for candidate in candidates})

    monkeypatch.setattr(engine_choice, "measure", measure)
    return speeds


def forbid_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(engine_choice, "measure", fail)


def has_int8(cache: Path, loss_points: float | None) -> None:
    (cache / "int8.xml").touch()
    if loss_points is not None:
        (cache / "int8.json").write_text(json.dumps({"loss_points": loss_points}))


@pytest.mark.usefixtures("speeds")
def test_the_fastest_is_taken_and_remembered(
    model: SSD, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path) == Plan(*OPENVINO, tmp_path)
    forbid_measuring(monkeypatch)
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path) == Plan(*OPENVINO, tmp_path)
    assert choose_plan(model, 300, CPU, "torch", "auto", tmp_path) == Plan(*TORCH, tmp_path)
    assert choose_plan(model, 300, CPU, "auto", "fp32", tmp_path) == Plan(*OPENVINO, tmp_path)


def test_a_slower_engine_is_not_taken(
    model: SSD, tmp_path: Path, speeds: dict[Candidate, float]
) -> None:
    speeds[OPENVINO] = 0.05
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path).engine == "torch"


@pytest.mark.usefixtures("speeds")
def test_int8_is_taken_only_without_a_loss(model: SSD, tmp_path: Path) -> None:
    has_int8(tmp_path, 1.01)
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path).precision == "fp32"
    has_int8(tmp_path, 1.0)
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path) == Plan(*INT8, tmp_path)


@pytest.mark.usefixtures("speeds")
def test_int8_of_unknown_loss_is_taken_when_asked_for(model: SSD, tmp_path: Path) -> None:
    has_int8(tmp_path, None)
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path).precision == "fp32"
    assert choose_plan(model, 300, CPU, "auto", "int8", tmp_path) == Plan(*INT8, tmp_path)


def test_what_is_given_is_taken_unmeasured(
    model: SSD, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_measuring(monkeypatch)
    plan = choose_plan(model, 300, CPU, "compiled", "fp32", tmp_path)
    assert plan == Plan(*COMPILED, tmp_path)
    assert choose_plan(model, 300, CPU, "compiled", "auto", tmp_path) == plan
    assert choose_plan(model, 300, CPU, "auto", "fp16", tmp_path) == Plan("torch", "fp16", tmp_path)
    monkeypatch.setattr(engine_choice, "has_openvino", lambda: False)
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path) == Plan(*TORCH, tmp_path)


def test_compiled_is_taken_once_it_was_measured(
    model: SSD, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_measuring(monkeypatch)
    remember(tmp_path, CPU, Measured({TORCH: 0.03, OPENVINO: 0.02, COMPILED: 0.01}))
    assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path) == Plan(*COMPILED, tmp_path)
    assert chosen(recall(tmp_path, CPU), tmp_path, CPU) == COMPILED
    assert choose_plan(model, 300, CPU, "openvino", "auto", tmp_path) == Plan(*OPENVINO, tmp_path)


def test_bf16_is_a_candidate_where_the_cpu_computes_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quick_candidates(tmp_path, CPU) == [TORCH, OPENVINO]
    assert all_candidates(tmp_path, CPU) == [TORCH, OPENVINO, COMPILED]
    monkeypatch.setattr(engine_choice, "is_fast_in_bf16", lambda: True)
    monkeypatch.setattr("pipeline.ssd.openvino_networks.computes_bf16", lambda: True)
    assert quick_candidates(tmp_path, CPU) == [
        TORCH,
        ("torch", "bf16"),
        OPENVINO,
        ("openvino", "bf16"),
    ]
    has_int8(tmp_path, 5.0)
    assert INT8 not in quick_candidates(tmp_path, CPU)
    assert all_candidates(tmp_path, CPU)[-3:] == [COMPILED, ("compiled", "bf16"), INT8]
    assert quick_candidates(tmp_path, torch.device("cuda")) == [("torch", "fp16")]


def test_another_machine_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path, CPU, Measured({TORCH: 0.03}))
    assert recall(tmp_path, CPU).seconds == {TORCH: 0.03}
    monkeypatch.setattr(engine_choice, "cpu_name", lambda: "another")
    assert recall(tmp_path, CPU).seconds == {}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"machine": 1}', '{"measured": [], "machine": null}', "\xff"]
)
def test_a_damaged_memory_is_none(content: str, tmp_path: Path) -> None:
    for name in ("speed.json", "int8.json", "int8.xml"):
        (tmp_path / name).write_bytes(content.encode("latin1"))
    assert recall(tmp_path, CPU).seconds == {}
    assert int8_loss_points(tmp_path) is None


@pytest.mark.usefixtures("speeds")
def test_a_cache_that_cannot_be_written_only_forgets(
    model: SSD, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    plan = choose_plan(model, 300, CPU, "auto", "auto", tmp_path / "file")
    assert plan.engine == "openvino"
    assert "not remembered" in caplog.text


def test_candidates_take_turns(model: SSD, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def make(_m: SSD, _s: int, _d: torch.device, plan: Plan, threads: int) -> Networks:
        if plan.engine == "openvino":
            raise ModelError("no such thing\nand more")

        def network(_images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            turns.append(plan.precision)
            return torch.zeros(1), torch.zeros(1)

        return Networks(network, [network] * threads)

    monkeypatch.setattr(engine_choice, "make_networks", make)
    monkeypatch.setattr(engine_choice, "ROUND_S", 0.0)
    told: list[str] = []
    measured = measure(model, 300, CPU, [TORCH, OPENVINO, ("torch", "bf16")], None, told.append)
    assert measured.failures == {OPENVINO: "no such thing"}
    assert set(measured.seconds) == {TORCH, ("torch", "bf16")}
    assert measured.best([OPENVINO]) is None
    threads = torch.get_num_threads()
    assert turns == (["fp32"] * threads + ["bf16"] * threads) * (engine_choice.ROUNDS + 2)
    assert "getting openvino fp32 ready" in told
    assert "measuring torch bf16" in told


def test_a_failure_is_told(
    model: SSD, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        engine_choice,
        "measure",
        lambda *_: Measured({TORCH: 0.03}, {OPENVINO: "damaged; delete it"}),
    )
    with caplog.at_level(logging.WARNING):
        assert choose_plan(model, 300, CPU, "auto", "auto", tmp_path) == Plan(*TORCH, tmp_path)
    assert "openvino fp32 cannot be used: damaged; delete it" in caplog.text
