"""Asking for the value of expressions, which are evaluated in a worker process and killed with it when they overrun.

The library has bounds of its own (10,000 iterations, nesting of 32), but none of memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitopsd.model.errors import Misconfigured, Rejected
from gitopsd.plugin.cel.question import MAX_VARIABLES, Answer, Question
from gitopsd.plugin.context import Work

JOB = "gitopsd.plugin.cel.job:run"
SECONDS = 10.0
"""Even on a busy machine, where an evaluation takes some microseconds of processor time."""
MEMORY = 256 << 20
_BATCH = 200


async def answers(work: Work, questions: Sequence[Question]) -> tuple[Answer, ...]:
    """One answer for each question, in order. Raises `Misconfigured` for what cannot be read, `Rejected` for an overrun, and `Transient`."""
    found: tuple[Answer, ...] = ()
    for start in range(0, len(questions), _BATCH):
        found += await _asked(work, questions[start : start + _BATCH])
    return found


async def answer(work: Work, question: Question) -> Answer:
    """The answer to one question; raises as `answers`."""
    return (await answers(work, [question]))[0]


async def _asked(work: Work, questions: Sequence[Question]) -> tuple[Answer, ...]:
    payload = msgspec.json.encode(questions)
    if len(payload) > MAX_VARIABLES and len(questions) > 1:
        half = len(questions) // 2
        return await _asked(work, questions[:half]) + await _asked(work, questions[half:])
    if len(payload) > MAX_VARIABLES:
        raise Misconfigured(f"an object of over {MAX_VARIABLES >> 20} MiB is too large for a CEL expression")
    try:
        reply = await work.run(JOB, payload, timeout=SECONDS, memory=MEMORY)
    except Rejected as error:
        raise Rejected(
            f"the CEL expression {_named(questions)} could not be evaluated; simplify it: {error}"
        ) from error
    return msgspec.json.decode(reply, type=tuple[Answer, ...])


def _named(questions: Sequence[Question]) -> str:
    return " or ".join(dict.fromkeys(f"'{e[:100]}'" for q in questions for e in q.expressions))[:400]
