"""Builds of small kustomizations: each field that is served, and each mistake that is named."""

import re

import pytest

from gitopsd.plugin import Rejected

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:
      - name: web
        image: example.com/web:v1
        env: [{name: A, value: "1"}]
        envFrom: [{configMapRef: {name: settings}}]
"""


def by_kind(bodies, kind):
    return next(b for b in bodies if b["kind"] == kind)


def container(bodies):
    return by_kind(bodies, "Deployment")["spec"]["template"]["spec"]["containers"][0]


def test_documents_and_lists_become_objects_in_legacy_order(built):
    files = {
        "kustomization.yaml": "resources: [all.yaml]\n",
        "all.yaml": WEB
        + "---\n"
        + CONFIG.format("b")
        + "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: n}}\n",
    }
    assert [b["kind"] for b in built(files)] == ["Namespace", "ConfigMap", "Deployment"]


def test_sort_options_keep_the_order_of_the_files(built):
    files = {
        "kustomization.yaml": "resources: [b.yaml, a.yaml]\nsortOptions: {order: fifo}\n",
        "a.yaml": CONFIG.format("a"),
        "b.yaml": CONFIG.format("b"),
    }
    assert [b["metadata"]["name"] for b in built(files)] == ["b", "a"]


def test_a_namespace_goes_everywhere_but_to_cluster_wide_kinds(built):
    rbac = """\
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata: {name: b}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
    subjects:
    - {kind: ServiceAccount, name: default, namespace: other}
    - {kind: ServiceAccount, name: web, namespace: other}
    ---
    apiVersion: v1
    kind: Namespace
    metadata: {name: old}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
    """
    bodies = built({"kustomization.yaml": "namespace: prod\nresources: [rbac.yaml]\n", "rbac.yaml": rbac})
    binding = by_kind(bodies, "ClusterRoleBinding")
    assert "namespace" not in binding["metadata"]
    assert [s["namespace"] for s in binding["subjects"]] == ["prod", "other"]
    assert by_kind(bodies, "Namespace")["metadata"] == {"name": "prod"}
    assert by_kind(bodies, "ConfigMap")["metadata"] == {"name": "c", "namespace": "prod"}


def test_two_objects_that_a_namespace_makes_equal_are_refused(built):
    twice = "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: {n}}}\n" for n in "ab")
    with pytest.raises(Rejected, match=r"already registered id: ConfigMap\.v1.*all\.yaml"):
        built({"kustomization.yaml": "namespace: prod\nresources: [all.yaml]\n", "all.yaml": twice})


@pytest.mark.parametrize(
    ("label", "selector", "template"),
    [
        ("{pairs: {team: x}}", False, False),
        ("{pairs: {team: x}, includeTemplates: true}", False, True),
        ("{pairs: {team: x}, includeSelectors: true}", True, True),
    ],
)
def test_labels_reach_selectors_and_templates_only_where_asked(built, label, selector, template):
    bodies = built({"kustomization.yaml": f"resources: [web.yaml]\nlabels: [{label}]\n", "web.yaml": WEB})
    spec = bodies[0]["spec"]
    assert bodies[0]["metadata"]["labels"] == {"team": "x"}
    assert ("team" in spec["selector"]["matchLabels"]) is selector
    assert ("team" in spec["template"]["metadata"]["labels"]) is template


def test_common_annotations_reach_templates(built):
    bodies = built({"kustomization.yaml": "resources: [web.yaml]\ncommonAnnotations: {a: b}\n", "web.yaml": WEB})
    assert bodies[0]["metadata"]["annotations"] == {"a": "b"}
    assert bodies[0]["spec"]["template"]["metadata"]["annotations"] == {"a": "b"}


def test_prefix_suffix_and_hash_reach_references_in_all_overlays(built):
    files = {
        "base/kustomization.yaml": "resources: [web.yaml, sa.yaml]\nconfigMapGenerator: [{name: settings, literals: [A=1]}]\n",
        "base/web.yaml": WEB,
        "base/sa.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n",
        "prod/kustomization.yaml": "namePrefix: p-\nnameSuffix: -s\nresources: [../base]\n",
    }
    bodies = built(files, "prod")
    config = by_kind(bodies, "ConfigMap")["metadata"]["name"]
    assert re.fullmatch(r"p-settings-s-[a-z0-9]{10}", config)
    assert container(bodies)["envFrom"] == [{"configMapRef": {"name": config}}]
    assert by_kind(bodies, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "p-web-s"


def test_content_hashes_are_those_of_kustomize(built):
    generators = """\
    configMapGenerator: [{name: c, literals: [a=b, "c=<d&e>"]}]
    secretGenerator: [{name: s, literals: [a=b]}]
    """
    assert [b["metadata"]["name"] for b in built({"kustomization.yaml": generators})] == [
        "c-7mcc5m7gdm",
        "s-k695gkmbtk",
    ]


def test_generators_read_files_and_env_files(built):
    files = {
        "kustomization.yaml": """\
        generatorOptions: {disableNameSuffixHash: true, labels: {from: generator}}
        configMapGenerator:
        - {name: c, files: [a.txt, other=b.txt], envs: [x.env], options: {immutable: true}}
        """,
        "a.txt": "one",
        "b.txt": "two",
        "x.env": "# comment\n\nKEY=value=more\n  INDENTED=1\n",
    }
    (body,) = built(files)
    assert body["data"] == {"a.txt": "one", "other": "two", "KEY": "value=more", "INDENTED": "1"}
    assert body["immutable"] is True
    assert body["metadata"] == {"name": "c", "labels": {"from": "generator"}}


def test_an_overlay_merges_into_a_generated_object(built):
    files = {
        "base/kustomization.yaml": "configMapGenerator: [{name: c, literals: [a=1, b=2]}]\n",
        "kustomization.yaml": "resources: [base]\nconfigMapGenerator: [{name: c, behavior: merge, literals: [b=3]}]\n",
    }
    (body,) = built(files)
    assert body["data"] == {"a": "1", "b": "3"}


def test_a_repeated_key_is_refused(built):
    with pytest.raises(Rejected, match="illegally repeats the key 'a'"):
        built({"kustomization.yaml": "configMapGenerator: [{name: c, literals: [a=1, a=2]}]\n"})


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("{name: example.com/web, newTag: v2}", "example.com/web:v2"),
        ("{name: example.com/web, newName: 'mirror:5000/web'}", "mirror:5000/web:v1"),
        ("{name: example.com/web, digest: 'sha256:24a0'}", "example.com/web@sha256:24a0"),
        ("{name: example.com/web, newTag: v2, digest: 'sha256:24a0'}", "example.com/web:v2@sha256:24a0"),
        ("{name: example.com, newTag: v2}", "example.com/web:v1"),
    ],
)
def test_images(built, image, expected):
    bodies = built({"kustomization.yaml": f"resources: [web.yaml]\nimages: [{image}]\n", "web.yaml": WEB})
    assert container(bodies)["image"] == expected


def test_replicas(built):
    files = {"kustomization.yaml": "resources: [web.yaml]\nreplicas: [{name: web, count: 7}]\n", "web.yaml": WEB}
    assert built(files)[0]["spec"]["replicas"] == 7
    files["kustomization.yaml"] = "resources: [web.yaml]\nreplicas: [{name: other, count: 7}]\n"
    with pytest.raises(Rejected, match="no resource is called 'other'"):
        built(files)


def test_a_strategic_merge_joins_keyed_lists_and_deletes(built):
    patch = """\
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: null
      template:
        spec:
          containers:
          - name: web
            env: [{name: B, value: "2"}, {name: A, $patch: delete}]
          - {name: sidecar, image: sidecar}
    """
    files = {
        "kustomization.yaml": "resources: [web.yaml]\npatches: [{path: p.yaml}]\n",
        "web.yaml": WEB,
        "p.yaml": patch,
    }
    (body,) = built(files)
    first, second = body["spec"]["template"]["spec"]["containers"]
    assert "replicas" not in body["spec"]
    assert first["env"] == [{"name": "B", "value": "2"}]
    assert (first["name"], second["name"]) == ("web", "sidecar")


def test_a_target_is_anchored_and_selects_by_labels(built):
    files = {
        "kustomization.yaml": """\
        resources: [a.yaml]
        patches:
        - target: {kind: ConfigMap, name: "a|b", labelSelector: "tier in (x,y),!skip"}
          patch: |
            - {op: add, path: /data, value: {patched: "yes"}}
        """,
        "a.yaml": "".join(
            f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {labels}}}\n"
            for name, labels in (("a", "{tier: x}"), ("ab", "{tier: x}"), ("b", "{tier: z}"))
        ),
    }
    assert [b["metadata"]["name"] for b in built(files) if "data" in b] == ["a"]


def test_json_patches_name_the_path_that_is_missing(built):
    kustomization = """\
    resources: [web.yaml]
    patches:
    - target: {kind: Deployment}
      patch: |
        - {op: replace, path: /spec/nothing/at/all, value: 1}
    """
    refused = r"Deployment/web: JSON patch: replace operation does not apply.*/spec/nothing/at/all"
    with pytest.raises(Rejected, match=refused):
        built({"kustomization.yaml": kustomization, "web.yaml": WEB})


def test_a_json_patch_may_replace_a_key_that_is_not_there(built):
    kustomization = """\
    resources: [web.yaml]
    patches:
    - target: {kind: Deployment}
      patch: |
        - {op: replace, path: /spec/paused, value: true}
    """
    [deployment] = built({"kustomization.yaml": kustomization, "web.yaml": WEB})
    assert deployment["spec"]["paused"] is True


def test_components_work_on_what_is_there(built):
    files = {
        "kustomization.yaml": "resources: [web.yaml]\ncomponents: [debug]\n",
        "web.yaml": WEB,
        "debug/kustomization.yaml": """\
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        replicas: [{name: web, count: 1}]
        namePrefix: debug-
        """,
    }
    assert built(files)[0]["metadata"]["name"] == "debug-web"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"kustomization.yaml": "resources: [nothing.yaml]\n"}, "nothing.yaml: no such file or folder"),
        ({"kustomization.yaml": ""}, "kustomization.yaml is empty"),
        ({"kustomization.yaml": "kind: Kustomization\nnamePrefix: ''\nresources:\n"}, "kustomization.yaml is empty"),
        (
            {"kustomization.yaml": "resource: [a]\n"},
            "kustomization.yaml:1: invalid Kustomization: resource: unknown field",
        ),
        ({"kustomization.yaml": "resources: a\n"}, "kustomization.yaml:1: invalid Kustomization: resources: Expected"),
        ({"kustomization.yaml": "a: [\n"}, "kustomization.yaml:2"),
        (
            {"kustomization.yaml": "helmCharts: [{name: x}]\n"},
            'kustomization.yaml: field "helmCharts" would run helm, and no program is run from a repository',
        ),
        (
            {"kustomization.yaml": "resources: ['https://example.com/x.yaml']\n"},
            "'https://example.com/x.yaml' is remote",
        ),
        ({"kustomization.yaml": "resources: ['github.com/a/b//c?ref=v1']\n"}, "'github.com/a/b//c?ref=v1' is remote"),
        ({"kustomization.yaml": "resources: ['../../../../../../../../x']\n"}, "leaves the tree"),
        ({"kustomization.yaml": "resources: [/etc/passwd]\n"}, "'/etc/passwd' is absolute"),
        ({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "x: 1\n"}, "a.yaml:1: kind is missing"),
        ({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "a: 1\na: 2\n"}, "a.yaml:2"),
        (
            {"kustomization.yaml": "resources: [a.yaml, a.yaml]\n", "a.yaml": CONFIG.format("a")},
            "already registered id: ConfigMap.v1.[noGrp]/a.default (a.yaml)",
        ),
        (
            {"kustomization.yaml": "kind: Component\nnamePrefix: a\napiVersion: v1\n"},
            "should be kustomize.config.k8s.io/v1alpha1",
        ),
        (
            {"kustomization.yaml": "namePrefix: a\n", "kustomization.yml": "namePrefix: a\n"},
            "multiple kustomization files",
        ),
        ({"other.yaml": ""}, "unable to find one of kustomization.yaml"),
        (
            {
                "kustomization.yaml": "resources: [a.yaml]\nnamePrefix: x\nconfigurations: [c.yaml]\n",
                "a.yaml": CONFIG.format("a"),
                "c.yaml": "namePrefix: [{path: metadata/*}]\n",
            },
            "field metadata/*: a wildcard is not supported",
        ),
    ],
)
def test_mistakes_are_named(built, files, message):
    with pytest.raises(Rejected, match=re.escape(message)):
        built(files)


def test_a_cycle_is_refused_with_its_chain(built):
    files = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}
    with pytest.raises(Rejected, match=re.escape("cycle detected: a -> b -> a")):
        built(files, "a")


def test_files_outside_of_the_folder_are_refused_by_default_and_read_on_request(built):
    files = {"app/kustomization.yaml": "resources: [../one.yaml]\n", "one.yaml": CONFIG.format("one")}
    with pytest.raises(Rejected, match="not in or below 'app'"):
        built(files, "app")
    assert len(built(files, "app", restricted=False)) == 1


def test_a_link_out_of_the_folder_is_no_way_around_the_restriction(built, tmp_path):
    files = {"app/kustomization.yaml": "resources: [one.yaml]\n", "one.yaml": CONFIG.format("one")}
    (tmp_path / "tree" / "app").mkdir(parents=True)
    (tmp_path / "tree" / "app" / "one.yaml").symlink_to("../one.yaml")
    with pytest.raises(Rejected, match="not in or below 'app'"):
        built(files, "app")


def test_local_config_is_not_printed(built):
    local = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: l, annotations: {config.kubernetes.io/local-config: 'true'}}\n"
    assert built({"kustomization.yaml": "resources: [l.yaml]\n", "l.yaml": local}) == []


def test_a_chain_of_folders_has_an_end(built):
    files = {f"{i}/kustomization.yaml": f"resources: [../{i + 1}]\n" for i in range(120)}
    with pytest.raises(Rejected, match="over more than 100 folders"):
        built(files, "0")


def test_few_files_cannot_cost_forever(built):
    files = {f"{i}/kustomization.yaml": f"resources: [../{i + 1}, ../{i + 1}]\n" for i in range(40)}
    files["40/kustomization.yaml"] = "namePrefix: a\n"
    with pytest.raises(Rejected, match="more than 5000 kustomizations"):
        built(files, "0")


def test_merging_drops_what_a_file_leaves_blank_and_keeps_a_written_null(built):
    web = WEB.replace("replicas: 1", "paused:\n  replicas: null")
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {minReadySeconds: 1}\n"
    files = {"kustomization.yaml": "resources: [web.yaml]\n", "web.yaml": web, "p.yaml": patch}
    assert built(files)[0]["spec"]["paused"] is None
    files["kustomization.yaml"] += "patches: [{path: p.yaml}]\n"
    spec = built(files)[0]["spec"]
    assert ("paused" in spec, spec["replicas"]) == (False, None)


def test_notes_about_former_names_are_honoured_and_not_printed(built):
    noted = """\
    apiVersion: v1
    kind: Secret
    metadata:
      name: now
      annotations:
        internal.config.kubernetes.io/previousNames: before
        internal.config.kubernetes.io/previousKinds: Secret
        internal.config.kubernetes.io/previousNamespaces: default
    """
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {imagePullSecrets: [{name: before}]}\n"
    files = {"kustomization.yaml": "resources: [s.yaml, p.yaml]\n", "s.yaml": noted, "p.yaml": pod}
    bodies = built(files)
    assert by_kind(bodies, "Pod")["spec"]["imagePullSecrets"] == [{"name": "now"}]
    assert by_kind(bodies, "Secret")["metadata"] == {"name": "now"}
    files["s.yaml"] = noted.replace("previousKinds: Secret", "previousKinds: Secret,Secret")
    with pytest.raises(Rejected, match="must have as many entries each"):
        built(files)


def test_a_replacement_inside_a_text_keeps_quotes_style_and_comments(built):
    inside = """\
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
    data:
      host: example.org
      "5": "5"
      app.yaml: |
        # kept
        hosts: ["a", 'b']
        host: "x" # too
        port: abc
    """
    kustomization = """\
    resources: [c.yaml]
    replacements:
    - source: {kind: ConfigMap, fieldPath: data.host}
      targets: [{select: {kind: ConfigMap}, fieldPaths: ['data.app\\.yaml.host']}]
    - source: {kind: ConfigMap, fieldPath: data.5}
      targets: [{select: {kind: ConfigMap}, fieldPaths: ['data.app\\.yaml.port']}]
    """
    (body,) = built({"kustomization.yaml": kustomization, "c.yaml": inside})
    assert body["data"]["app.yaml"] == ('# kept\nhosts: ["a", \'b\']\nhost: "example.org" # too\nport: "5"')


def test_an_empty_list_is_no_empty_kustomization(built):
    assert built({"kustomization.yaml": "resources: []\n"}) == []


def test_labels_that_were_made_together_stay_one(built):
    base = "resources: [web.yaml]\nlabels: [{pairs: {team: x}, includeSelectors: true}]\n"
    files = {"base/kustomization.yaml": base, "base/web.yaml": WEB}
    files["kustomization.yaml"] = "resources: [base]\nlabels: [{pairs: {team: green}}]\n"
    spec = built(files)[0]["spec"]
    assert spec["selector"]["matchLabels"]["team"] == spec["template"]["metadata"]["labels"]["team"] == "green"
    patch = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, labels: {team: z}}}"
    files["kustomization.yaml"] = f"resources: [base]\npatches: [{{patch: '{patch}'}}]\n"
    assert built(files)[0]["spec"]["selector"]["matchLabels"]["team"] == "z"
    operations = '[{"op": "replace", "path": "/metadata/labels/team", "value": "w"}]'
    patch = f"patches: [{{patch: '{operations}', target: {{kind: Deployment}}}}]\n"
    files["kustomization.yaml"] = f"resources: [base]\n{patch}"
    assert built(files)[0]["spec"]["selector"]["matchLabels"]["team"] == "x"


def test_a_patch_for_selected_objects_has_texts_as_labels(built):
    patch = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: any, labels: {a: null, b: 1}}}"
    kustomization = f"resources: [web.yaml]\npatches: [{{patch: '{patch}', target: {{kind: Deployment}}}}]\n"
    (body,) = built({"kustomization.yaml": kustomization, "web.yaml": WEB})
    assert body["metadata"]["labels"] == {"a": "null", "b": "1"}


def test_schemas_in_comments_say_how_lists_are_merged(built):
    thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n"
    hint = '# {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "id"}'
    files = {
        "kustomization.yaml": "resources: [t.yaml]\npatches: [{path: p.yaml}]\n",
        "t.yaml": f"{thing}items: {hint}\n- {{id: a, x: 1}}\n- {{id: b, x: 2}}\n",
        "p.yaml": f"{thing}items:\n- {{id: b, x: 3}}\n",
    }
    assert built(files)[0]["items"] == [{"id": "b", "x": 3}, {"id": "a", "x": 1}]


def test_a_json_patch_that_is_almost_json_is_refused(built):
    kustomization = (
        "resources: [web.yaml]\npatches: [{patch: '[{op: remove, path: /spec}]', target: {kind: Deployment}}]\n"
    )
    with pytest.raises(Rejected, match="must be JSON"):
        built({"kustomization.yaml": kustomization, "web.yaml": WEB})


@pytest.mark.parametrize(
    ("kustomization", "message"),
    [
        (
            "resources: [web.yaml, nothing.yaml]\n",
            "kustomization.yaml:1: resources[1]: nothing.yaml: no such file or folder",
        ),
        (
            'resources: [web.yaml]\npatches:\n- target: {kind: Deployment}\n  patch: \'[{"op": "test", "path": "/spec"}]\'\n',
            "kustomization.yaml:3: patches[0]: Deployment/web: JSON patch: testing value /spec failed",
        ),
        (
            "resources: [web.yaml]\nreplicas:\n- {name: web, count: 1}\n- {name: db, count: 1}\n",
            "kustomization.yaml:4: replicas[1]: no resource is called 'db'",
        ),
        (
            "configMapGenerator:\n- {name: c, literals: [a=b]}\n- {name: d, files: [x]}\n",
            "kustomization.yaml:3: configMapGenerator[1]: x: no such file",
        ),
        ("components: [x]\n", "kustomization.yaml:1: components[0]: x: no such file or folder"),
        (
            'resources: [web.yaml]\ntransformers: ["{apiVersion: example.com/v1, kind: Exec, metadata: {name: x}}"]\n',
            "kustomization.yaml:2: transformers: inline plugin: Exec/x: only kustomize's built-in plugins",
        ),
        (
            'resources: [web.yaml]\ngenerators: ["{apiVersion: example.com/v1, kind: Exec, metadata: {name: x}}"]\n',
            "kustomization.yaml:2: generators: inline plugin: Exec/x: only kustomize's built-in plugins",
        ),
        (
            "resources: [web.yaml]\nreplacements:\n- {source: {kind: X}, targets: [{select: {kind: Z}}]}\n",
            "kustomization.yaml:2: replacements: nothing selected by the source X",
        ),
        (
            "resources: [web.yaml]\nconfigurations: [c.yaml]\n",
            "kustomization.yaml:2: configurations[0]: c.yaml: no such file",
        ),
    ],
)
def test_errors_say_in_which_file_line_and_field(built, kustomization, message):
    with pytest.raises(Rejected, match="^" + re.escape(message)):
        built({"kustomization.yaml": kustomization, "web.yaml": WEB})


@pytest.mark.parametrize("keys", ['[["id"]]', '"id"', "[1]", '{"id": 1}'])
def test_merge_keys_of_a_schema_that_are_no_names_say_nothing(built, keys):
    field = f'{{"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-list-map-keys": {keys}}}'
    kind = '[{"group": "example.com", "version": "v1", "kind": "Thing"}]'
    schema = (
        f'{{"definitions": {{"T": {{"x-kubernetes-group-version-kind": {kind}, "properties": {{"items": {field}}}}}}}}}'
    )
    thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nitems: [a, b]\n"
    files = {
        "kustomization.yaml": "resources: [t.yaml]\nopenapi: {path: s.json}\npatches: [{path: p.yaml}]\n",
        "t.yaml": thing,
        "p.yaml": thing.replace("a, b", "c"),
        "s.json": schema,
    }
    assert built(files)[0]["items"] == ["c", "a", "b"]
