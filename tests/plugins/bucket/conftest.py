"""An S3 server, a context over the real store, and Bucket documents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.s3_server import S3, s3_server
from fakes.source_world import SourceWorld, source_world

from gitopsd.plugin import Declared, Digest, ObjectRef, Place, SourceIntent
from gitopsd_plugins.bucket.kind import Bucket as Kind

REF = ObjectRef(kind="Bucket", namespace="flux-system", name="app")


def declared(spec: Mapping[str, Any]) -> Declared:
    """A Bucket document; name, endpoint and interval have defaults."""
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "Bucket",
        "metadata": {"name": "app", "namespace": "flux-system"},
        "spec": {"bucketName": "apps", "endpoint": "minio.example.org", "interval": "1m", **spec},
    }
    return Declared(ref=REF, document=document, place=Place(file="app.yaml", line=1), spec=Digest("sha256:0"))


@pytest.fixture
def document():
    return declared


@pytest.fixture
def read():
    """Reads a document with this spec."""
    return lambda spec: Kind().read(declared(spec))


@pytest.fixture
def world(tmp_path) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """One server for all tests; each has a bucket of its own."""
    with s3_server() as server:
        yield server


_numbers = itertools.count()


@dataclass
class Served:
    """A bucket on the server, with an intent that reads it."""

    s3: S3
    name: str

    def put(self, files: Mapping[str, bytes | None]) -> None:
        self.s3.put(self.name, dict(files))

    def intent(self, **spec: Any) -> SourceIntent:
        """A Bucket object with the secret `keys`."""
        endpoint = self.s3.url.removeprefix("http://")
        given = {"bucketName": self.name, "endpoint": endpoint, "insecure": True, "secretRef": {"name": "keys"}}
        found = Kind().read(declared({**given, **spec}))
        assert isinstance(found, SourceIntent)
        return found


@pytest.fixture
def bucket(s3, world) -> Served:
    name = f"bucket-{next(_numbers)}"
    s3.bucket(name)
    world.secrets.data["keys"] = {"accesskey": b"AKIA-ANY", "secretkey": b"hush-hush"}
    return Served(s3, name)
