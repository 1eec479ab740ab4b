"""Log lines: for people on a terminal, as JSON under a service manager or on request, secrets masked in both.

A logger is made once by whoever starts the process and passed on; nothing here is global but `adopt_standard`, which brings
lines of libraries into the same stream. The object, its revision and cluster are bound as context variables, so that every
line of an attempt carries them, however deep it is written.
"""

from __future__ import annotations

import logging
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from gitopsd.model.masking import Secrets
from gitopsd.runtime.shown.lines import Lines


def make(
    stream: TextIO, *, json: bool, secrets: Secrets, level: int = logging.INFO, lines: Lines | None = None
) -> FilteringBoundLogger:
    """A logger that writes lines of `level` and above to `stream`; colours only where the stream is a terminal.

    `lines` keeps the latest ones in memory, masked as they are written.
    """

    def mask(logger: WrappedLogger, method: str, line: str) -> str:
        return secrets.masked(line)

    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *((lines.about,) if lines else ()),
        *(_for_machines() if json else _for_people(stream)),
        # The finished line is masked, so that nothing depends on where in it a value stands.
        cast("Processor", mask),
        *((cast("Processor", lines.keep),) if lines else ()),
    ]
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )
    return cast("FilteringBoundLogger", logger)


def adopt_standard(log: FilteringBoundLogger, level: int = logging.WARNING) -> None:
    """Send what libraries write through `logging`, from this level on, to `log`. Replaces the root logger's handlers."""
    root = logging.getLogger()
    root.handlers[:] = [_Adopting(log)]
    root.setLevel(level)


class _Adopting(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        exc_info = record.exc_info if record.exc_info and record.exc_info[0] else None
        self._log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=exc_info)


def _for_machines() -> list[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=True, default=str)]


def _for_people(stream: TextIO) -> list[Processor]:
    return [_short_time, structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_plain)]


def _short_time(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Seconds are enough for people."""
    event["timestamp"] = f"{event['timestamp'][:19]}Z"
    return event


_plain = structlog.dev.plain_traceback
