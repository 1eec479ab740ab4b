"""Made-up kustomizations for hypothesis: a base, a component and an overlay over them."""

from __future__ import annotations

from typing import Any

from fakes.objects import LABELS, NAMES, NAMESPACES, OBJECTS, TEXTS, VALUES, container, odd
from hypothesis import strategies as st

from gitopsd.plugin import yaml

Files = dict[str, str]


@st.composite
def merge_patch(draw: st.DrawFn, target: dict[str, Any]) -> dict[str, Any]:
    name = {key: target["metadata"][key] for key in ("name", "namespace") if key in target["metadata"]}
    found: dict[str, Any] = {"apiVersion": target["apiVersion"], "kind": target["kind"], "metadata": dict(name)}
    if draw(st.booleans()):
        found["metadata"]["labels"] = draw(
            st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["new", None]), max_size=2)
        )
    if "template" in (target.get("spec") or {} if isinstance(target.get("spec"), dict) else {}):
        inner = draw(st.lists(container(), max_size=2))
        for each in inner:
            if draw(st.integers(0, 5)) == 0:
                each["$patch"] = draw(st.sampled_from(["delete", "replace", "merge"]))
            if draw(st.integers(0, 5)) == 0:
                each["image"] = None
        found["spec"] = {"replicas": draw(st.sampled_from([None, 5])), "template": {"spec": {"containers": inner}}}
    elif target["kind"] in {"ConfigMap", "Secret"}:
        found["data"] = draw(st.dictionaries(st.sampled_from(["k", "K", "new"]), TEXTS | st.none(), max_size=2))
    elif target["kind"] == "Thing":
        found["spec"] = draw(st.dictionaries(st.sampled_from(["name", "a", "b", "$patch"]), VALUES, max_size=2))
    if draw(st.integers(0, 15)) == 0:
        found["$patch"] = "delete"
    return found


PATHS = st.sampled_from(
    [
        "/metadata/labels/new",
        "/metadata/annotations",
        "/spec/replicas",
        "/spec/template/spec/containers/0/image",
        "/data/k",
        "/spec/a",
        "/spec",
        "/spec/template/spec/containers/-",
        "/metadata/name",
        "/metadata/labels",
    ]
)


@st.composite
def operation(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(["add", "replace", "remove", "test", "copy", "move"]))
    found: dict[str, Any] = {"op": op, "path": draw(PATHS)}
    if op in {"copy", "move"}:
        found["from"] = draw(PATHS)
    elif op != "remove":
        found["value"] = draw(VALUES | st.just({"name": "added", "image": "added"}))
    return found


SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["Deployment", "ConfigMap", "Thing", "Deploy.*"]),
        "name": st.sampled_from(["web", "web.*", "db|settings", "p-web"]),
        "namespace": st.sampled_from(["one", "t.*"]),
        "labelSelector": st.sampled_from(["app=web", "app in (web,db),tier", "!app", "tier!=db"]),
    },
)


@st.composite
def patch(draw: st.DrawFn, objects: list[dict[str, Any]]) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"patch": yaml.write(draw(st.lists(operation(), min_size=1, max_size=2))), "target": draw(SELECTORS)}
    found: dict[str, Any] = {"patch": yaml.write(draw(merge_patch(draw(st.sampled_from(objects)))))}
    if draw(st.booleans()):
        found["target"] = draw(SELECTORS)
    if draw(st.integers(0, 5)) == 0:
        found["options"] = {draw(st.sampled_from(["allowNameChange", "allowKindChange"])): True}
    return found


@st.composite
def generator(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": draw(NAMES),
        "literals": draw(st.lists(st.sampled_from(["k=v", "K=1", "a.b=c=d", "q='x'"]), max_size=3, unique=True)),
    }
    if draw(st.booleans()):
        found["behavior"] = draw(st.sampled_from(["create", "merge", "replace"]))
    if draw(st.booleans()):
        found["options"] = {"disableNameSuffixHash": True}
    if namespace := draw(NAMESPACES):
        found["namespace"] = namespace
    return found


