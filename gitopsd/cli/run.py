"""`gitopsd run`: the daemon."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace

import click

from gitopsd.cli import options
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen, Loaded
from gitopsd.daemon import serve
from gitopsd.daemon.compose import Mode
from gitopsd.model.masking import Secrets
from gitopsd.runtime import log
from gitopsd.runtime.service_manager import ServiceManager, watchdog_seconds
from gitopsd.runtime.shown.lines import Lines


@click.command()
@click.option("--read-only", is_flag=True, help="Send no write to any cluster: `gitopsd get` says what would change.")
@options.cluster
def run(chosen: Chosen, *, read_only: bool) -> None:
    """Run the daemon until it is told to stop: systemd, a container, or a terminal.

    SIGHUP, or a settled change of the files, reloads; SIGTERM stops. With --read-only it is a shadow: beside a live engine it
    plans all the time and writes nothing.

    \b
    Examples:
      gitopsd run -c /etc/gitopsd
      gitopsd run -c config.yaml --sandbox
      gitopsd run -c /etc/gitopsd --read-only
    """
    options.run(lambda: _run(replace(chosen, read_only=read_only)))


async def _run(chosen: Chosen) -> Exit:
    loaded = choice.load(chosen)
    secrets = Secrets()
    level = logging.getLevelName(loaded.settings.log.level.upper())
    lines = Lines()
    logger = log.make(sys.stderr, json=_machine_reads(loaded), secrets=secrets, level=level, lines=lines)
    log.adopt_standard(logger)
    for problem in loaded.declared.warnings:
        logger.warning("configuration", problem=str(problem))
    manager = ServiceManager(os.environ.get("NOTIFY_SOCKET", ""), logger)
    mode = Mode(resume=True, log=logger, secrets=secrets, lines=lines)
    await serve.run(loaded, mode, manager, watchdog_seconds(os.environ, os.getpid()))
    return Exit.READY


def _machine_reads(loaded: Loaded) -> bool:
    wanted = loaded.settings.log.format
    return wanted == "json" or (wanted == "auto" and ("JOURNAL_STREAM" in os.environ or not sys.stderr.isatty()))
