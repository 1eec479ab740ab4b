"""Requests to a sandbox cluster without HTTP and without time: definitions are established between requests."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from gitopsd_plugins.sandbox import crd, routes, startup
from gitopsd_plugins.sandbox.access import ADMIN
from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.controllers import definitions
from gitopsd_plugins.sandbox.routes import Answer, Asked


def cluster() -> Cluster:
    made = Cluster(settings=Settings(settling=0))
    startup.furnish(made)
    return made


def ask(
    to: Cluster, method: str, url: str, body: bytes = b"", content_type: str = "application/json", accept: str = ""
) -> Answer:
    split = urlsplit(url)
    headers = {"content-type": content_type, "user-agent": "recorder", "accept": accept}
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    answer = routes.answer(
        to, Asked(method=method, path=split.path, query=query, headers=headers, body=body, user=ADMIN)
    )
    for stored in list(to.store.all(crd.COLLECTION)):
        definitions.look(to, stored, 0.0)
    for stored in list(to.store.all(crd.COLLECTION)):
        definitions.look(to, stored, 0.0)
    return answer
