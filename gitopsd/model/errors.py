"""The one error tree. The class says what happens next; the message says which object, what, and what to do.

    GitopsdError
    ├── NotReady              waits to be woken: a dependency, a source, an approval is missing
    ├── Stalling              repeating the same spec and revision gives the same answer: stalls until one of them changes
    │   ├── Misconfigured
    │   │   └── Unsupported   a field or kind that Flux has and gitopsd does not serve yet
    │   └── VerificationFailed
    ├── Retrying              retried with back-off, `retry_after` seconds at the earliest
    │   ├── Transient         the network, a server that is down, a limit that was hit
    │   │   └── Conflict      somebody else wrote in between: read again, merge, write again
    │   └── Rejected          the other side understood and said no (422, 403, a failed render)
    ├── HeldElsewhere         another process is the actor for this instance and cluster
    └── UsageError            the command line or the settings are wrong: exit code 2

It knows no plugin and no transport. Plugins translate foreign errors into this tree at their edge, with `from`.
Anything outside the tree is a bug: it is logged with its traceback, retried, and touches no other object.
"""

from __future__ import annotations

import copy
from typing import Self


class GitopsdError(Exception):
    """The base of every error that gitopsd raises on purpose.

    `reason` is the word that the object's condition carries, in CamelCase (for example `GitOperationFailed`).
    """

    default_reason = "Failed"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self.default_reason

    def about(self, what: str) -> Self:
        """The same error with what it is about at the front of its message."""
        named = copy.copy(self)
        named.args = (f"{what}: {self}",)
        return named


class NotReady(GitopsdError):  # noqa: N818 - the name is the state, as every error here
    """Something that this object depends on is not ready; the message names the one."""

    default_reason = "DependencyNotReady"


class Stalling(GitopsdError):  # noqa: N818
    """The same spec and revision would fail in the same way again."""

    default_reason = "Stalled"


class Misconfigured(Stalling):
    """The user's object is wrong; the message names field and remedy."""

    default_reason = "Misconfigured"


class Unsupported(Misconfigured):
    """A field that gitopsd decodes but does not serve yet is set to more than its default."""

    default_reason = "FeatureNotSupported"


class VerificationFailed(Stalling):
    """A signature or digest does not match; the content is never used."""

    default_reason = "VerificationError"


class Retrying(GitopsdError):  # noqa: N818
    """May succeed by itself later. `retry_after` is in seconds, from the other side's answer, or None."""

    def __init__(self, message: str, *, reason: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class Transient(Retrying):
    """The network or a server failed in a way that passes."""


class Conflict(Transient):
    """Something changed since it was looked at: looked at again, it may well succeed at once."""

    default_reason = "Conflict"


class Rejected(Retrying):
    """The other side understood the request and refused it, or a render failed on this content."""


class NothingThere(Rejected):
    """The other side was asked, and answered that there is nothing at the address."""


class HeldElsewhere(GitopsdError):  # noqa: N818
    """Another holder has the lease of this instance on this cluster: exit code 3."""

    default_reason = "HeldElsewhere"


class UsageError(GitopsdError):
    """The command line, the settings or the declared files are wrong: exit code 2."""

    default_reason = "UsageError"
