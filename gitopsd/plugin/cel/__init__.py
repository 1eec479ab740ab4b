"""Expressions in CEL, as Flux has them: asked here, evaluated in a worker process, since they come from repositories.

The library (extra `gitopsd[cel]`) is loaded only when something asks: in the worker, or through `library` by who evaluates what no
repository brings.
"""

from gitopsd.plugin.cel.ask import answer, answers
from gitopsd.plugin.cel.question import INVALID, Answer, Question

__all__ = ["INVALID", "Answer", "Question", "answer", "answers"]
