"""The properties of the resource, in one tree: the union of all API versions, old spellings included. A table and nothing else.

A leaf says how a value is read; `Table` is a mapping whose keys are the user's own; `DROPPED` is what the service itself
writes and a configuration does not need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TEXT, FLAG, SECONDS, CODED, NAMES, LIST, ANY, DROPPED = (
    "text",
    "flag",
    "seconds",
    "coded",
    "names",
    "list",
    "any",
    "dropped",
)


@dataclass(frozen=True, slots=True)
class Table:
    """Keys are the user's; `of` is the shape of every value."""

    of: Any


_IDENTITY = {"clientId": TEXT, "tenantId": TEXT, "serviceAccountName": TEXT}
_TIMES = {"timeoutInSeconds": SECONDS, "syncIntervalInSeconds": SECONDS}

GIT = {
    "url": TEXT,
    **_TIMES,
    "repositoryRef": {"branch": TEXT, "tag": TEXT, "semver": TEXT, "commit": TEXT},
    "sshKnownHosts": CODED,
    "httpsUser": TEXT,
    "httpsCACert": CODED,
    "httpsCAFile": CODED,
    "localAuthRef": TEXT,
    "provider": TEXT,
    "objectLevelIdentity": _IDENTITY,
    "sparseCheckout": LIST,
    "additionalConfigurations": ANY,
}
BUCKET = {
    "url": TEXT,
    **_TIMES,
    "bucketName": TEXT,
    "insecure": FLAG,
    "accessKey": TEXT,
    "localAuthRef": TEXT,
}
BLOB = {
    "url": TEXT,
    **_TIMES,
    "containerName": TEXT,
    "localAuthRef": TEXT,
    "servicePrincipal": {
        "tenantId": TEXT,
        "clientId": TEXT,
        "clientSecret": TEXT,
        "clientCertificate": CODED,
        "clientCertificatePassword": TEXT,
        "clientCertificateSendChain": FLAG,
    },
    "accountKey": TEXT,
    "sasToken": TEXT,
    "managedIdentity": {"clientId": TEXT},
}
OCI = {
    "url": TEXT,
    **_TIMES,
    "repositoryRef": {"tag": TEXT, "semver": TEXT, "digest": TEXT},
    "layerSelector": {"mediaType": TEXT, "operation": TEXT},
    "verify": {"provider": TEXT, "matchOidcIdentity": LIST, "verificationConfig": Table(TEXT)},
    "insecure": FLAG,
    "useWorkloadIdentity": FLAG,
    "serviceAccountName": TEXT,
    "tlsConfig": {"clientCertificate": CODED, "privateKey": CODED, "caCertificate": CODED},
    "localAuthRef": TEXT,
}
KUSTOMIZATION = {
    "name": DROPPED,
    "path": TEXT,
    "dependsOn": NAMES,
    **_TIMES,
    "retryIntervalInSeconds": SECONDS,
    "prune": FLAG,
    "force": FLAG,
    "wait": FLAG,
    "validation": DROPPED,
    "postBuild": {"substitute": Table(TEXT), "substituteFrom": LIST},
    "kubeConfig": {"clusterResourceId": TEXT, "objectLevelIdentity": _IDENTITY},
    "additionalConfigurations": ANY,
}
PROPERTIES = {
    "scope": TEXT,
    "namespace": TEXT,
    "sourceKind": TEXT,
    "suspend": FLAG,
    "gitRepository": GIT,
    "bucket": BUCKET,
    "azureBlob": BLOB,
    "ociRepository": OCI,
    "kustomizations": Table(KUSTOMIZATION),
    "configurationProtectedSettings": Table(TEXT),
    "waitForReconciliation": FLAG,
    "reconciliationWaitDuration": TEXT,
    "provisioningState": DROPPED,
    "complianceState": DROPPED,
    "errorMessage": DROPPED,
    "repositoryPublicKey": DROPPED,
    "sourceSyncedCommitId": DROPPED,
    "sourceUpdatedAt": DROPPED,
    "statusUpdatedAt": DROPPED,
    "lastSourceUpdatedAt": DROPPED,
    "lastSourceUpdatedBy": DROPPED,
    "statuses": DROPPED,
}
BLOCKS = {
    "GitRepository": "gitRepository",
    "Bucket": "bucket",
    "AzureBlob": "azureBlob",
    "OCIRepository": "ociRepository",
}
"""Which block `sourceKind` names."""
PROTECTED = frozenset({"sshPrivateKey", "httpsKey", "bucketSecretKey"})
"""Protected settings that the service knows."""