@st.composite
def replacement(draw: st.DrawFn) -> dict[str, Any]:
    source = {"kind": draw(st.sampled_from(["ConfigMap", "Deployment"])), "name": draw(NAMES)}
    source["fieldPath"] = draw(
        st.sampled_from(["metadata.name", "data.k", "spec.replicas", "spec.template.spec.containers.0.image"])
    )
    paths = [
        "metadata.labels.new",
        "spec.template.spec.containers.*.image",
        "data.k",
        "spec.a",
        "spec.template.spec.containers.[name=web].env.0.value",
    ]
    target: dict[str, Any] = {"select": draw(SELECTORS), "fieldPaths": [draw(st.sampled_from(paths))]}
    if draw(st.booleans()):
        target["options"] = draw(
            st.sampled_from([{"create": True}, {"delimiter": ":", "index": 1}, {"delimiter": "/", "index": -1}])
        )
    if draw(st.integers(0, 3)) == 0:
        target["reject"] = [draw(SELECTORS)]
    return {"source": source, "targets": [target]}


@st.composite
def fields(draw: st.DrawFn, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """What a kustomization does beside naming its resources: a few of all that it can do."""
    every: dict[str, st.SearchStrategy[Any]] = {
        "namePrefix": st.sampled_from(["p-", "web-"]),
        "nameSuffix": st.sampled_from(["-s", "-1"]),
        "namespace": st.sampled_from(["one", "three"]),
        "commonLabels": LABELS,
        "labels": st.lists(
            st.fixed_dictionaries(
                {"pairs": LABELS}, optional={"includeSelectors": st.booleans(), "includeTemplates": st.booleans()}
            ),
            max_size=2,
        ),
        "commonAnnotations": LABELS,
        "images": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["nginx", "web", "example.com/web"])},
                optional={
                    "newName": st.just("mirror/x"),
                    "newTag": st.sampled_from(["v2", "1"]),
                    "digest": st.just("sha256:11"),
                },
            ),
            max_size=2,
        ),
        "replicas": st.lists(st.fixed_dictionaries({"name": NAMES, "count": st.integers(0, 9)}), max_size=1),
        "configMapGenerator": st.lists(generator(), min_size=1, max_size=2),
        "secretGenerator": st.lists(generator(), min_size=1, max_size=1),
        "generatorOptions": st.sampled_from(
            [{"disableNameSuffixHash": True}, {"labels": {"g": "1"}}, {"immutable": True}]
        ),
        "patches": st.lists(patch(objects), min_size=1, max_size=2),
        "patchesStrategicMerge": st.lists(
            st.sampled_from(objects).flatmap(merge_patch).map(yaml.write), min_size=1, max_size=1
        ),
        "replacements": st.lists(replacement(), min_size=1, max_size=1),
        "buildMetadata": st.lists(
            st.sampled_from(["originAnnotations", "transformerAnnotations", "managedByLabel"]), min_size=1, unique=True
        ),
        "transformers": st.lists(PLUGINS, min_size=1, max_size=2),
        "vars": st.lists(VARIABLES, min_size=1, max_size=1),
        "sortOptions": st.sampled_from([{"order": "fifo"}, {"order": "legacy"}]),
    }
    names = draw(st.lists(st.sampled_from(sorted(every)), max_size=4, unique=True))
    return {name: draw(every[name]) for name in names}


