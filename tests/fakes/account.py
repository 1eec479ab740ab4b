"""A service account that may do everything, and its tokens, as either server issues them."""

from __future__ import annotations

from fakes.world import APPLY, World

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/gitopsd"
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/gitopsd"


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
