"""Asking for the value of expressions, which are evaluated in a worker process and killed with it when they overrun.

The library has bounds of its own (10,000 iterations, nesting of 32), but none of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import anyio
import msgspec

from gitopsd.model.errors import Misconfigured, Rejected
from gitopsd.plugin.cel.question import MAX_VARIABLES, Answer, Question
from gitopsd.plugin.context import Work

JOB = "gitopsd.plugin.cel.job:run"
SECONDS = 10.0
"""Even on a busy machine, where an evaluation takes some microseconds of processor time."""
MEMORY = 256 << 20
_BATCH = 1 << 20


async def answers(work: Work, questions: Sequence[Question]) -> tuple[Answer, ...]:
    """One answer for each question, in order.

    Raises `Misconfigured` for what cannot be read or is too large, `Rejected` for an overrun, and `Transient`.
    """
    found: tuple[Answer, ...] = ()
    for batch in _batches(questions):
        await anyio.lowlevel.checkpoint()  # encoding a large object takes a while
        found += await _asked(work, batch)
    return found


async def answer(work: Work, question: Question) -> Answer:
    """The answer to one question; raises as `answers`."""
    return (await answers(work, [question]))[0]


def _batches(questions: Iterable[Question]) -> Iterator[Sequence[tuple[bytes, Question]]]:
    """With their encoded form, as many at a time as are small together."""
    batch: list[tuple[bytes, Question]] = []
    size = 0
    for question in questions:
        text = msgspec.json.encode(question)
        if len(text) > MAX_VARIABLES:
            raise Misconfigured(f"an object of over {MAX_VARIABLES >> 20} MiB is too large for a CEL expression")
        if batch and size + len(text) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append((text, question))
        size += len(text)
    if batch:
        yield batch


async def _asked(work: Work, batch: Sequence[tuple[bytes, Question]]) -> tuple[Answer, ...]:
    payload = b"[" + b",".join(text for text, _ in batch) + b"]"
    try:
        reply = await work.run(JOB, payload, timeout=SECONDS, memory=MEMORY)
    except Rejected as error:
        names = _named(question for _, question in batch)
        raise Rejected(f"the CEL expression {names} could not be evaluated; simplify it: {error}") from error
    return msgspec.json.decode(reply, type=tuple[Answer, ...])


def _named(questions: Iterable[Question]) -> str:
    return " or ".join(dict.fromkeys(f"'{e[:100]}'" for q in questions for e in q.expressions))[:400]
