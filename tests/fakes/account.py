"""Service accounts: what they may do, and the tokens of one that may do everything, as either server issues them."""

from __future__ import annotations

from typing import Any

from fakes.world import APPLY, World

from gitopsd.plugin.conformance.scene import eventually

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/gitopsd"
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/gitopsd"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


async def token(world: World) -> str:
    """A new token of it; the account is made when it is missing."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "gitopsd"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "gitopsd"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "gitopsd", "namespace": "default"}],
    }
    for path, body in ((ACCOUNT, account), (BINDING, binding)):
        await world.send("PATCH", f"{path}?fieldManager=somebody", body, APPLY)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return str((await world.send("POST", f"{ACCOUNT}/token", asked))["status"]["token"])


async def granted(world: World, *verbs: str, account: str = "deployer") -> None:
    """Let the service account do this with config maps of the namespace default."""
    name: dict[str, Any] = {"name": account, "namespace": "default"}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}
    await world.send("POST", f"{RBAC}/roles", {"metadata": name, "rules": [rule]})
    binding = {
        "metadata": name,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "flux-system"}],
    }
    await world.send("POST", f"{RBAC}/rolebindings", binding)

    async def holds() -> bool:
        asked = [{"verb": verb, "resource": "configmaps", "namespace": "default"} for verb in verbs]
        user = f"system:serviceaccount:flux-system:{account}"
        reviews = [{"spec": {"user": user, "resourceAttributes": attributes}} for attributes in asked]
        answers = [await world.send("POST", REVIEWS, review) for review in reviews]
        return all(answer["status"]["allowed"] for answer in answers)

    await eventually(holds)  # a real server hears of it a moment later
