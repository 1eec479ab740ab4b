"""`gitopsd demo`: the main job on the embedded sandbox cluster, from an empty folder, with nothing else installed.

It is a real run: a real Git repository, the daemon's own engine with its watches, and an edit that goes to the API server
as any other client's would.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import anyio
import click
from rich.text import Text

from gitopsd.cli import options, output, output_plan, own_engine
from gitopsd.cli.exits import Exit
from gitopsd.cli.progress import Progress
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.daemon import compose
from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.asked.control import Control
from gitopsd.runtime.asked.local_control import LocalControl
from gitopsd.runtime.engine import Engine

SAMPLE = "gitopsd.cli.sample"
SHOP = ObjectRef(kind="Kustomization", namespace="flux-system", name="shop")
PATIENCE = 30.0
"""Seconds until a step of the demo counts as failed."""


@click.command()
@click.option("--keep", is_flag=True, help="Leave the demo's folder, to look into it.")
def demo(*, keep: bool) -> None:
    """Show the main job on the embedded sandbox: apply, plan, update, prune, and drift put back. Nothing is installed.

    \b
    Examples:
      gitopsd demo
      gitopsd demo --keep
    """
    folder = Path(tempfile.mkdtemp(prefix="gitopsd-demo-"))
    try:
        options.run(lambda: _demo(folder))
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Story:
    """What the demo waits for: the outcomes of the app, as they come."""

    shown: Progress = field(default_factory=Progress)
    outcomes: list[Outcome] = field(default_factory=list)
    heard: anyio.Event = field(default_factory=anyio.Event)

    def hear(self, outcome: Outcome) -> None:
        """Take note of an outcome."""
        self.shown.note(outcome)
        self.outcomes.append(outcome)
        self.heard.set()

    async def wait(self, wanted: str, *, revision: str = "", seen: int = 0) -> Outcome:
        """The first READY outcome of the app that did something, at this commit where one is given, after `seen` others."""
        with anyio.move_on_after(PATIENCE), self.shown.moving():
            while True:
                for outcome in self.outcomes[seen:]:
                    if _is(outcome, revision):
                        return outcome
                seen = len(self.outcomes)
                self.heard = anyio.Event()
                await self.heard.wait()
        last = next((o.message for o in reversed(self.outcomes) if o.ref == SHOP), "nothing happened")
        raise Transient(f"the demo waited {PATIENCE:g} s for {wanted}; the last word was: {last}")


def _is(outcome: Outcome, revision: str) -> bool:
    ready = outcome.ref == SHOP and outcome.phase is Phase.READY and bool(outcome.changed)
    return ready and str(outcome.applied).endswith(revision)


async def _demo(folder: Path) -> Exit:
    repository = folder / "repository"
    first = _commit(repository, "first", "A web shop: base and production overlay")
    config = folder / "config.yaml"
    sample = (resources.files(SAMPLE) / "config.yaml").read_text("utf-8")
    config.write_text(sample.replace("file:///REPOSITORY", repository.as_uri()), "utf-8")
    loaded = choice.load(
        Chosen(paths=(config,), sandbox=True, environment={"XDG_STATE_HOME": str(folder)}, here=folder)
    )
    story = Story()

    async def tell(engine: Engine) -> None:
        await _tell(engine, story, repository, first)

    await compose.engaged(loaded, own_engine.mode(), tell, on_outcome=story.hear)
    _end(folder)
    return Exit.READY


async def _tell(engine: Engine, story: Story, repository: Path, first: str) -> None:
    control: Control = LocalControl(engine)
    await story.wait("the first apply", revision=first)
    output.clusters(await control.clusters())
    _say("1. The repository's first commit is applied and healthy:")
    output.tree(await control.tree())

    _say(
        "2. A second commit: more replicas, a new image, one object removed. Suspended for a moment, to see the plan first:"
    )
    await control.suspend("ks/shop", "demo", "to look at the plan", None)
    second = _commit(repository, "second", "Scale out, update the image, drop the banner")
    await control.reconcile("gitrepo/shop", second)
    output_plan.apps(await control.plan(["ks/shop"]))
    await control.resume("ks/shop")
    await story.wait("the update and the prune", revision=second)
    _say("   Resumed, updated, pruned:")
    output.tree(await control.tree(["ks/shop"]))

    _say("3. Somebody scales the Deployment by hand, behind gitopsd's back ...")
    began, seen = time.monotonic(), len(story.outcomes)
    await _edit_behind_our_back(engine)
    await story.wait("the repair", seen=seen)
    _say(f"   ... and {1000 * (time.monotonic() - began):.0f} ms later it is put back, and the shop is healthy again:")
    output.tree(await control.tree(["ks/shop"]))


async def _edit_behind_our_back(engine: Engine) -> None:
    """What `kubectl scale` does, sent to the API server by a client of its own."""
    access = (await engine.clusters.target(None)).access
    credentials = await access.headers() if access.headers else {}
    headers = {**credentials, "Content-Type": "application/merge-patch+json"}
    url = f"{access.server}/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=kubectl-edit"
    async with (
        engine.world.ctx.http.session(tls=access.tls, anywhere=True) as session,
        session.patch(url, data=b'{"spec":{"replicas":1}}', headers=headers) as response,
    ):
        response.raise_for_status()


def _commit(repository: Path, state: str, message: str) -> str:
    """Put the sample's files of this state into the repository; answers with the commit."""
    from dulwich import porcelain  # 0.2 s that no other verb needs

    if not repository.exists():
        repository.mkdir()
        porcelain.init(repository)
    for entry in repository.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry)
    _copy(resources.files(SAMPLE) / state, repository)
    porcelain.add(repository)
    author = b"gitopsd demo <demo@example.org>"
    return porcelain.commit(repository, message=message.encode(), author=author, committer=author).decode()


def _copy(source: Traversable, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy(entry, folder / entry.name)
        else:
            (folder / entry.name).write_bytes(entry.read_bytes())


def _say(text: str) -> None:
    output.console().print(Text(f"\n{text}", style="bold"))


def _end(folder: Path) -> None:
    _say("Try next:")
    for line in (
        "gitopsd --help                                        what else there is",
        "gitopsd build kustomization FOLDER                    render a folder, no cluster needed",
        "gitopsd reconcile --once -c config.yaml --sandbox     your own objects, on the sandbox",
    ):
        output.console().print(f"  {line}")