PLUGINS = st.sampled_from(
    [
        {"kind": "PrefixTransformer", "prefix": "t-", "fieldSpecs": [{"path": "metadata/name"}]},
        {
            "kind": "LabelTransformer",
            "labels": {"t": "1"},
            "fieldSpecs": [{"path": "spec/a", "create": True, "kind": "Thing"}],
        },
        {
            "kind": "AnnotationsTransformer",
            "annotations": {"t": "1"},
            "fieldSpecs": [{"path": "metadata/annotations", "create": True}],
        },
        {"kind": "ImageTagTransformer", "imageTag": {"name": "nginx", "newTag": "t"}},
        {"kind": "NamespaceTransformer", "metadata": {"name": "n", "namespace": "four"}, "unsetOnly": True},
        {
            "kind": "NamespaceTransformer",
            "metadata": {"name": "n", "namespace": "four"},
            "setRoleBindingSubjects": "allServiceAccounts",
        },
        {
            "kind": "ReplicaCountTransformer",
            "replica": {"name": "web", "count": 4},
            "fieldSpecs": [{"path": "spec/replicas", "create": True}],
        },
        {"kind": "HashTransformer"},
        {"kind": "SuffixTransformer", "suffix": "-t", "fieldSpecs": [{"path": "metadata/name", "kind": "ConfigMap"}]},
    ]
).map(lambda plugin: yaml.write({"apiVersion": "builtin", "metadata": {"name": "plugin"}, **plugin}))

CONFIGURATIONS = st.fixed_dictionaries(
    {},
    optional={
        "nameReference": st.just(
            [{"kind": "ConfigMap", "version": "v1", "fieldSpecs": [{"kind": "Thing", "path": "spec/a"}]}]
        ),
        "commonLabels": st.just([{"path": "spec/b", "kind": "Thing", "create": True}]),
        "namePrefix": st.just([{"path": "spec/name", "kind": "Thing"}]),
        "images": st.just([{"path": "spec/a", "kind": "Thing"}]),
        "namespace": st.just([{"path": "spec/b/name", "kind": "Thing", "create": True}]),
        "varReference": st.just([{"path": "spec/a", "kind": "Thing"}]),
        "replicas": st.just([{"path": "spec/a", "kind": "Thing", "create": True}]),
    },
)

VARIABLES = st.fixed_dictionaries(
    {
        "name": st.just("WEB"),
        "objref": st.fixed_dictionaries({"kind": st.sampled_from(["ConfigMap", "Deployment"]), "name": NAMES}).map(
            lambda ref: {**ref, "apiVersion": "v1" if ref["kind"] == "ConfigMap" else "apps/v1"}
        ),
    },
    optional={"fieldref": st.sampled_from([{"fieldpath": "data.k"}, {"fieldPath": "metadata.namespace"}])},
)


@st.composite
def trees(draw: st.DrawFn) -> Files:
    """Files of a base, a component and an overlay in the root, as texts by path."""
    objects = draw(st.lists(OBJECTS, min_size=1, max_size=4))
    more = draw(st.lists(OBJECTS, max_size=2))
    files = {
        "base/all.yaml": yaml.write_all(objects),
        "base/kustomization.yaml": yaml.write({"resources": ["all.yaml"], **draw(fields(objects))}),
    }
    top: dict[str, Any] = {"resources": ["base"], **draw(fields([*objects, *more]))}
    if draw(st.integers(0, 3)) == 0:
        other = {"namePrefix": "o-", "resources": ["../base"], **draw(fields(objects))}
        files["other/kustomization.yaml"] = yaml.write(other)
        top["resources"].append("other")
    if draw(st.integers(0, 3)) == 0:
        files["base/config.yaml"] = yaml.write(draw(CONFIGURATIONS))
        files["base/kustomization.yaml"] += "configurations: [config.yaml]\n"
    if draw(st.integers(0, 2)) == 0:
        files["odd.yaml"] = draw(odd())
        top["resources"].append("odd.yaml")
    if more:
        files["more.yaml"] = yaml.write_all(more)
        top["resources"].append("more.yaml")
    if draw(st.integers(0, 3)) == 0:
        component = {
            "apiVersion": "kustomize.config.k8s.io/v1alpha1",
            "kind": "Component",
            "namePrefix": "c-",
            **draw(fields(objects)),
        }
        component.pop("buildMetadata", None)
        files["part/kustomization.yaml"] = yaml.write(component)
        top["components"] = ["part"]
    files["kustomization.yaml"] = yaml.write(top)
    return files
