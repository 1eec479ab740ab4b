"""Quantities are written as the API server writes them."""

from __future__ import annotations

import pytest

from gitopsd_plugins.sandbox.facts import quantity


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("100Mi", "100Mi"),
        ("1000", "1k"),
        ("0", "0"),
        ("1500", "1500"),
        ("1e3", "1e3"),
        ("12E2", "1200"),
        ("0.1", "100m"),
        ("-1000m", "-1"),
        ("1000Ki", "1000Ki"),
        ("0.1m", "100u"),
    ],
)
def test_canonical_form(given: str, canonical: str) -> None:
    assert quantity.canonical(given) == canonical


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1Zi", "--1", "1" * 100])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        quantity.canonical(text)
