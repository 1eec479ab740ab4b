"""How fast kustomizations are built in process; beside the kustomize binary where it is on PATH or named by KUSTOMIZE."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitopsd.plugin import Tree
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build

BINARY = os.environ.get("KUSTOMIZE") or shutil.which("kustomize")
SLOW_BINARY = bool(os.environ.get("KUSTOMIZE_SLOW"))  # it takes minutes for 5,000 resources

KUSTOMIZATION = """\
namespace: production
labels:
- pairs: {team: web, stage: production}
  includeSelectors: true
commonAnnotations: {owner: someone}
resources:
"""
IMAGES = "images:\n" + "".join(f"- {{name: registry.example.com/app{i}, newTag: v2.{i}}}\n" for i in range(11))


def deployment(i: int) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{i}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web-{i}}}}}
  template:
    metadata: {{labels: {{app: web-{i}}}}}
    spec:
      containers:
      - name: web
        image: registry.example.com/app{i % 11}:v1.0
        env:
        - {{name: LOG, value: info}}
        - name: PASSWORD
          valueFrom: {{secretKeyRef: {{name: web-{i}, key: password}}}}
        ports: [{{containerPort: 8080, name: http}}]
        volumeMounts: [{{name: config, mountPath: /etc/web}}]
      volumes:
      - name: config
        configMap: {{name: web-{i}}}
"""


def others(i: int) -> str:
    return f"""\
---
apiVersion: v1
kind: Service
metadata: {{name: web-{i}}}
spec:
  selector: {{app: web-{i}}}
  ports: [{{port: 80, targetPort: http}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web-{i}}}
data:
  a.conf: |
    listen 8080
    root /srv/{i}
---
apiVersion: v1
kind: Secret
metadata: {{name: web-{i}}}
stringData: {{password: not-one}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: web-{i}}}
"""


def overlay(folder: Path, resources: int) -> Path:
    """`resources` objects in files of five, with 20 strategic merge patches."""
    groups = resources // 5
    names = []
    for i in range(groups):
        (folder / f"web-{i}.yaml").write_text(deployment(i) + others(i))
        names.append(f"- web-{i}.yaml\n")
    patches = "patches:\n" + "".join(patch(i % groups, i) for i in range(20))
    (folder / "kustomization.yaml").write_text(KUSTOMIZATION + "".join(names) + IMAGES + patches)
    return folder


def patch(target: int, i: int) -> str:
    return f"""\
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: web-{target}}}
    spec:
      template:
        spec:
          containers:
          - name: web
            env: [{{name: EXTRA_{i}, value: "{i}"}}]
"""


def seconds(folder: Path) -> tuple[float, int]:
    started = time.perf_counter()
    source = LocalFolder(folder)
    built = build.build(Tree(source, source.root))
    return time.perf_counter() - started, len(built.resources)


@pytest.mark.benchmark
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_build_in_process_beside_the_binary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", f"{'resources':>10} {'ours':>10} {'binary':>10} {'ratio':>9} {'us each':>8}"]
    for count in (10, 1_000, 5_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        overlay(folder, count)
        ours, found = min(seconds(folder) for _ in range(3))
        assert found == count
        theirs = binary_seconds(folder) if BINARY and (count < 5_000 or SLOW_BINARY) else None
        beside = f"{theirs:>9.3f}s {'1/' + format(theirs / ours, '.0f'):>9}" if theirs else f"{'-':>10} {'-':>9}"
        lines.append(f"{count:>10} {ours:>9.4f}s {beside} {ours / count * 1e6:>8.0f}")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines) + "\n")


def binary_seconds(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([str(BINARY), "build", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
