"""The source of a configuration: `GitRepository`, `Bucket` or `OCIRepository`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitopsd.plugin.imports import Imported, Note
from gitopsd_plugins.aks.credentials import Secrets
from gitopsd_plugins.aks.schema import BLOCKS
from gitopsd_plugins.aks.sheet import DEFAULT, Sheet, Subject, duration

API = "source.toolkit.fluxcd.io/v1"
KINDS = {"GitRepository": "GitRepository", "Bucket": "Bucket", "AzureBlob": "Bucket", "OCIRepository": "OCIRepository"}
_SCP = re.compile(r"(?P<user>[^@/\s]+)@(?P<host>[^:/\s]+):(?P<path>.+)")
TEN_MINUTES = 600


class Source:
    """Maps the block that `sourceKind` names, with what signs in."""

    def __init__(self, subject: Subject, properties: Mapping[str, Any], secrets: Secrets) -> None:
        self.kind = properties["sourceKind"]
        self.block_name = BLOCKS[self.kind]
        self.block: Mapping[str, Any] = properties.get(self.block_name) or {}
        self.properties, self.secrets, self.subject = properties, secrets, subject
        self.notes: list[Note] = []
        self.sheet = Sheet(subject, API, KINDS[self.kind], subject.name)

    def mapped(self) -> Imported:
        """The object; what deserves to be known is in `notes` afterwards."""
        for field, name in (("interval", "syncIntervalInSeconds"), ("timeout", "timeoutInSeconds")):
            given = self.block.get(name)
            origin = self._origin(name) if given is not None else DEFAULT
            self.sheet.set(field, duration(TEN_MINUTES if given is None else given), origin)
        match self.kind:
            case "GitRepository":
                self._git()
            case "Bucket":
                self._bucket()
            case "AzureBlob":
                self._blob()
            case _:
                self._oci()
        self._secret()
        if self.properties.get("suspend"):
            self.sheet.set("suspend", True, self.subject.origin("suspend"))
        self._additional()
        return self.sheet.done()

    def _origin(self, *path: str) -> str:
        return self.subject.origin(self.block_name, *path)

    def _copied(self, names: Mapping[str, str]) -> None:
        """Properties that are fields under another name."""
        for name, field in names.items():
            value: Any = self.block
            for step in name.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
            self.sheet.set(field, value, self._origin(*name.split(".")))

    def _git(self) -> None:
        url = self.block["url"]
        plain = normal_url(url)
        self.sheet.set("url", plain, self._origin("url") + ("" if plain == url else f": {url}"))
        self._copied({f"repositoryRef.{name}": f"ref.{name}" for name in ("branch", "tag", "semver", "commit")})
        if "ref" not in self.sheet.body["spec"]:
            self._note("no branch, tag, semver or commit is named; Flux takes the branch master")
        provider = self.block.get("provider")
        if provider:
            self.sheet.set("provider", provider.lower(), self._origin("provider"))
        self._copied({"sparseCheckout": "sparseCheckout"})
        self._identity(self.block.get("objectLevelIdentity"))

    def _bucket(self) -> None:
        scheme, _, endpoint = self.block["url"].partition("://")
        self.sheet.set("provider", "generic", "sourceKind")
        self.sheet.set("endpoint", endpoint, self._origin("url"))
        self._copied({"bucketName": "bucketName"})
        given = self.block.get("insecure")
        if given is None:
            self.sheet.set("insecure", scheme == "http", "absent: as the url's scheme says")
            if scheme == "https":
                self._note(
                    "bucket.insecure is absent, for which the service takes http; the url says https, which is kept"
                )
        else:
            self.sheet.set("insecure", given, self._origin("insecure"))

    def _blob(self) -> None:
        self.sheet.set("provider", "azure", "sourceKind")
        self._copied({"url": "endpoint", "containerName": "bucketName"})
        if not (self.secrets.auth or self.block.get("localAuthRef")):
            self._note("azureBlob names no way to sign in; the identity of the place where gitopsd runs is used")

    def _oci(self) -> None:
        self._copied({"url": "url"})
        self._copied({f"repositoryRef.{name}": f"ref.{name}" for name in ("tag", "semver", "digest")})
        if "ref" not in self.sheet.body["spec"]:
            self.sheet.set("ref.tag", "latest", DEFAULT)
        self._copied(
            {
                "layerSelector.mediaType": "layerSelector.mediaType",
                "layerSelector.operation": "layerSelector.operation",
                "insecure": "insecure",
                "serviceAccountName": "serviceAccountName",
            }
        )
        if self.block.get("useWorkloadIdentity"):
            self.sheet.set("provider", "azure", self._origin("useWorkloadIdentity"))
        verify: Mapping[str, Any] = self.block.get("verify") or {}
        self.sheet.set("verify.provider", verify.get("provider"), self._origin("verify", "provider"))
        self.sheet.set("verify.matchOIDCIdentity", verify.get("matchOidcIdentity"), self._origin("verify"))
        if self.secrets.verification:
            self.sheet.set("verify.secretRef.name", f"{self.subject.name}-verify", self._origin("verify"))
        if self.secrets.certificate:
            self.sheet.set("certSecretRef.name", f"{self.subject.name}-tls", self._origin("tlsConfig"))

    def _secret(self) -> None:
        """`localAuthRef` goes first; then what came inline; then a lone Secret of other protected settings."""
        reference, name = self.block.get("localAuthRef"), self.subject.name
        if reference:
            self.sheet.set("secretRef.name", reference, self._origin("localAuthRef"))
            if self.secrets.auth:
                self._note("localAuthRef and inline credentials are both given; localAuthRef is used")
        elif self.secrets.auth:
            self.sheet.set("secretRef.name", f"{name}-auth", "made of the credentials")
        elif {"username", "password"} <= self.secrets.other.keys():
            self.sheet.set("secretRef.name", f"{name}-protected-parameters", "protected username and password")
            self._note(
                "username and password stand among the protected settings without localAuthRef; they are used to sign in"
            )
        elif self.wants_key:
            self.sheet.set("secretRef.name", f"{name}-auth", "an ssh url signs in by a key")

    @property
    def wants_key(self) -> bool:
        """True for a repository over ssh."""
        return self.kind == "GitRepository" and str(self.sheet.body["spec"]["url"]).startswith("ssh://")

    def _identity(self, identity: Mapping[str, Any] | None) -> None:
        if identity:
            account = identity.get("serviceAccountName")
            self.sheet.set("serviceAccountName", account, self._origin("objectLevelIdentity", "serviceAccountName"))
            self._note(
                "objectLevelIdentity: the account needs the annotations azure.workload.identity/client-id and tenant-id",
                lost=not account,
            )

    def _additional(self) -> None:
        more = self.block.get("additionalConfigurations")
        if more:
            for path in self.sheet.merge(more, self._origin("additionalConfigurations")):
                self._note(f"additionalConfigurations replaces {path}")

    def _note(self, text: str, *, lost: bool = False) -> None:
        self.notes.append(Note(text=f"{self.subject.place}: {text}", lost=lost))


def normal_url(url: str) -> str:
    """`git@host:path` as the ssh:// url that Flux wants; every other url as it is."""
    found = None if "://" in url else _SCP.fullmatch(url)
    return f"ssh://{found['user']}@{found['host']}/{found['path'].lstrip('/')}" if found else url
