"""The options of `az k8s-configuration flux create` and where each goes in the resource. Tables and nothing else.

Written from the command's reference; `{block}` is the source's block in the resource.
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCKS = {"git": "gitRepository", "bucket": "bucket", "azblob": "azureBlob", "oci": "ociRepository"}
KINDS = {"git": "GitRepository", "bucket": "Bucket", "azblob": "AzureBlob", "oci": "OCIRepository"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `form`: how its value is read; `kinds`: the sources that it belongs to, empty for all."""

    path: str
    form: str = "text"
    kinds: tuple[str, ...] = ()


_ALL: tuple[tuple[str, Option], ...] = (
    ("--name -n", Option(path="name")),
    ("--scope -s", Option(path="scope")),
    ("--namespace --ns", Option(path="namespace")),
    ("--kind", Option(path="sourceKind", form="kind")),
    ("--url -u", Option(path="{block}.url")),
    ("--suspend", Option(path="suspend", form="flag")),
    ("--timeout", Option(path="{block}.timeoutInSeconds", form="seconds")),
    ("--interval --sync-interval", Option(path="{block}.syncIntervalInSeconds", form="seconds")),
    ("--branch", Option(path="{block}.repositoryRef.branch", kinds=("git",))),
    ("--tag", Option(path="{block}.repositoryRef.tag", kinds=("git", "oci"))),
    ("--semver", Option(path="{block}.repositoryRef.semver", kinds=("git", "oci"))),
    ("--commit", Option(path="{block}.repositoryRef.commit", kinds=("git",))),
    ("--digest", Option(path="{block}.repositoryRef.digest", kinds=("oci",))),
    ("--ssh-private-key", Option(path="protected.sshPrivateKey", kinds=("git",))),
    ("--ssh-private-key-file", Option(path="protected.sshPrivateKey", form="file", kinds=("git",))),
    ("--known-hosts", Option(path="{block}.sshKnownHosts", kinds=("git",))),
    ("--known-hosts-file", Option(path="{block}.sshKnownHosts", form="stripped-file", kinds=("git",))),
    ("--https-user", Option(path="{block}.httpsUser", kinds=("git",))),
    ("--https-key", Option(path="protected.httpsKey", form="encoded", kinds=("git",))),
    ("--https-ca-cert", Option(path="{block}.httpsCACert", kinds=("git",))),
    ("--https-ca-cert-file", Option(path="{block}.httpsCACert", form="stripped-file", kinds=("git",))),
    ("--local-auth-ref --local-ref", Option(path="{block}.localAuthRef")),
    ("--provider", Option(path="{block}.provider", kinds=("git",))),
    ("--bucket-name", Option(path="{block}.bucketName", kinds=("bucket",))),
    ("--bucket-access-key", Option(path="{block}.accessKey", kinds=("bucket",))),
    ("--bucket-secret-key", Option(path="protected.bucketSecretKey", form="encoded", kinds=("bucket",))),
    ("--bucket-insecure", Option(path="{block}.insecure", form="flag", kinds=("bucket",))),
    ("--container-name", Option(path="{block}.containerName", kinds=("azblob",))),
    ("--account-key", Option(path="{block}.accountKey", kinds=("azblob",))),
    ("--sas-token", Option(path="{block}.sasToken", kinds=("azblob",))),
    (
        "--mi-client-id --managed-identity-client-id",
        Option(path="{block}.managedIdentity.clientId", kinds=("azblob",)),
    ),
    (
        "--sp-client-id --service-principal-client-id",
        Option(path="{block}.servicePrincipal.clientId", kinds=("azblob",)),
    ),
    (
        "--sp-tenant-id --service-principal-tenant-id",
        Option(path="{block}.servicePrincipal.tenantId", kinds=("azblob",)),
    ),
    (
        "--sp-client-secret --service-principal-client-secret",
        Option(path="{block}.servicePrincipal.clientSecret", kinds=("azblob",)),
    ),
    (
        "--sp-client-cert --service-principal-client-certificate",
        Option(path="{block}.servicePrincipal.clientCertificate", kinds=("azblob",)),
    ),
    (
        "--sp-cert-password --service-principal-client-certificate-password",
        Option(path="{block}.servicePrincipal.clientCertificatePassword", kinds=("azblob",)),
    ),
    (
        "--sp-cert-send-chain --service-principal-client-certificate-send-chain",
        Option(path="{block}.servicePrincipal.clientCertificateSendChain", form="flag", kinds=("azblob",)),
    ),
    ("--oci-insecure", Option(path="{block}.insecure", form="flag", kinds=("oci",))),
    (
        "--oci-media-type --oci-layer-selector-media-type",
        Option(path="{block}.layerSelector.mediaType", kinds=("oci",)),
    ),
    (
        "--oci-operation --oci-layer-selector-operation",
        Option(path="{block}.layerSelector.operation", kinds=("oci",)),
    ),
    ("--service-account-name", Option(path="{block}.serviceAccountName", kinds=("oci",))),
    ("--use-workload-identity", Option(path="{block}.useWorkloadIdentity", form="flag", kinds=("oci",))),
    ("--tls-ca-certificate", Option(path="{block}.tlsConfig.caCertificate", kinds=("oci",))),
    ("--tls-client-certificate", Option(path="{block}.tlsConfig.clientCertificate", kinds=("oci",))),
    ("--tls-private-key", Option(path="{block}.tlsConfig.privateKey", kinds=("oci",))),
    ("--verification-provider", Option(path="{block}.verify.provider", kinds=("oci",))),
    ("--verification-config", Option(path="{block}.verify.verificationConfig", form="pairs", kinds=("oci",))),
    ("--match-oidc-identity", Option(path="{block}.verify.matchOidcIdentity", form="json", kinds=("oci",))),
    ("--kustomization -k", Option(path="kustomizations", form="kustomization")),
)
OPTIONS = {name: option for names, option in _ALL for name in names.split()}

