"""What is wrong with the bindings of roles: what they refer to, and whom they bind."""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

GROUP = "rbac.authorization.k8s.io"
SUBJECTS = ("ServiceAccount", "User", "Group")


def of_role(body: Json) -> Iterator[Cause]:
    """What is wrong with a RoleBinding."""
    yield from _reference(body.get("roleRef") or {}, ("Role", "ClusterRole"))
    for index, subject in enumerate(body.get("subjects") or ()):
        yield from _subject(subject, f"subjects[{index}]", namespaced=True)


def of_cluster_role(body: Json) -> Iterator[Cause]:
    """What is wrong with a ClusterRoleBinding."""
    yield from _reference(body.get("roleRef") or {}, ("ClusterRole",))
    for index, subject in enumerate(body.get("subjects") or ()):
        yield from _subject(subject, f"subjects[{index}]", namespaced=False)


def _reference(reference: Json, kinds: tuple[str, ...]) -> Iterator[Cause]:
    if (group := reference.get("apiGroup", "")) != GROUP:
        yield causes.unsupported("roleRef.apiGroup", group, (GROUP,))
    if (kind := reference.get("kind", "")) not in kinds:
        yield causes.unsupported("roleRef.kind", kind, kinds)
    if not (name := reference.get("name", "")):
        yield causes.required("roleRef.name")
    elif why := names.path(name):
        yield causes.wrong("roleRef.name", name, why)


def _subject(subject: Json, path: str, *, namespaced: bool) -> Iterator[Cause]:
    name, kind, group = (subject.get(field, "") for field in ("name", "kind", "apiGroup"))
    if not name:
        yield causes.required(f"{path}.name")
    if kind not in SUBJECTS:
        yield causes.unsupported(f"{path}.kind", kind, SUBJECTS)
        return
    if kind == "ServiceAccount" and name and (why := names.object_name(name, "")):
        yield causes.wrong(f"{path}.name", name, why)
    wanted = "" if kind == "ServiceAccount" else GROUP
    if group != wanted:
        yield causes.unsupported(f"{path}.apiGroup", group, (wanted,))
    if kind == "ServiceAccount" and not namespaced and not subject.get("namespace"):
        yield causes.required(f"{path}.namespace")
