"""What runs in the process that judges rules in CEL: questions in, what is wrong out, within limits of memory and time.

The limit of time ends the process by a signal, whatever code is running, and even when nobody waits for the answer any more.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from functools import lru_cache
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.definitions import crd, crd_expressions
from gitopsd_plugins.sandbox.expressions.expression_process import HEADER, OVERRUN
from gitopsd_plugins.sandbox.facts.schema import Schema
from gitopsd_plugins.sandbox.requests.status import Cause

SECONDS = 3.0
"""Of processor time, for one question."""
MEMORY = 512 << 20
"""Bytes that the process may have for itself."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An object, or a value that stands alone at a path. `schema` is the definition's, as JSON."""

    schema: msgspec.Raw
    value: Any
    old: Any = None
    path: str | None = None
    """None for a whole object."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and what is to be warned of."""

    causes: list[tuple[str, str, str]]
    warnings: list[str]


def main() -> None:
    """Answer questions until there are no more."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    while len(length := reader.read(HEADER)) == HEADER:
        payload = reader.read(int.from_bytes(length, "big"))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            answer = answered(payload)
        except (MemoryError, RecursionError):
            sys.exit(OVERRUN)  # what is left of it may be in any state
        signal.setitimer(signal.ITIMER_PROF, 0)
        writer.write(len(answer).to_bytes(HEADER, "big") + answer)
        writer.flush()


def answered(payload: bytes) -> bytes:
    """The answer to a question, both as JSON."""
    question = msgspec.json.decode(payload, type=Question)
    schema, warnings = _schema(bytes(question.schema), question.path is None), list[str]()
    if question.path is None:
        found = crd_expressions.judged(question.value, question.old, schema, warnings)
    else:
        found = crd_expressions.judged_alone(question.value, schema, question.path)
    return msgspec.json.encode(Answer(causes=[_plain(cause) for cause in found], warnings=warnings))


def _plain(cause: Cause) -> tuple[str, str, str]:
    return cause.field, cause.reason, cause.message


@lru_cache(maxsize=64)
def _schema(text: bytes, whole: bool) -> Schema:
    declared = msgspec.json.decode(text)
    return crd.root(declared) if whole else crd.node_of(declared)
