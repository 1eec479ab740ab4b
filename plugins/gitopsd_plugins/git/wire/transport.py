"""dulwich's clients, opened with our own trust: in a worker process only, since they block.

Nothing is taken from the user's own Git configuration, from the environment, or from credential helpers. Errors of
dulwich, urllib3, paramiko and the sockets become the one error tree here.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

import urllib3
from dulwich.client import GitClient, Urllib3HttpGitClient
from dulwich.config import StackedConfig
from dulwich.errors import ApplyDeltaError, ChecksumMismatch, GitProtocolError, HangupException, NotGitRepository
from dulwich.objects import ObjectID, RawObjectID

from gitopsd.plugin import GitopsdError, Http, Rejected, follow, hosts, http
from gitopsd.plugin.sources import network
from gitopsd_plugins.git import reference
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.order import Malformed, Refused, Remote
from gitopsd_plugins.git.packs import packs
from gitopsd_plugins.git.packs.objects import GitObjects
from gitopsd_plugins.git.packs.packed import MalformedPack
from gitopsd_plugins.git.packs.packs import Passing
from gitopsd_plugins.git.reference import FAILED, PEELED, Advertised
from gitopsd_plugins.git.wire import connections, lsrefs, pktline


class Connection:
    """One repository's server, over one transport."""

    def __init__(self, client: GitClient, path: str, remote: Remote) -> None:
        self._client = client
        self._path = path
        self._remote = remote

    def refs(self, prefixes: Sequence[str]) -> Mapping[str, Advertised]:
        """The refs of these prefixes. Raises `Transient` or `Rejected` naming the address."""
        with translated(self._remote), closing(self._client):
            found = self._client.get_refs(self._path.encode(), ref_prefix=[prefix.encode() for prefix in prefixes])
            return _advertised(found.refs)

    def fetch(
        self,
        target: GitObjects,
        wants: Sequence[str],
        *,
        haves: Sequence[str],
        depth: int | None,
        ref: str,
        limit: int,
        passing: Passing | None = None,
    ) -> None:
        """Bring commits into `target`, whose commits `haves` the server need not send again.

        Raises `Refused` where the server does not give it in this way, `Rejected` for a download over `limit` bytes.
        """
        with translated(self._remote), closing(self._client):
            repo = target.repo
            folder = Path(repo.object_store.pack_dir)
            with NamedTemporaryFile(dir=folder, prefix="tmp_pack_", delete=False) as file:
                pack = Path(file.name)
                try:
                    result = self._client.fetch_pack(
                        self._path.encode(),
                        lambda refs, depth=None: [ObjectID(want.encode()) for want in wants],
                        repo.get_graph_walker([ObjectID(have.encode()) for have in haves]),
                        _bounded(file, limit, self._remote.address),
                        depth=depth,
                        ref_prefix=[ref.encode()] if ref else [b"refs/heads/"],
                    )
                    file.flush()
                    if pack.stat().st_size:  # nothing came where nothing is missing
                        lookup = repo.object_store.get_raw
                        target.take(packs.keep(pack, lambda name: lookup(RawObjectID(name)), passing))
                finally:
                    pack.unlink(missing_ok=True)
        repo.update_shallow(result.new_shallow, result.new_unshallow)


def _bounded(file: IO[bytes], limit: int, place: Address) -> Callable[[bytes], int]:
    received = 0

    def write(data: bytes) -> int:
        nonlocal received
        received += len(data)
        if received > limit:
            raise Rejected(
                f"{place} sent more than {limit >> 20} MiB for one commit; keep large files in a bucket or a registry",
                reason=FAILED,
            )
        return file.write(data)

    return write


def connect(remote: Remote) -> Connection:
    """A client for an http or ssh address. Nothing is sent yet."""
    place = remote.address
    if place.scheme == "ssh":
        from gitopsd_plugins.git.wire import ssh  # paramiko: 0.3 s that http never needs

        return Connection(ssh.client(remote), place.path, remote)
    pool = OriginPool(remote)
    client = Urllib3HttpGitClient(place.url, pool_manager=pool, config=StackedConfig([]))  # type: ignore[arg-type]  # the two members it uses
    return Connection(client, urlsplit(place.url).path, remote)


