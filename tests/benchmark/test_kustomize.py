"""How fast kustomizations are built in process; beside the kustomize binary where it is on PATH or named by KUSTOMIZE."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitopsd.plugin import Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build
from gitopsd_plugins.kustomize.files import parsed

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


def seconds(folder: Path) -> tuple[float, float]:
    """A first build with nothing known, and one where every text was parsed before, both with printing."""
    parsed.SHARED.clear()
    return _timed(folder), min(_timed(folder) for _ in range(2))


def _timed(folder: Path) -> float:
    source = LocalFolder(folder)
    started = time.perf_counter()
    built = build.build(Tree(source, source.root))
    yaml.print_all(resource.body for resource in built.resources)
    return time.perf_counter() - started


MEASURE = """\
import resource, sys
from pathlib import Path
from gitopsd.plugin import Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build
source = LocalFolder(Path(sys.argv[1]))
built = build.build(Tree(source, source.root))
text = yaml.print_all(r.body for r in built.resources)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, text.count("\\nkind: "))
"""


def peak(folder: Path) -> tuple[int, int]:
    """MiB that a process needs which only builds and prints, and how many objects it printed."""
    done = subprocess.run([sys.executable, "-c", MEASURE, str(folder)], check=True, capture_output=True, text=True)
    memory, objects = done.stdout.split()
    return int(memory), int(objects)


def binary_seconds(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([str(BINARY), "build", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


@pytest.mark.benchmark
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_build_in_process_beside_the_binary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["", f"{'resources':>9} {'ours':>9} {'again':>9} {'us each':>8} {'MiB':>5} {'binary':>9} {'ratio':>7}"]
    for count in (10, 1_000, 5_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        overlay(folder, count)
        ours, again = min(seconds(folder) for _ in range(2))
        memory, objects = peak(folder)
        assert objects == count
        theirs = binary_seconds(folder) if BINARY and (count < 5_000 or SLOW_BINARY) else None
        beside = f"{theirs:>8.3f}s {'1/' + format(theirs / ours, '.0f'):>7}" if theirs else f"{'-':>9} {'-':>7}"
        lines.append(f"{count:>9} {ours:>8.4f}s {again:>8.4f}s {ours / count * 1e6:>8.0f} {memory:>5} {beside}")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines) + "\n")
