"""How an object is doing, in kstatus's terms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """kstatus's verdicts; everything but CURRENT is not ready yet, FAILED will not become so by waiting."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An object's health and the reason in one sentence."""

    health: Health
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a closer look at an object that is not healthy found: one sentence, '' for nothing.

    `failed`: seen so closely it has failed, although its own status does not say so (a StatefulSet's pod that crashes).
    """

    message: str = ""
    failed: bool = False
