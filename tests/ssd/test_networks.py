"""Every engine computes the same network."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.clock import SystemClock
from pipeline.errors import ModelError
from pipeline.quantise import make_int8
from pipeline.ssd import compiled, networks, openvino_networks
from pipeline.ssd.compiled import CompiledNetwork
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.model import SSD
from pipeline.ssd.networks import Network, Plan, make_networks
from pipeline.ssd.zoo import MODELS
from pipeline.types import Frame
from sources import open_source
from sources.sample import sample

CPU = torch.device("cpu")
NAME = "ssdlite300_mobilenet_v2"
SPEC = MODELS[NAME]


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, SPEC.size, SPEC.size, generator=generator) * 2 - 1
    return images.to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def expected(person_model: SSD, images: Tensor) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        deltas, logits = person_model.eval()(images)
    return deltas, logits


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def frames(bikes_clip: Path) -> list[Frame]:
    """Those with people."""
    return sample(open_source(str(bikes_clip), "bikes", SystemClock()), 50)[18:36]


def each(made: networks.Networks) -> Sequence[Network]:
    return [made.alone, *made.shared]


def worst(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> list[float]:
    """The largest error of deltas and of logits."""
    return [float((a.float() - b).abs().max()) for a, b in zip(found, expected, strict=True)]


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (Plan("torch", "fp32"), 1e-3),
        (Plan("torch", "bf16"), 1.0),
        (Plan("openvino", "fp32"), 1e-3),
    ],
    ids=["torch-fp32", "torch-bf16", "openvino-fp32"],
)
@torch.inference_mode()
def test_engines_say_the_same(
    plan: Plan,
    error: float,
    person_model: SSD,
    images: Tensor,
    expected: tuple[Tensor, Tensor],
    cache: Path,
) -> None:
    if plan.precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU cannot even imitate bf16")
    plan = dataclasses.replace(plan, cache=cache)
    made = make_networks(person_model, SPEC.size, CPU, plan, threads=2)
    assert len(made.shared) == 2
    for network in each(made):
        assert max(worst(network(images), expected)) < error
        one = network(images[1:2])
        assert max(worst(one, (expected[0][1:2], expected[1][1:2]))) < error


@torch.inference_mode()
def test_what_a_network_said_outlives_its_next_call(
    person_model: SSD, images: Tensor, expected: tuple[Tensor, Tensor], cache: Path
) -> None:
    made = make_networks(person_model, SPEC.size, CPU, Plan("openvino", "fp32", cache), 1)
    first = made.alone(images[:1])
    made.alone(images[1:2])
    assert max(worst(first, (expected[0][:1], expected[1][:1]))) < 1e-3


@pytest.mark.timeout(300)
@torch.inference_mode()
def test_the_compiled_network_takes_over_when_it_is_ready(
    person_model: SSD, images: Tensor, expected: tuple[Tensor, Tensor]
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("the compiler of PyTorch needs one of C++")
    made = make_networks(person_model, SPEC.size, CPU, Plan("compiled", "fp32"), 2)
    network = made.alone
    assert isinstance(network, CompiledNetwork)
    assert max(worst(network(images), expected)) < 1e-3, "it runs at once"
    plain = network._run
    assert network.wait(timeout_s=280)
    assert network.failure is None
    assert network._run is not plain
    assert max(worst(network(images), expected)) < 1e-3


@torch.inference_mode()
def test_a_network_that_cannot_be_compiled_runs_as_it_is(
    person_model: SSD,
    images: Tensor,
    expected: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no C++ compiler\nand much more")

    monkeypatch.setattr(compiled.torch, "compile", fail)
    with caplog.at_level(logging.WARNING):
        network = make_networks(person_model, SPEC.size, CPU, Plan("compiled"), 1).alone
        assert isinstance(network, CompiledNetwork)
        assert network.wait(timeout_s=30)
    assert network.failure == "no C++ compiler"
    assert "runs as it is: no C++ compiler" in caplog.messages[-1]
    assert max(worst(network(images), expected)) < 1e-3


@pytest.mark.timeout(300)
def test_int8_finds_what_fp32_finds(person_model: SSD, frames: list[Frame], cache: Path) -> None:
    make_int8(person_model, SPEC, frames[::2], cache)
    fp32, int8 = (
        SsdDetector(person_model, SPEC, ["person"], 0.5, plan=plan)
        for plan in (Plan(), Plan("openvino", "int8", cache))
    )
    sure = [found.scores > 0.6 for found in fp32.detect(frames)]
    assert sum(map(np.count_nonzero, sure)) > 5
    for wanted, found, mask in zip(fp32.detect(frames), int8.detect(frames), sure, strict=True):
        assert len(found) >= np.count_nonzero(mask)
        np.testing.assert_allclose(
            found.scores[: np.count_nonzero(mask)], wanted.scores[mask], atol=0.15
        )
    assert any(
        not np.array_equal(wanted.scores, found.scores)
        for wanted, found in zip(fp32.detect(frames), int8.detect(frames), strict=True)
    ), "int8 rounds"


_SIGNAL_AFTER_OPENVINO = """
import signal, sys
from pathlib import Path
import torch
from pipeline.ssd.model import build_model
from pipeline.ssd.networks import Plan, make_networks
from pipeline.ssd.zoo import MODELS

