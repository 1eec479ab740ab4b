"""Made-up objects and documents for hypothesis, with names few enough to meet one another."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["web", "db", "web-1", "settings"])
TEXTS = st.sampled_from(
    ["a", "b: c", "yes", "1", "1.0", "0x10", "", " x ", "two\nlines\n", "# no", "$(WEB)", "é", "null"]
)
VALUES = TEXTS | st.integers(-3, 2000) | st.booleans() | st.none() | st.sampled_from([1.5, 1e6, 1e-7])
LABELS = st.dictionaries(
    st.sampled_from(["app", "tier", "example.com/x"]), st.sampled_from(["web", "db", "true", "1"]), max_size=2
)
NAMESPACES = st.sampled_from(["", "", "one", "two"])
IMAGES = st.sampled_from(["nginx", "nginx:1.2", "registry:5000/nginx@sha256:00", "example.com/web:v1", "web"])


def sometimes(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def metadata(draw: st.DrawFn, name: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name or draw(NAMES)}
    if namespace := draw(NAMESPACES):
        found["namespace"] = namespace
    for field in ("labels", "annotations"):
        if (entries := draw(sometimes(LABELS))) is not None:
            found[field] = entries
    return found


@st.composite
def container(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"name": draw(NAMES), "image": draw(IMAGES)}
    if draw(st.booleans()):
        found["env"] = draw(st.lists(variable(), max_size=3))
    if draw(st.booleans()):
        found["ports"] = draw(st.lists(port(), max_size=3))
    if draw(st.booleans()):
        found["args"] = draw(st.lists(TEXTS, max_size=2))
    if draw(st.booleans()):
        found["envFrom"] = [
            draw(st.sampled_from(["configMapRef", "secretRef"]).map(lambda kind: {kind: {"name": "settings"}}))
        ]
    return found


@st.composite
def variable(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(["A", "B", "C"]))
    if draw(st.booleans()):
        return {"name": name, "value": draw(TEXTS)}
    kind = draw(st.sampled_from(["configMapKeyRef", "secretKeyRef"]))
    return {"name": name, "valueFrom": {kind: {"name": draw(NAMES), "key": "k"}}}


@st.composite
def port(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"containerPort": draw(st.sampled_from([80, 81]))}
    if draw(st.booleans()):
        found["protocol"] = draw(st.sampled_from(["TCP", "UDP"]))
    if draw(st.booleans()):
        found["name"] = draw(st.sampled_from(["http", "dns"]))
    return found


@st.composite
def workload(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"]))
    labels = draw(LABELS)
    pod: dict[str, Any] = {"containers": draw(st.lists(container(), min_size=1, max_size=3))}
    if draw(st.booleans()):
        pod["serviceAccountName"] = draw(NAMES)
    if draw(st.booleans()):
        source = draw(
            st.sampled_from([{"configMap": {"name": "settings"}}, {"secret": {"secretName": "db"}}, {"emptyDir": {}}])
        )
        pod["volumes"] = [{"name": "v", **source}]
    spec: dict[str, Any] = {"template": {"metadata": {"labels": labels}, "spec": pod}}
    if draw(st.booleans()):
        spec["selector"] = {"matchLabels": labels}
    if draw(st.booleans()):
        spec["replicas"] = draw(st.integers(0, 3))
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": draw(metadata()), "spec": spec}


@st.composite
def config(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["ConfigMap", "Secret"]))
    found: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": draw(metadata())}
    if draw(st.booleans()):
        found["data"] = draw(st.dictionaries(st.sampled_from(["k", "K", "a.b"]), TEXTS, max_size=2))
    return found


@st.composite
def custom(draw: st.DrawFn) -> dict[str, Any]:
    spec = st.recursive(
        VALUES,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=2)
        ),
        max_leaves=5,
    )
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": draw(metadata()), "spec": draw(spec)}


@st.composite
def access(draw: st.DrawFn) -> dict[str, Any]:
    subject = {
        "kind": "ServiceAccount",
        "name": draw(NAMES | st.just("default")),
        "namespace": draw(st.sampled_from(["one", "two"])),
    }
    kind = draw(st.sampled_from(["RoleBinding", "ClusterRoleBinding"]))
    role = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": draw(st.sampled_from(["Role", "ClusterRole"])),
        "name": draw(NAMES),
    }
    group = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": group, "kind": kind, "metadata": draw(metadata()), "roleRef": role, "subjects": [subject]}


@st.composite
def plain(draw: st.DrawFn) -> dict[str, Any]:
    api_version, kind = draw(
        st.sampled_from(
            [
                ("v1", "Service"),
                ("v1", "ServiceAccount"),
                ("v1", "Namespace"),
                ("rbac.authorization.k8s.io/v1", "Role"),
                ("rbac.authorization.k8s.io/v1", "ClusterRole"),
                ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ]
        )
    )
    return {"apiVersion": api_version, "kind": kind, "metadata": draw(metadata())}


OBJECTS = workload() | workload() | config() | config() | custom() | access() | plain()


ODDITIES = st.sampled_from(
    [
        "a: &x {k: v}\nb: *x\nc: {<<: *x, k2: w}\n",
        "a: >-\n  one\n    two\n  three\nb: >\n  x\n\n  y\n\n",
        "a: |+\n  keep\n\nb: |2\n    led\n",
        "a: 'it''s'\nb: \"tab\\t\\u00e9 \\x41\"\nc: plain # comment\n",
        "a: 0o17\nb: 0x1F\nc: 1_000\nd: 1e3\ne: .5\nf: +1\n",
        "a: 2026-01-31\nb: 2026-01-31T12:00:00Z\nc: 12:30:45\nd: ~\n",
        "a: yes\nb: Off\nc: TRUE\nd: Null\ne: n\n",
        "a:\nb: ''\nc: []\nd: {}\n",
        "'1': one\n'true': t\nnull_: n\nyes: q\n",
        "a: " + "word " * 30 + "\nb: '" + "wo:rd: " * 20 + "'\nc: \"" + "tab\\t " * 20 + '"\n',
        "a: [1, [2, {b: c}], 'x']\nb: {c: {d: [e]}}\n",
        "a: 12345678901234567890\nb: 1.0\nc: 100000000000000000000000\nd: 1.50\ne: -0\n",
        "a: !!str 5\nb: !!int '7'\nc: !!binary aGk=\n",
        "a10: x\na2: x\na_b: x\naB: x\nA: x\n",
    ]
)


@st.composite
def odd(draw: st.DrawFn) -> str:
    """A document as people write it, in one of the many ways of YAML."""
    name = draw(NAMES)
    body = "".join(f"  {line}\n" if line else "\n" for line in draw(ODDITIES).split("\n")[:-1])
    ends = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return f"# head\napiVersion: example.com/v1\nkind: Odd\nmetadata:\n  name: {name}\nspec:\n{body}".replace(
        "\n", ends
    )
