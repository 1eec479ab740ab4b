"""The sandbox answers as a real API server does: recorded answers of 1.36.2 (record_answers.py) are the law."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import in_process
import normalised
import pytest
import scenarios

RECORDED: dict[str, Any] = json.loads(
    Path(__file__).parents[2].joinpath("data/sandbox/answers.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Any]]:
    """What one sandbox cluster answers to all scenarios, in order."""
    cluster = in_process.cluster()
    found: dict[str, list[Any]] = {}
    for name, asks in scenarios.every():
        found[name] = []
        for ask in asks:
            answer = in_process.ask(cluster, ask.method, ask.path, ask.bytes(), ask.content_type)
            warnings = [f'299 - "{text.replace(chr(34), chr(92) + chr(34))}"' for text in answer.warnings]
            found[name].append(normalised.answer(answer.code, answer.body, warnings))
    return found


@pytest.mark.parametrize("name", [name for name, _ in scenarios.every()])
def test_answers_as_a_real_server(name: str, answers: dict[str, list[Any]]) -> None:
    assert answers[name] == normalised.clean(RECORDED[name])
