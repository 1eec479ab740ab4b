"""How fast YAML is read and written, beside what the parser alone takes."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from yaml.events import ScalarEvent

from gitopsd.plugin import yaml
from gitopsd.plugin.yaml import events

SIZE = 5_000_000
TEXT = "the controller keeps this field equal to what its owner asked for unless it is empty or not set at all"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  namespace: team-{team}
  labels:
    app.kubernetes.io/name: app-{n}
    app.kubernetes.io/version: "1.{team}"
  annotations:
    checksum/config: {digest}
spec:
  replicas: {team}
  selector:
    matchLabels:
      app.kubernetes.io/name: app-{n}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-{n}
    spec:
      serviceAccountName: app-{n}
      containers:
      - name: main
        image: registry.example.com/team-{team}/app-{n}:v1.{team}.0@sha256:{digest}
        args: ["--port=8080", '--verbose', --level=info]
        ports:
        - containerPort: 8080
          name: http
        env:
        - name: POD_IP
          valueFrom:
            fieldRef:
              fieldPath: status.podIP
        resources:
          limits: {{cpu: 500m, memory: 512Mi}}
        readinessProbe:
          httpGet:
            path: /healthz
            port: http
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: app-{n}
  namespace: team-{team}
spec:
  selector:
    app.kubernetes.io/name: app-{n}
  ports:
  - name: http
    port: 80
    targetPort: http
"""
CONFIG = """\
# written by hand
apiVersion: v1
kind: ConfigMap
metadata:
  name: app-{n}
  namespace: team-{team}
data:
  LOG_LEVEL: "info"
  app.conf: |
{text}
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things{n}.example.com
spec:
  group: example.com
  names: {{kind: Thing{n}, plural: things{n}}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
{text}
"""


def sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(TEXT.split(), k=words))


def settings(chance: random.Random) -> str:
    return "\n".join(f"    {sentence(chance, 4)} = {chance.random()}" for _ in range(40))


def fields(chance: random.Random) -> str:
    one = "          field{n}:\n            description: {text}\n            type: string\n            maxLength: 63"
    return "\n".join(one.format(n=n, text=sentence(chance, 25)) for n in range(30))


def manifests(size: int) -> bytes:
    """Make a stream of about that many bytes: twice as many Deployments as anything else, as clusters have."""
    chance = random.Random(1)
    documents: list[str] = []
    total = 0
    while total < size:
        n = len(documents)
        values = {"n": n, "team": n % 9, "digest": f"{chance.getrandbits(256):064x}"}
        texts = {CONFIG: settings, DEFINITION: fields}
        for template in (DEPLOYMENT, SERVICE, CONFIG, DEPLOYMENT, DEFINITION):
            text = texts[template](chance) if template in texts else ""
            documents.append(template.format(**values, text=text))
            total += len(documents[-1])
    return "---\n".join(documents).encode()


def best(action: Callable[[], Any], size: int) -> float:
    """Return the best of five runs in MB/s of processor time, as other processes share the machine."""
    times = []
    for _ in range(5):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return size / min(times) / 1e6


def parse_only(data: bytes) -> int:
    """Take every event and keep none: the least that any reader over these events can take."""
    next_event = events.source(data)
    scalars = 0
    while (event := next_event()) is not None:
        scalars += type(event) is ScalarEvent
    return scalars


@pytest.mark.benchmark
def test_reading_and_writing_speed(capsys: pytest.CaptureFixture[str]) -> None:
    data = manifests(SIZE)
    values = [document.value for document in yaml.read_all(data)]
    text = yaml.write_all(values)

    bare = best(lambda: parse_only(data), len(data))
    reading = best(lambda: yaml.read_all(data), len(data))
    writing = best(lambda: yaml.write_all(values), len(text))
    single = best(lambda: [yaml.write(value) for value in values], len(text))

    with capsys.disabled():
        print(f"\nyaml: {len(data) / 1e6:.1f} MB, {len(values)} documents, {parse_only(data)} scalars")
        print(f"yaml: read {reading:.1f} MB/s, {reading / bare:.2f} of the bare parser's {bare:.1f} MB/s")
        print(f"yaml: write a stream {writing:.1f} MB/s, one document at a time {single:.1f} MB/s")
    assert [document.value for document in yaml.read_all(text)] == values
