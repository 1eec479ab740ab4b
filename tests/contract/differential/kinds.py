"""The kinds of which random objects are made: where they live, the least that is valid, and a tree of what appliers state.

Trees hold what people write, a few values that are refused among them. Nothing here depends on controllers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contract.differential.trees import All, Fixed, Maybe, Tree

GROUP = "differential.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind. `least` and `tree` are without apiVersion, kind and name."""

    api_version: str
    kind: str
    plural: str
    tree: dict[str, Tree]
    least: dict[str, Any]
    status: dict[str, Tree] | None = None
    applies_status: bool = True
    """Whether the status is applied too; where that creates an object, it is one half made."""
    scales: bool = False
    custom: bool = False

    def path(self, namespace: str) -> str:
        """The collection."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        return f"{root}{self.api_version}/namespaces/{namespace}/{self.plural}"


METADATA = {
    "labels?": {"team": ("a", "b"), "app.kubernetes.io/name?": ("x", ""), "bad key?": "x"},
    "annotations?": {"note": ("1", "two\nlines"), "kubectl.kubernetes.io/last-applied-configuration?": ("{}", "")},
    "finalizers?": All("example.com/hold", Maybe("example.com/other")),
}
NAMED = {
    "labels?": {"team": ("a", "b"), "tier?": ("x", "y", "")},
    "annotations?": {"note": ("1", "2")},
}
ENV = [
    {"name": "A", "value?": ("1", "2", "")},
    {"name": "B", "valueFrom?": {"fieldRef": {"fieldPath": "metadata.name"}}},
    {"name": "C", "valueFrom?": {"configMapKeyRef": {"name": "c", "key": "k", "optional?": True}}},
]
PORTS = [
    {"containerPort": 80, "name?": ("web", "http")},
    {"containerPort": 80, "protocol": "UDP"},
    {
        "containerPort": 8443,
        "protocol?": "TCP",
    },  # not 443: sorted as a text it is before 80 (see docs/sandbox.md, scaling)
]
PROBE = {
    "httpGet": {"port": (80, "web"), "path?": "/health"},
    "periodSeconds?": (5, 10),
    "initialDelaySeconds?": (0, 3),
}
RESOURCES = {
    "limits?": {"cpu?": ("1", "1000m", 2), "memory?": ("128Mi", "0.5Gi")},
    "requests?": {"cpu?": ("100m", 0.5), "memory?": "64Mi"},
}
SECURITY = {"runAsUser?": (0, 1000), "runAsNonRoot?": (True, False), "readOnlyRootFilesystem?": True}
CONTAINERS = [
    {
        "name": "main",
        "image": ("i:1", "i:2", "i"),
        "env?": ENV,
        "ports?": PORTS,
        "args?": ["a", "b"],
        "resources?": RESOURCES,
        "readinessProbe?": PROBE,
        "volumeMounts?": [{"name": "v", "mountPath": "/v", "readOnly?": (True, False)}],
        "securityContext?": SECURITY,
        "imagePullPolicy?": ("Always", "IfNotPresent"),
    },
    {"name": "side", "image": ("s:1", "s@sha256:" + "0" * 64), "command?": ["x"], "env?": ENV[:1]},
]
VOLUMES = [
    {"name": "v", "emptyDir?": {}},
    {"name": "w", "configMap": {"name": "c", "items?": [{"key": "k", "path": "p"}]}},
    {"name": "s", "secret": {"secretName": "s", "defaultMode?": 256}},
]
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway")}
POD = {
    "containers": All(CONTAINERS[0], Maybe(CONTAINERS[1])),
    "initContainers?": [{"name": "init", "image": "i:1", "restartPolicy?": "Always"}],
    "volumes": All(VOLUMES[0], Maybe(VOLUMES[1]), Maybe(VOLUMES[2])),
    "serviceAccountName?": ("default", "robot"),
    "nodeSelector?": {"disk?": "ssd", "zone?": ("a", "b")},
    "tolerations?": [{"key": "k", "operator?": ("Exists", "Equal")}, {"operator": "Exists", "effect?": "NoSchedule"}],
    "imagePullSecrets?": [{"name": "a"}, {"name": "b"}],
    "terminationGracePeriodSeconds?": (0, 30),
    "securityContext?": {"fsGroup?": 1, "runAsUser?": 2},
    "hostNetwork?": (True, False),
    "affinity?": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution?": []}},
    "topologySpreadConstraints?": [{**SPREAD, "labelSelector?": {"matchLabels": {"app": "a"}}}],
}
TEMPLATE = {
    "metadata": {"labels": {"app": "a", "tier?": ("x", "y")}, "annotations?": {"sum?": ("1", "2")}},
    "spec": POD,
}
LEAST_TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SELECTOR = {"matchLabels": {"app": "a"}}
ONCE = {"spec": {**POD, "restartPolicy": ("Never", "OnFailure")}}
LEAST_ONCE = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
CONDITION = {"type": ("Available", "Progressing"), "status": ("True", "False"), "reason?": "r", "message?": "m"}

CONFIG_MAP = Kind(
    api_version="v1",
    kind="ConfigMap",
    plural="configmaps",
    tree={
        "data?": {"a?": ("1", "2", ""), "b?": ("1", "2"), "c?": ("x: y\n", 3)},
        "binaryData?": (Fixed({"z": "AA=="}), Fixed({"z": "?"})),
        "immutable?": (True, False, False),
    },
    least={},
)
SECRET = Kind(
    api_version="v1",
    kind="Secret",
    plural="secrets",
    tree={
        "data?": {"a?": ("MQ==", "Mg=="), "b?": "MQ=="},
        "stringData?": {"a?": ("1", "3"), "c?": "x"},
        "type?": ("Opaque", "example.com/own"),
    },
    least={},
)
SERVICE = Kind(
    api_version="v1",
    kind="Service",
    plural="services",
    tree={
        "spec": {
            "selector?": {"app?": ("a", "b"), "tier?": "x"},
            "ports": [
                {"name": "web", "port": (80, 81), "targetPort?": (80, "web"), "protocol?": "TCP"},
                {"name": "dns", "port": 53, "protocol": ("UDP", "TCP")},
                {"name": "tls", "port": (443, 0), "appProtocol?": "https"},
            ],
            "type?": ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
            "clusterIP?": ("None", ""),
            "sessionAffinity?": ("None", "ClientIP"),
            "externalTrafficPolicy?": ("Local", "Cluster"),
            "publishNotReadyAddresses?": True,
            "externalName?": "x.example.com",
        }
    },
    least={"spec": {"ports": [{"port": 80}]}},
    status={"loadBalancer?": {"ingress?": [{"ip": "192.0.2.1"}, {"hostname": "x.org"}]}},
    applies_status=False,
)
DEPLOYMENT = Kind(
    api_version="apps/v1",
    kind="Deployment",
    plural="deployments",
    tree={
        "spec": {
            "replicas?": (1, 3),
            "selector": ({"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "z"}}),
            "template": TEMPLATE,
            "strategy?": {"type?": ("RollingUpdate", "Recreate"), "rollingUpdate?": {"maxSurge?": (1, "25%", "50%")}},
            "revisionHistoryLimit?": (0, 5),
            "minReadySeconds?": (0, 5),
            "paused?": (True, False),
        }
    },
    least={"spec": {"selector": SELECTOR, "template": LEAST_TEMPLATE}},
    status={"replicas?": (0, 2), "observedGeneration?": (1, 2), "conditions?": [CONDITION]},
    scales=True,
)
STATEFUL_SET = Kind(
    api_version="apps/v1",
    kind="StatefulSet",
    plural="statefulsets",
    tree={
        "spec": {
            "replicas?": (1, 2),
            "serviceName?": ("a", "b"),
            "selector": {"matchLabels": {"app": "a"}},
            "template": TEMPLATE,
            "podManagementPolicy?": ("Parallel", "OrderedReady"),
            "updateStrategy?": {"type?": ("RollingUpdate", "OnDelete"), "rollingUpdate?": {"partition?": (0, 1)}},
            "volumeClaimTemplates?": [
                {
                    "metadata": {"name": "data", "labels?": {"a?": "b"}},
                    "spec": {
                        "accessModes": All("ReadWriteOnce"),
                        "resources": {"requests": {"storage": ("1Gi", "1024Mi")}},
                        "storageClassName?": "fast",
                    },
                }
            ],
        }
    },
    least={"spec": {"selector": SELECTOR, "template": LEAST_TEMPLATE}},
    status={"replicas?": (0, 2), "readyReplicas?": 1},
    scales=True,
)
DAEMON_SET = Kind(
    api_version="apps/v1",
    kind="DaemonSet",
    plural="daemonsets",
    tree={
        "spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "template": TEMPLATE,
            "updateStrategy?": {
                "type?": ("RollingUpdate", "OnDelete"),
                "rollingUpdate?": {"maxUnavailable?": (1, "10%")},
            },
            "minReadySeconds?": 3,
        }
    },
    least={"spec": {"selector": SELECTOR, "template": LEAST_TEMPLATE}},
    status={"numberReady?": (0, 1), "conditions?": [CONDITION]},
)
JOB = Kind(
    api_version="batch/v1",
    kind="Job",
    plural="jobs",
    tree={
        "spec": {
            "template": ONCE,
            "backoffLimit?": (0, 6),
            "completions?": (1, 2),
            "parallelism?": (0, 1),
            "suspend?": (True, False),
            "ttlSecondsAfterFinished?": (0, 60),
            "activeDeadlineSeconds?": 100,
        }
    },
    least={"spec": {"template": LEAST_ONCE}},
)
CRON_JOB = Kind(
    api_version="batch/v1",
    kind="CronJob",
    plural="cronjobs",
    tree={
        "spec": {
            "schedule": ("* * * * *", "0 3 * * 1"),
            "jobTemplate": {"metadata?": {"labels?": {"a?": "b"}}, "spec": {"template": ONCE, "backoffLimit?": 1}},
            "concurrencyPolicy?": ("Forbid", "Allow", "Other"),
            "suspend?": (True, False),
            "startingDeadlineSeconds?": 10,
            "timeZone?": "Etc/UTC",
        }
    },
    least={"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": LEAST_ONCE}}}},
)
INGRESS = Kind(
    api_version="networking.k8s.io/v1",
    kind="Ingress",
    plural="ingresses",
    tree={
        "spec": {
            "ingressClassName?": ("nginx", "other"),
            "defaultBackend?": {"service": {"name": "d", "port": ({"number": 80}, {"name": "web"})}},
            "rules?": All(
                {
                    "host?": ("a.example.com", "*.example.com"),
                    "http?": {
                        "paths": All(
                            {
                                "path?": ("/", "/x"),
                                "pathType": ("Prefix", "Exact"),
                                "backend": {"service": {"name": "s", "port": {"number": 80}}},
                            }
                        )
                    },
                }
            ),
            "tls?": All({"hosts": All("a.example.com"), "secretName?": "t"}),
        }
    },
    least={"spec": {"defaultBackend": {"service": {"name": "d", "port": {"number": 80}}}}},
    status={"loadBalancer?": {"ingress?": [{"ip": "192.0.2.1"}]}},
)
NETWORK_POLICY = Kind(
    api_version="networking.k8s.io/v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    tree={
        "spec": {
            "podSelector": ({}, {"matchLabels": {"a": "b"}}),
            "policyTypes?": All("Ingress", Maybe("Egress")),
            "ingress?": All(
                {
                    "from?": All({"podSelector": {}}, Maybe({"namespaceSelector": {}})),
                    "ports?": All({"port": 80, "protocol?": "TCP"}),
                }
            ),
            "egress?": All({"to?": All({"ipBlock": {"cidr": "10.1.0.0/16"}})}),
        }
    },
    least={"spec": {"podSelector": {}}},
)
ROLE = Kind(
    api_version="rbac.authorization.k8s.io/v1",
    kind="Role",
    plural="roles",
    tree={
        "rules?": [
            {"apiGroups": All(""), "resources": ["pods", "services"], "verbs": All("get", Maybe("list"))},
            {"apiGroups": All("apps"), "resources": All("deployments"), "verbs": All("*"), "resourceNames?": All("a")},
        ]
    },
    least={},
)
ROLE_BINDING = Kind(
    api_version="rbac.authorization.k8s.io/v1",
    kind="RoleBinding",
    plural="rolebindings",
    tree={
        "roleRef": {"kind": ("Role", "ClusterRole"), "name": ("r", "s"), "apiGroup?": "rbac.authorization.k8s.io"},
        "subjects?": [
            {"kind": "User", "name": ("jane", "joe"), "apiGroup?": "rbac.authorization.k8s.io"},
            {"kind": "ServiceAccount", "name": "robot", "namespace": "default"},
        ],
    },
    least={"roleRef": {"kind": "Role", "name": "r"}},
)
ACCOUNT = Kind(
    api_version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    tree={
        "imagePullSecrets?": [{"name": "a"}, {"name": "b"}],
        "secrets?": [{"name": "a"}],
        "automountServiceAccountToken?": (True, False),
    },
    least={},
)
CLAIM = Kind(
    api_version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    tree={
        "spec": {
            "accessModes": All("ReadWriteOnce", Maybe("ReadOnlyMany")),
            "resources": {"requests": {"storage": ("1Gi", "2Gi", "1024Mi")}},
            "storageClassName?": ("fast", "slow", ""),
            "volumeMode?": ("Filesystem", "Block"),
            "volumeName?": "pv",
            "selector?": {"matchLabels": {"a": "b"}},
        }
    },
    least={"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    status={"phase?": ("Bound", "Pending"), "capacity?": {"storage?": ("1Gi", "2Gi")}},
)
BUDGET = Kind(
    api_version="policy/v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    tree={
        "spec": {
            "minAvailable?": (1, "50%"),
            "selector": ({"matchLabels": {"a": "b"}}, {"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
            "unhealthyPodEvictionPolicy?": "AlwaysAllow",
        }
    },
    least={"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}},
)
AUTOSCALER = Kind(
    api_version="autoscaling/v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    tree={
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": ("a", "b")},
            "minReplicas?": (1, 2),
            "maxReplicas": (3, 5),
            "metrics?": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": ("cpu", "memory"),
                        "target": (
                            {"type": "Utilization", "averageUtilization": 50},
                            {"type": "AverageValue", "averageValue": "100M"},
                        ),
                    },
                }
            ],
            "behavior?": {"scaleDown?": {"stabilizationWindowSeconds?": (0, 60)}},
        }
    },
    least={"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "maxReplicas": 3}},
)
LIMITS = Kind(
    api_version="v1",
    kind="LimitRange",
    plural="limitranges",
    tree={"spec": {"limits": [{"type": "Container", "default?": {"cpu": ("500m", "1")}, "max?": {"cpu": "2"}}]}},
    least={"spec": {"limits": []}},
)
QUOTA = Kind(
    api_version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    tree={"spec": {"hard": {"pods?": ("10", 5), "requests.cpu?": ("1", "1000m"), "count/widgets.example.com?": "3"}}},
    least={"spec": {}},
    status={"hard?": {"pods?": "10"}, "used?": {"pods?": ("1", "2")}},
)
LEASE = Kind(
    api_version="coordination.k8s.io/v1",
    kind="Lease",
    plural="leases",
    tree={
        "spec": {
            "holderIdentity?": ("a", "b"),
            "leaseDurationSeconds?": (15, 30),
            "renewTime?": ("2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z"),
            "leaseTransitions?": (0, 1),
        }
    },
    least={"spec": {}},
)
SLICE = Kind(
    api_version="discovery.k8s.io/v1",
    kind="EndpointSlice",
    plural="endpointslices",
    tree={
        "addressType": "IPv4",
        "endpoints": [{"addresses": All("192.0.2.1"), "conditions?": {"ready?": (True, False)}}],
        "ports?": [{"name?": ("web", ""), "port?": (80, 81), "protocol?": "TCP"}],
    },
    least={"addressType": "IPv4", "endpoints": []},
)

BUILT_IN = (
    CONFIG_MAP, SECRET, SERVICE, DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB, INGRESS, NETWORK_POLICY, ROLE, ROLE_BINDING,
    ACCOUNT, CLAIM, BUDGET, AUTOSCALER, LIMITS, QUOTA, LEASE, SLICE,
)  # fmt: skip
