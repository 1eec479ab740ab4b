"""The kubeconfig that names a sandbox: one cluster, one user with the token, one context, all called `sandbox`."""

from __future__ import annotations

from base64 import b64encode

import msgspec

NAME = "sandbox"


def text(url: str, token: str, authority: str = "") -> str:
    """The file's content (JSON, which every YAML reader takes); `authority` is PEM. Its owner only should read it."""
    cluster = {"server": url}
    if authority:
        cluster["certificate-authority-data"] = b64encode(authority.encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"
