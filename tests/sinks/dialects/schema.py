"""The schema of our own format."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from tests.paths import ROOT

DOCS = ROOT / "docs"
SCHEMA = json.loads((DOCS / "event.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
