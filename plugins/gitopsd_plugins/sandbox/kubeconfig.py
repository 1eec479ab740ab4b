"""The kubeconfig that names a sandbox: one cluster, one user with token or certificate, one context, all called `sandbox`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import msgspec

NAME = "sandbox"


def text(url: str, user: Mapping[str, str], authority: str = "") -> str:
    """The file's content (JSON, which every YAML reader takes); `authority` is PEM. Its owner only should read it."""
    cluster = {"server": url}
    if authority:
        cluster["certificate-authority-data"] = _encoded(authority)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def certified(certificate: str, key: str) -> Mapping[str, str]:
    """A user who shows a certificate; both are PEM."""
    return {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