_KUSTOMIZATION: tuple[tuple[str, Option], ...] = (
    ("--name -n", Option(path="name")),
    ("--kustomization-name -k", Option(path="key")),
    ("--path", Option(path="path")),
    ("--depends --dependencies --depends-on", Option(path="dependsOn", form="names")),
    ("--timeout", Option(path="timeoutInSeconds", form="seconds")),
    ("--interval --sync-interval", Option(path="syncIntervalInSeconds", form="seconds")),
    ("--retry-interval", Option(path="retryIntervalInSeconds", form="seconds")),
    ("--prune", Option(path="prune", form="flag")),
    ("--force", Option(path="force", form="flag")),
    ("--disable-health-check", Option(path="wait", form="inverted")),
)
KUSTOMIZATION_OPTIONS = {name: option for names, option in _KUSTOMIZATION for name in names.split()}

KEYS = {
    "name": Option(path="name"),
    "path": Option(path="path"),
    **{name: Option(path="dependsOn", form="names") for name in ("dependencies", "depends_on", "dependsOn", "depends")},
    **{
        name: Option(path="syncIntervalInSeconds", form="seconds")
        for name in ("interval", "sync_interval", "syncInterval")
    },
    **{name: Option(path="retryIntervalInSeconds", form="seconds") for name in ("retryInterval", "retry_interval")},
    "timeout": Option(path="timeoutInSeconds", form="seconds"),
    "prune": Option(path="prune", form="flag"),
    "force": Option(path="force", form="flag"),
    **{name: Option(path="wait", form="inverted") for name in ("disable-health-check", "disable_health_check")},
}
"""What may stand in one `--kustomization`."""

CLUSTER = frozenset({"--cluster-name", "-c"})
IGNORED = frozenset(
    {
        *CLUSTER, "--cluster-type", "-t", "--resource-group", "-g", "--no-wait", "--cluster-resource-provider", "--cluster-rp",
        "--acquire-policy-token", "--change-reference", "--subscription", "--output", "-o", "--query", "--verbose", "--debug",
        "--only-show-errors", "--yes", "-y", "--help", "-h",
    }
)  # fmt: skip
"""What says where and how, and nothing of the configuration."""
