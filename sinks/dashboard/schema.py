"""What the bodies of requests and replies have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Reply(BaseModel):
    """What a program is told; its docstrings are in `/api/openapi.json`."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Body(BaseModel):
    """What a program tells: no unknown key, no value of another type."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, strict=True, extra="forbid", allow_inf_nan=False
    )
