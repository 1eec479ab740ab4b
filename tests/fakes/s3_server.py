"""A real S3 server: moto's, as a process of its own. Skips by name where it is not installed."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

PATIENCE = 40.0
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3:
    """The running server, and a client of it with any keys."""

    url: str

    def client(self, service: str = "s3", key: str = "any", secret: str = "any") -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def bucket(self, name: str) -> None:
        self.client().create_bucket(Bucket=name)

    def put(self, bucket: str, files: dict[str, bytes | None]) -> None:
        """Write these objects; None removes one."""
        client = self.client()
        for key, data in files.items():
            if data is None:
                client.delete_object(Bucket=bucket, Key=key)
            else:
                client.put_object(Bucket=bucket, Key=key, Body=data)

    def user(self, bucket: str) -> tuple[str, str]:
        """Keys that may read this bucket."""
        iam = self.client("iam")
        iam.create_user(UserName=bucket)
        iam.put_user_policy(UserName=bucket, PolicyName="read", PolicyDocument=_reading(bucket))
        made = iam.create_access_key(UserName=bucket)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def role(self, bucket: str) -> str:
        """A role that may read this bucket; the server lends its keys to anybody."""
        iam = self.client("iam")
        made = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
        iam.put_role_policy(RoleName=bucket, PolicyName="read", PolicyDocument=_reading(bucket))
        return str(made["Role"]["Arn"])

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """While this lasts every request must be signed by somebody who may."""
        before = self._trust(0)
        try:
            yield
        finally:
            self._trust(before)

    def _trust(self, actions: float) -> float:
        import json

        url = f"{self.url}/moto-api/reset-auth"
        request = urllib.request.Request(url, data=str(actions).encode(), method="POST")
        request.add_header("Content-Type", "text/plain")
        with urllib.request.urlopen(request) as answer:
            return float(json.load(answer)["PREVIOUS_INITIAL_NO_AUTH_ACTION_COUNT"])


def _reading(bucket: str) -> str:
    rule = f'{{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]}}'
    return f'{{"Version": "2012-10-17", "Statement": [{rule}]}}'


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server of its own process on loopback."""
    missing = [name for name in ("moto", "flask", "flask_cors") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'moto[s3]' flask flask-cors")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield S3(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the S3 server did not start within {PATIENCE:g} s")
