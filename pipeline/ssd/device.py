"""Where to compute: from a device's name to the device."""

from __future__ import annotations

import torch

from pipeline.errors import ModelError


def find_device(name: str) -> torch.device:
    """The device of a name.

    Args:
        name: "cpu", "cuda", "cuda:N", or "auto" for the first GPU if there is one.
    Raises:
        ModelError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ModelError(f"unknown device {name!r}; use cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise ModelError(f"device {name!r} is not there: {found} CUDA devices found; use cpu")
    return device


def find_devices(names: str) -> list[torch.device]:
    """The devices of some names, such as "cuda:0,cuda:1".

    Args:
        names: of `find_device`, with commas between them; several must be GPUs.
    Raises:
        ModelError: one of them is not there, comes twice, or is no GPU where there are several.
    """
    devices = [find_device(name) for name in names.split(",")]
    if len(devices) > 1 and any(device.type != "cuda" for device in devices):
        raise ModelError(f"devices {names!r}: several must be GPUs, such as cuda:0,cuda:1")
    if len({device.index or 0 for device in devices}) < len(devices):
        raise ModelError(f"devices {names!r}: one is named twice")
    return devices
