"""The API server's answers in words: `Status` objects for refusals, in the exact shape that clients take apart.

Every refusal anywhere in the sandbox is a `Refused`; the server turns it into the response. Messages follow a 1.36 API
server, because appliers and people match on them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gitopsd_plugins.sandbox.facts.schema import Json


class Cause(Struct, frozen=True):
    """One reason of an Invalid or Conflict answer."""

    field: str
    reason: str
    message: str


class Refused(Exception):  # noqa: N818 - says what happened to the request
    """The request is answered with this Status instead of an object."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Json | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
        }
        if reason:
            self.body["reason"] = reason
        if details is not None:
            self.body["details"] = details
        self.body["code"] = code


def success(name: str, group: str, plural: str, uid: str) -> Json:
    """The answer to a completed deletion."""
    details = {"name": name, **({"group": group} if group else {}), "kind": plural, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def qualified(group: str, plural: str) -> str:
    """How messages name a resource: `configmaps`, `deployments.apps`."""
    return f"{plural}.{group}" if group else plural


def _details(name: str, group: str, kind: str) -> Json:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def not_found(group: str, plural: str, name: str) -> Refused:
    """404 for an object."""
    return Refused(
        404, "NotFound", f'{qualified(group, plural)} "{name}" not found', details=_details(name, group, plural)
    )


def no_such_resource() -> Refused:
    """404 for a resource that the group does not have."""
    return Refused(404, "NotFound", "the server could not find the requested resource", details={})


def exists(group: str, plural: str, name: str, *, doomed: bool = False) -> Refused:
    """409 for a create; `doomed` is said of an object that waits for its finalizers."""
    message = f'{qualified(group, plural)} "{name}" already exists'
    if doomed:
        message = f"object is being deleted: {message}"
    return Refused(409, "AlreadyExists", message, details=_details(name, group, plural))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, plural: str, name: str, why: str = MODIFIED) -> Refused:
    """409 for a write whose precondition does not hold."""
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return Refused(409, "Conflict", message, details=_details(name, group, plural))


def apply_conflict(causes: Sequence[Cause]) -> Refused:
    """409 for a server-side apply without force that touches other managers' fields."""
    shown = [f"{cause.message}: {cause.field}" for cause in causes]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {shown[0]}"
    else:
        message = f"Apply failed with {len(causes)} conflicts: {_grouped(causes)}"
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    return Refused(409, "Conflict", message, details={"causes": listed})


def _grouped(causes: Sequence[Cause]) -> str:
    lines: list[str] = []
    for who in dict.fromkeys(cause.message for cause in causes):
        lines.append(f"{who}:")
        lines.extend(f"- {cause.field}" for cause in causes if cause.message == who)
    return "conflicts with " + "\nconflicts with ".join(
        "\n".join(lines).removeprefix("conflict with ").split("\nconflict with ")
    )


def bad_request(message: str) -> Refused:
    """400."""
    return Refused(400, "BadRequest", message)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Refused:
    """422 with one cause per wrong field."""
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    subject = f"{kind}.{group}" if group else kind
    text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    details = {**_details(name, group, kind), "causes": listed}
    return Refused(422, "Invalid", f'{subject} "{name}" is invalid: {text}', details=details)


def forbidden(group: str, plural: str, name: str, why: str) -> Refused:
    """403."""
    subject = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
    return Refused(403, "Forbidden", f"{subject} is forbidden: {why}", details=_details(name, group, plural))


def internal(why: str) -> Refused:
    """500."""
    details = {"causes": [{"message": why}]}
    return Refused(500, "InternalError", f"Internal error occurred: {why}", details=details)


def method_not_allowed() -> Refused:
    """405."""
    return Refused(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={}
    )


def unsupported_media_type() -> Refused:
    """415 for a patch of an unknown sort."""
    return Refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def unknown_format(accepted: str) -> Refused:
    """415 for a body that is in none of the formats that are accepted."""
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return Refused(415, "UnsupportedMediaType", message)


def not_acceptable(why: str) -> Refused:
    """406 for a form in which there is no answer."""
    return Refused(406, "NotAcceptable", why)


def too_large(limit: int) -> Refused:
    """413 for a body of more than `limit` bytes."""
    return Refused(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}", details={})


def expired(message: str) -> Refused:
    """410: the version asked for is no longer in the history."""
    return Refused(410, "Expired", message)


def unprocessable() -> Refused:
    """422 for a JSON patch that cannot be carried out."""
    return Refused(422, "Invalid", "the server rejected our request due to an error in our request", details={})