class OriginPool:
    """What dulwich needs of a urllib3 pool, with credentials bound to the origin and redirects of the first GET only."""

    def __init__(self, remote: Remote) -> None:
        opened = remote.access
        trust = Http(ca_file=remote.ca_file).trust(opened.tls)
        self._pool = connections.pool(remote, ssl_context=trust, timeout=remote.timeout, retries=False)
        self._remote = remote
        self.headers = {"User-Agent": f"git/{remote.user_agent}"}

    def request(self, method: str, url: str, headers: dict[str, str] | None = None, **options: Any) -> Any:
        """Send one request; the answer's `geturl()` is where it came from in the end."""
        if body := options.get("body"):
            options["body"] = pktline.asking_for_offsets(body)
        for _ in range(follow.MAX_REDIRECTS + 1):
            self._remote.egress.check_url(url)
            response = self._pool.request(
                method, url, headers=self._with_access(url, headers), redirect=False, **options
            )
            location = response.headers.get("Location")
            if method != "GET" or response.status not in follow.REDIRECTS or not location:
                _check(response, self._remote)
                return _Answer(response, url)
            response.drain_conn()
            url = follow.target(url, location, reason=FAILED)
        raise lsrefs.too_many_redirects(self._remote.address)

    def _with_access(self, url: str, headers: dict[str, str] | None) -> dict[str, str]:
        found = {key: value for key, value in (headers or {}).items() if key.lower() not in _OURS}
        if self._remote.access.authorization and http.same_origin(url, self._remote.address.url):
            found["Authorization"] = self._remote.access.authorization
        return found


_OURS = frozenset({"authorization", "content-length"})
"""Headers that are made here."""


class _Answer:
    """A urllib3 response that knows the address which it really came from."""

    def __init__(self, response: Any, url: str) -> None:
        self._response = response
        self._url = url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    def geturl(self) -> str:
        return self._url


def _check(response: Any, remote: Remote) -> None:
    if response.status != 200:
        wait = hosts.pause(response.headers, datetime.now(UTC))
        raise lsrefs.refused(response.status, remote.address, bool(remote.access.authorization), wait)


def _advertised(found: Mapping[Any, Any]) -> dict[str, Advertised]:
    names = {ref.decode("utf-8", "replace"): oid.decode("ascii") for ref, oid in found.items() if oid is not None}
    for name in names:
        if not reference.is_ref(name.removesuffix(PEELED)):
            raise pktline.WireError(f"a ref with a name that Git does not allow ({pktline.words(name)[:60]!r})")
    return {
        name: Advertised(oid=oid, peeled=names.get(name + PEELED, ""))
        for name, oid in names.items()
        if not name.endswith(PEELED)
    }


@contextmanager
def translated(remote: Remote) -> Iterator[None]:
    """Turn errors of dulwich, urllib3, paramiko's channels and sockets into the error tree."""
    place = remote.address
    try:
        yield
    except GitopsdError:
        raise
    except NotGitRepository as error:
        raise Rejected(f"no repository at {place}; check spec.url", reason=FAILED) from error
    except HangupException as error:
        said = b" ".join(error.stderr_lines or ()).decode("utf-8", "replace").strip()
        raise _refused(place, said or "it closed the connection") from error
    except GitProtocolError as error:
        if isinstance(error.__cause__, urllib3.exceptions.HTTPError):
            raise _network(remote, error.__cause__) from error
        raise _refused(place, str(error)) from error
    except (OSError, EOFError, urllib3.exceptions.HTTPError) as error:
        raise _network(remote, error) from error
    except (MalformedPack, pktline.WireError) as error:
        raise Malformed(f"{place} sent {error}", reason=FAILED) from error
    except (AssertionError, ValueError, KeyError, IndexError, zlib.error, ChecksumMismatch, ApplyDeltaError) as error:
        # dulwich's parsers end so on malformed input.
        raise Malformed(f"{place} sent what Git does not allow ({type(error).__name__})", reason=FAILED) from error


def _refused(place: Address, said: str) -> GitopsdError:
    """What the server says in words is shown, shortened and on one line."""
    words = pktline.words(said.rpartition("ERR ")[2]).strip("'\"")
    if "not found" in words.lower() or "does not appear to be a git repository" in words:
        return Rejected(f"no repository at {place} ({words}); check spec.url", reason=FAILED)
    return Refused(f"{place} refused: {words}", reason=FAILED)


def _network(remote: Remote, error: BaseException) -> GitopsdError:
    """The words are those of polls, which the other library makes."""
    place = str(remote.address)
    if isinstance(error, (ssl.SSLError, urllib3.exceptions.SSLError)):
        return network.untrusted(place, str(error), reason=FAILED, trust=lsrefs.TRUST)
    refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # in the library that is a time-out, too
    if isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)) and not refused:
        return network.silent(place, remote.timeout, reason=FAILED, slow=lsrefs.SLOW)
    return network.unreachable(place, error, reason=FAILED)
