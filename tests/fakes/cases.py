"""Conformance cases, where they are at hand: GITOPSD_CASES, or `shared/cases` beside the checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

CASES = Path(os.environ.get("GITOPSD_CASES") or Path(__file__).resolve().parents[3] / "shared" / "cases")


def flux(suite: str, *parts: str, only: str = "") -> list[Any]:
    """The cases of a suite of Flux's, as parameters; one that is skipped, with the reason, where they are not at hand.

    `only`: those whose name begins like this.
    """
    file = CASES / "flux" / f"{suite}.json"
    if not file.is_file():
        return [pytest.param(None, id=suite, marks=pytest.mark.skip(reason=f"{file} is not at hand"))]
    found = json.loads(file.read_text())
    for part in parts or ("cases",):
        found = found[part]
    return [pytest.param(case, id=case["name"]) for case in found if case["name"].startswith(only)]
