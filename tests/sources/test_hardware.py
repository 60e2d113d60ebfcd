"""Decoding on a graphics card: where there is none, software does it, and a word is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import av
import pytest
from av.codec.hwaccel import HWAccel

from sources import hardware
from sources.hardware import CHOICES, hardware_decoder


class Machine:
    """What a machine has; its libav knows three kinds of hardware."""

    def __init__(self) -> None:
        self.works: set[str] = set()
        self.tried: list[str] = []
        self.error: Exception = av.error.ExternalError(-1, "no such device")

    def accelerator(self, name: str, **options: Any) -> Any:
        """Stands in for `HWAccel`."""

        def create(codec: av.Codec) -> None:
            assert codec.is_decoder
            self.tried.append(name)
            if name not in self.works:
                raise self.error

        return SimpleNamespace(name=name, options=options, create=create)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without hardware, until a test gives it some."""
    machine = Machine()
    monkeypatch.setattr(hardware, "HWAccel", machine.accelerator)
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda", "vaapi", "qsv"])
    return machine


@pytest.mark.parametrize("choice", CHOICES)
def test_without_hardware_a_warning_is_given(caplog: pytest.LogCaptureFixture, choice: str) -> None:
    assert hardware_decoder(choice, "front") is None
    (record,) = caplog.records
    assert record.getMessage() == (
        f"front: no hardware decoder ({choice}) here; decoding in software"
    )


def test_hardware_that_works_is_taken(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.works = {"vaapi", "qsv"}
    decoder: Any = hardware_decoder("qsv", "front")
    assert (decoder.name, decoder.options) == ("qsv", {"allow_software_fallback": True})
    assert caplog.records == []


def test_the_first_that_works_is_taken_if_any_will_do(machine: Machine) -> None:
    machine.works = {"vaapi", "qsv"}
    decoder: Any = hardware_decoder("auto", "front")
    assert decoder.name == "vaapi"
    assert machine.tried == ["cuda", "vaapi"]


def test_what_libav_was_built_without_is_not_tried(machine: Machine) -> None:
    machine.works = {"videotoolbox"}
    assert hardware_decoder("videotoolbox", "front") is None
    assert machine.tried == []


@pytest.mark.parametrize("error", [NotImplementedError(), RuntimeError(), OSError()])
def test_hardware_that_fails_is_passed_over(machine: Machine, error: Exception) -> None:
    machine.error = error
    assert hardware_decoder("auto", "front") is None
    assert machine.tried == ["cuda", "vaapi", "qsv"]


def test_the_real_libav_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    decoder = hardware_decoder("auto", "front")
    assert decoder is None or isinstance(decoder, HWAccel)
