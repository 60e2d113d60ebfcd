"""Which engine and precision run a model fastest on this machine: measured once and remembered."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.config import Engine as AutoEngine
from pipeline.config import Precision as AutoPrecision
from pipeline.errors import ConfigError, ModelError
from pipeline.machine import cpu_name
from pipeline.ssd.compiled import CompiledNetwork
from pipeline.ssd.model import SSD
from pipeline.ssd.networks import (
    Engine,
    Networks,
    Plan,
    Precision,
    has_openvino,
    is_fast_in_bf16,
    make_networks,
)
from pipeline.whole_file import write_whole

log = logging.getLogger(__name__)

Candidate = tuple[Engine, Precision]
MOST_LOSS_POINTS = 1.0
"""Points of average precision that a faster form of a model may lose and still be chosen."""
ROUNDS = 5
ROUND_S = 0.15
"""A candidate's turn in each round, about; rounds take turns, as machines change their speed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on this machine."""

    seconds: Mapping[Candidate, float]
    """For an image, when all cores share out the images."""
    failures: Mapping[Candidate, str] = field(default_factory=dict)
    """Why a candidate could not be measured."""

    def best(self, among: Iterable[Candidate]) -> Candidate | None:
        """The fastest of some candidates; None where none was measured."""
        known = [candidate for candidate in among if candidate in self.seconds]
        return min(known, key=lambda candidate: self.seconds[candidate], default=None)


def choose_plan(
    model: SSD,
    size: int,
    device: torch.device,
    engine: AutoEngine,
    precision: AutoPrecision,
    cache: Path,
) -> Plan:
    """Decide what is to run a network, measuring if that has not been done on this machine.

    Args:
        model: the network.
        size: height, and width, of its images.
        device: where to compute.
        engine: "auto", or the only one to take.
        precision: "auto", or the only one to take.
        cache: of the weights; see `Plan`.
    """
    if engine != "auto" and precision != "auto":
        return Plan(engine, precision, cache)

    def allowed(candidate: Candidate) -> bool:
        return engine in ("auto", candidate[0]) and precision in ("auto", candidate[1])

    quick = list(filter(allowed, quick_candidates(cache, device)))
    if not quick:  # what is only done when asked for
        half: Precision = "bf16" if is_fast_in_bf16() else "fp32"
        int8_engine: Engine = "openvino" if precision == "int8" else "torch"
        return Plan(
            int8_engine if engine == "auto" else engine,
            half if precision == "auto" else precision,
            cache,
        )
    measured = recall(cache, device)
    if len(quick) > 1 and not all(candidate in measured.seconds for candidate in quick):
        log.info("finding the fastest engine for this machine, once")
        fresh = measure(model, size, device, quick, cache)
        measured = Measured({**measured.seconds, **fresh.seconds}, fresh.failures)
        _try_to_remember(cache, device, measured)
        _tell(measured, quick)
    slow = [c for c in measured.seconds if c[0] == "compiled" and allowed(c)]
    return Plan(*(measured.best([*quick, *slow]) or quick[0]), cache)


def chosen(measured: Measured, cache: Path, device: torch.device) -> Candidate | None:
    """What `choose_plan` takes of what was measured, where the user leaves it the choice."""
    slow = [candidate for candidate in measured.seconds if candidate[0] == "compiled"]
    return measured.best([*quick_candidates(cache, device), *slow])


def _try_to_remember(cache: Path, device: torch.device, measured: Measured) -> None:
    try:
        remember(cache, device, measured)
    except ConfigError as error:
        log.warning("the choice of an engine is not remembered: %s", error)


def _tell(measured: Measured, candidates: Sequence[Candidate]) -> None:
    times = [
        f"{' '.join(c)} {measured.seconds[c] * 1e3:.1f} ms"
        for c in candidates
        if c in measured.seconds
    ]
    log.info("for an image: %s", ", ".join(times))
    for (engine, precision), failure in measured.failures.items():
        log.warning("%s %s cannot be used: %s", engine, precision, failure)


def quick_candidates(cache: Path | None, device: torch.device) -> list[Candidate]:
    """What may be chosen without asking: starts within seconds and keeps the model's accuracy.

    Args:
        cache: of the weights; see `Plan`.
        device: where to compute.
    """
    if device.type != "cpu":
        return [("torch", "fp16")]
    candidates: list[Candidate] = [("torch", "fp32")]
    if is_fast_in_bf16():
        candidates.append(("torch", "bf16"))
    if has_openvino():
        from pipeline.ssd.openvino_networks import computes_bf16

        candidates.append(("openvino", "fp32"))
        if computes_bf16():
            candidates.append(("openvino", "bf16"))
        loss = int8_loss_points(cache)
        if loss is not None and loss <= MOST_LOSS_POINTS:
            candidates.append(("openvino", "int8"))
    return candidates


