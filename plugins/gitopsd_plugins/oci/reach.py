"""How the verbs reach a registry: options for logins and certificates, with the environment's words as their defaults."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from gitopsd.plugin import Http, Proxies, UsageError
from gitopsd.plugin.hosts import Hosts
from gitopsd.plugin.oci import Credential, Reference, Way, credentials, reference
from gitopsd.plugin.oci.credentials import CredentialError

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--creds", default="", metavar="USER[:PASSWORD]", help="Login, instead of Docker's configuration."),
    click.option(
        "--docker-config",
        envvar="DOCKER_CONFIG",
        type=click.Path(path_type=Path),
        default=Path("~/.docker"),
        show_default=True,
        help="Folder of Docker's config.json, where `docker login` keeps logins ($DOCKER_CONFIG).",
    ),
    click.option("--ca-file", envvar="SSL_CERT_FILE", default="", help="CA certificates to trust ($SSL_CERT_FILE)."),
    click.option("--insecure-registry", is_flag=True, help="Allow plain HTTP, and certificates that are not checked."),
    click.option("--https-proxy", envvar=["https_proxy", "HTTPS_PROXY"], default="", hidden=True),
    click.option("--http-proxy", envvar="http_proxy", default="", hidden=True),
    click.option("--no-proxy", envvar=["no_proxy", "NO_PROXY"], default="", hidden=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a client of a registry needs of the world."""

    http: Http
    hosts: Hosts = field(default_factory=Hosts)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where a login comes from: the command line, else Docker's configuration."""

    creds: str
    folder: Path
    insecure: bool

    def way(self, place: Reference) -> Way:
        """The way to this artifact. Raises `UsageError` for a configuration that cannot be used."""
        if self.creds:
            name, _, password = self.creds.partition(":")
            found: Credential | None = Credential(username=name, password=password)
        else:
            found = _from_docker(self.folder.expanduser() / "config.json", place)
        return Way(credential=found, insecure=self.insecure, login_at="--creds", trust_at="--ca-file")


def options(command: F) -> F:
    """Adds the options; the command gets `reach` and `login` in their place."""

    @functools.wraps(command)
    def reaching(
        *arguments: Any,
        creds: str,
        docker_config: Path,
        ca_file: str,
        insecure_registry: bool,
        https_proxy: str,
        http_proxy: str,
        no_proxy: str,
        **rest: Any,
    ) -> Any:
        exempt = tuple(part.strip() for part in no_proxy.split(",") if part.strip())
        http = Http(proxies=Proxies(http=http_proxy, https=https_proxy, no_proxy=exempt), ca_file=ca_file)
        login = Login(creds=creds, folder=docker_config, insecure=insecure_registry)
        return command(*arguments, reach=Reach(http=http), login=login, **rest)

    for option in reversed(_OPTIONS):
        reaching = option(reaching)
    return reaching  # type: ignore[return-value]  # click passes the options that `reaching` takes over


def artifact(text: str) -> Reference:
    """The artifact that somebody named. Raises `UsageError`."""
    try:
        return reference.read(text)
    except reference.ReferenceFormatError as error:
        raise UsageError(str(error)) from error


def _from_docker(file: Path, place: Reference) -> Credential | None:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}; name another folder with --docker-config"
        ) from error
    try:
        found = credentials.choose(credentials.read(data), place.repository)
    except CredentialError as error:
        raise UsageError(f"{file}: {error}") from error
    if found is not None and found != Credential():
        return found
    if helper := _helper(data, place.repository.host):
        raise UsageError(
            f"{file} leaves the login for {place.repository.host} to the program docker-credential-{helper}, which gitopsd "
            "does not run; use --creds"
        )
    return None


def _helper(data: bytes, host: str) -> str:
    """The program that keeps the login for a host; '' for none."""
    found = msgspec.json.decode(data, type=dict[str, Any])
    helpers = found.get("credHelpers") or {}
    auths = found.get("auths") or {}
    return str(helpers.get(host) or (found.get("credsStore") if host in auths else "") or "")
