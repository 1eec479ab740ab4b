"""Role-based access control over the roles and bindings that are stored: what an impersonated user may do.

`system:masters` may do everything and is not asked about. The check against privilege escalation is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests.user import Attributes, User
from gitopsd_plugins.sandbox.storage.store import Store
from gitopsd_plugins.sandbox.views import selectors

GROUP = "rbac.authorization.k8s.io"


def allows(store: Store, asked: Attributes) -> bool:
    """Whether a binding gives the user a role with a rule for this."""
    return any(_permits(rule, asked) for rule in rules(store, asked.user, asked.namespace))


def allows_url(store: Store, user: User, verb: str, path: str) -> bool:
    """Whether a cluster-wide binding gives the user a role with a rule for this path."""
    for rule in rules(store, user, ""):
        urls = rule.get("nonResourceURLs") or ()
        fits = any(path == url or (url.endswith("*") and path.startswith(url[:-1])) for url in urls)
        if fits and _has(rule.get("verbs") or (), verb):
            return True
    return False


def rules(store: Store, user: User, namespace: str) -> Iterator[Json]:
    """Every rule that holds for a user, cluster-wide and in one namespace."""
    for binding in store.all((GROUP, "clusterrolebindings")):
        if _names(binding.body, user, ""):
            yield from _role(store, binding.body["roleRef"], "")
    for binding in store.all((GROUP, "rolebindings")):
        if namespace and binding.key[0] == namespace and _names(binding.body, user, namespace):
            yield from _role(store, binding.body["roleRef"], namespace)


def _names(binding: Json, user: User, namespace: str) -> bool:
    return any(_is(subject, user, namespace) for subject in binding.get("subjects") or ())


def _is(subject: Json, user: User, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return subject.get("name") in (user.name, "*")
        case "Group":
            return subject.get("name") in user.groups
        case "ServiceAccount":
            where = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{where}:{subject.get('name')}"
    return False


def _role(store: Store, reference: Json, namespace: str) -> Iterator[Json]:
    is_cluster_role = reference.get("kind") == "ClusterRole"
    key = ("" if is_cluster_role else namespace, reference.get("name", ""))
    role = store.get((GROUP, "clusterroles" if is_cluster_role else "roles"), key)
    if role is None:
        return
    yield from role.body.get("rules") or ()
    for selector in (role.body.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        for each in store.all((GROUP, "clusterroles")):
            if selectors.matches(selector, each.metadata.get("labels") or {}):
                yield from each.body.get("rules") or ()


def _permits(rule: Json, asked: Attributes) -> bool:
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    resources = rule.get("resources") or ()
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("verbs") or (), asked.verb)
        and _has(rule.get("apiGroups") or (), asked.group)
        and (_has(resources, resource) or (bool(asked.subresource) and f"*/{asked.subresource}" in resources))
        and (not names or asked.name in names)
    )


def _has(values: list[str] | tuple[str, ...], value: str) -> bool:
    return "*" in values or value in values


def _readers(*groups_and_resources: tuple[str, list[str]], verbs: list[str]) -> list[Json]:
    return [{"apiGroups": [group], "resources": names, "verbs": verbs} for group, names in groups_and_resources]


_PLAIN = (
    "",
    [
        "configmaps",
        "endpoints",
        "events",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "serviceaccounts",
        "services",
    ],
)
_APPS = ("apps", ["*"])
_BATCH = ("batch", ["*"])
_SCALING = ("autoscaling", ["*"])
_NETWORK = ("networking.k8s.io", ["ingresses", "networkpolicies"])
_POLICY = ("policy", ["poddisruptionbudgets"])
_READ = ["get", "list", "watch"]
_WRITE = [*_READ, "create", "update", "patch", "delete", "deletecollection"]
_COMMON = (_PLAIN, _APPS, _BATCH, _SCALING, _NETWORK, _POLICY)

ROLES: dict[str, list[Json]] = {
    "cluster-admin": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ],
    "admin": _readers(*_COMMON, ("", ["secrets"]), (GROUP, ["roles", "rolebindings"]), verbs=_WRITE),
    "edit": _readers(*_COMMON, ("", ["secrets"]), verbs=_WRITE),
    "view": _readers(*_COMMON, verbs=_READ),
}
"""The cluster roles that every cluster has, with what an applier meets of them."""