def all_candidates(cache: Path | None, device: torch.device) -> list[Candidate]:
    """What this machine can run: the quick candidates, and those that are slow to start."""
    if device.type != "cpu":
        precisions: tuple[Precision, ...] = ("fp32", "fp16", "bf16")
        return [("torch", precision) for precision in precisions]
    candidates = quick_candidates(cache, device)
    candidates += [("compiled", precision) for engine, precision in candidates if engine == "torch"]
    if int8_loss_points(cache) is not None and ("openvino", "int8") not in candidates:
        candidates.append(("openvino", "int8"))
    return candidates


def measure(
    model: SSD,
    size: int,
    device: torch.device,
    candidates: Sequence[Candidate],
    cache: Path | None,
    on_progress: Callable[[str], None] = lambda _what: None,
) -> Measured:
    """Measure candidates against each other, in turns.

    Args:
        model: the network.
        size: height, and width, of its images.
        device: where to compute.
        candidates: what to measure.
        cache: of the weights; see `Plan`.
        on_progress: told what is being done, in words.
    """
    ready: dict[Candidate, Networks] = {}
    failures: dict[Candidate, str] = {}
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    for engine, precision in candidates:
        on_progress(f"getting {engine} {precision} ready")
        try:
            plan = Plan(engine, precision, cache)
            networks = make_networks(model, size, device, plan, threads)
        except (ModelError, ImportError, RuntimeError) as error:
            failures[engine, precision] = str(error).strip().partition("\n")[0]
            continue
        failure = _failure(networks)
        if failure is None:
            ready[engine, precision] = networks
        else:
            failures[engine, precision] = failure
    with ThreadPoolExecutor(threads) as pool:
        times: dict[Candidate, list[float]] = {candidate: [] for candidate in ready}
        repeats = dict.fromkeys(ready, 1)
        for turn in range(ROUNDS + 2):
            for candidate, networks in ready.items():
                on_progress(f"measuring {' '.join(candidate)}")
                seconds = _seconds(pool, networks, size, repeats[candidate], device)
                if turn < 2:  # these warm up, and tell how often fits in a turn
                    repeats[candidate] = max(1, round(ROUND_S / (seconds * threads)))
                else:
                    times[candidate].append(seconds)
    medians = {candidate: float(np.median(taken)) for candidate, taken in times.items()}
    return Measured(medians, failures)


def _failure(networks: Networks) -> str | None:
    """Wait until a network runs in its final form; why it never will, or None."""
    if isinstance(networks.alone, CompiledNetwork):
        networks.alone.wait()
        return networks.alone.failure
    return None


def _seconds(
    pool: ThreadPoolExecutor, networks: Networks, size: int, repeats: int, device: torch.device
) -> float:
    """Seconds an image, with every thread working on images of its own."""

    def work(index: int) -> None:
        if device.type == "cpu":
            torch.set_num_threads(1)
        with torch.inference_mode():
            image = torch.rand(1, 3, size, size).to(memory_format=torch.channels_last)
            for _ in range(repeats):
                networks.shared[index](image)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    count = len(networks.shared)
    started_s = time.perf_counter()
    list(pool.map(work, range(count)))
    return (time.perf_counter() - started_s) / (repeats * count)


def recall(cache: Path, device: torch.device) -> Measured:
    """What was measured before, on a machine with the same processor and the same programs."""
    try:
        remembered = json.loads((cache / "speed.json").read_text())
        rows = remembered["measured"] if remembered["machine"] == _machine(device) else []
        return Measured({(row["engine"], row["precision"]): float(row["seconds"]) for row in rows})
    except (OSError, ValueError, KeyError, TypeError):  # none, or none that can be used
        return Measured({})


def remember(cache: Path, device: torch.device, measured: Measured) -> None:
    """Keep what was measured.

    Raises:
        ConfigError: the cache cannot be written.
    """
    rows = [
        {"engine": engine, "precision": precision, "seconds": seconds}
        for (engine, precision), seconds in measured.seconds.items()
    ]
    content = {"machine": _machine(device), "measured": rows}
    write_whole(cache / "speed.json", json.dumps(content, indent=1) + "\n")


def int8_loss_points(cache: Path | None) -> float | None:
    """Points of average precision that the int8 form of some weights loses; None if there is none.

    See `pipeline.quantise`.
    """
    if cache is None or not (cache / "int8.xml").is_file():
        return None
    try:
        return float(json.loads((cache / "int8.json").read_text())["loss_points"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _machine(device: torch.device) -> dict[str, Any]:
    """What the speed of a network depends on."""
    return {
        "processor": cpu_name(),
        "threads": torch.get_num_threads(),
        "device": "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "openvino": _openvino_version(),
    }


def _openvino_version() -> str | None:
    if not has_openvino():
        return None
    from pipeline.ssd.openvino_networks import version

    return version()