spec = MODELS["ssdlite300_mobilenet_v2"]
model = build_model(spec, 2).eval()
plan = Plan("openvino", "fp32", Path(sys.argv[1]))
first = make_networks(model, spec.size, torch.device("cpu"), plan, 2)
second = make_networks(model, spec.size, torch.device("cpu"), plan, 2)
del first
del second
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
signal.raise_signal(signal.SIGUSR1)
"""


def test_signals_are_handled_after_openvino_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", _SIGNAL_AFTER_OPENVINO, tmp_path]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines()[-1] == "handled"


def test_openvino_converts_once(
    person_model: SSD, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan("openvino", "fp32", tmp_path / "new" / "folder")
    make_networks(person_model, SPEC.size, CPU, plan, 1)

    def fail(*_: Any) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(openvino_networks, "_convert", fail)
    make_networks(person_model, SPEC.size, CPU, plan, 1)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "openvino.bin",
        "openvino.xml",
    ]


def test_a_damaged_form_is_named(person_model: SSD, tmp_path: Path) -> None:
    (tmp_path / "openvino.xml").write_text("<net>")
    with pytest.raises(ModelError, match=r"openvino\.xml: damaged; delete it"):
        make_networks(person_model, SPEC.size, CPU, Plan("openvino", "fp32", tmp_path), 1)


def test_a_cache_that_cannot_be_used(person_model: SSD, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    plan = Plan("openvino", "fp32", tmp_path / "file")
    with pytest.raises(ModelError, match="cannot be written"):
        make_networks(person_model, SPEC.size, CPU, plan, 1)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan("torch", "fp16"), "precision fp16 needs a GPU"),
        (Plan("openvino", "fp16"), "precision fp16 needs a GPU"),
        (Plan("torch", "int8"), "precision int8 needs engine openvino, not torch"),
        (Plan("compiled", "int8"), "precision int8 needs engine openvino, not compiled"),
        (Plan("openvino", "int8"), "run `models quantise`"),
    ],
)
def test_plans_that_cannot_be_carried_out(plan: Plan, message: str, person_model: SSD) -> None:
    with pytest.raises(ModelError, match=message):
        make_networks(person_model, SPEC.size, CPU, plan, 1)


def test_openvino_is_an_extra(person_model: SSD, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "has_openvino", lambda: False)
    with pytest.raises(ModelError, match=r"needs its package: pip install -e '\.\[openvino\]'"):
        make_networks(person_model, SPEC.size, CPU, Plan("openvino"), 1)


def test_bf16_needs_a_cpu_that_can(person_model: SSD, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "_takes_bf16", lambda: False)
    with pytest.raises(ModelError, match="bf16 needs a CPU with AVX-512, or a GPU"):
        make_networks(person_model, SPEC.size, CPU, Plan("torch", "bf16"), 1)
    monkeypatch.setattr(openvino_networks, "computes_bf16", lambda: False)
    with pytest.raises(ModelError, match="OpenVINO needs a CPU with bf16"):
        make_networks(person_model, SPEC.size, CPU, Plan("openvino", "bf16"), 1)


def test_openvino_is_for_the_cpu() -> None:
    with pytest.raises(ModelError, match="engine openvino runs on the CPU"):
        networks.check_plan(Plan("openvino"), torch.device("cuda"))
