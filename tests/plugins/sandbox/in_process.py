"""Requests to a sandbox cluster without HTTP and without time: definitions are established between requests."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gitopsd_plugins.sandbox import routes, startup
from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.controllers import definitions
from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.requests.user import ADMIN, User
from gitopsd_plugins.sandbox.routes import Answer, Asked

CM = "/api/v1/namespaces/default/configmaps"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

Json = dict[str, Any]


def cluster() -> Cluster:
    made = Cluster(settings=Settings(settling=0))
    startup.furnish(made)
    return made


def ask(
    to: Cluster,
    method: str,
    url: str,
    body: bytes = b"",
    content_type: str = "application/json",
    accept: str = "",
    user: User = ADMIN,
) -> Answer:
    split = urlsplit(url)
    headers = {"content-type": content_type, "user-agent": "recorder", "accept": accept}
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    asked = Asked(method=method, path=split.path, query=query, headers=headers, body=body, user=user)
    answer = routes.answer(to, asked)
    for _ in range(2):
        for stored in list(to.store.all(crd.COLLECTION)):
            definitions.look(to, stored, 0.0)
    return answer


def ok(answer: Answer) -> Json:
    """The object of an answer that must not be a refusal."""
    body: Json = json.loads(answer.body)
    assert answer.code < 300, body
    return body


def apply(to: Cluster, body: Json, manager: str = "one", *, force: bool = False, path: str = CM) -> Answer:
    url = f"{path}/{body['metadata']['name']}?fieldManager={manager}{'&force=true' if force else ''}"
    return ask(to, "PATCH", url, json.dumps(body).encode(), APPLY)


def post(to: Cluster, path: str, body: Json) -> Answer:
    return ask(to, "POST", path, json.dumps(body).encode())


def config_map(name: str, data: Json | None = None, **metadata: Any) -> Json:
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return body if data is None else {**body, "data": data}
