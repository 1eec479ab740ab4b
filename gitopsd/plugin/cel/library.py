"""The CEL library (extra `gitopsd[cel]`), loaded when something asks for it: Flux's extensions, and values and errors of evaluations.

The library has bounds of its own (10,000 iterations, nesting of 32), but none of memory: what evaluates expressions from outside
does it in a process whose memory and time are limited (`job.py`; the sandbox has one of its own). CEL has no words for files,
processes or the network: an expression can only compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.cel.question import INVALID

MISSING = "a CEL expression needs the extra [cel]; install gitopsd[cel] (pip install 'gitopsd[cel]')"


def loaded() -> Any:
    """The library's module. Raises `Misconfigured` where the extra is not installed."""
    try:
        from cel_expr_python import cel
    except ImportError as error:
        raise Misconfigured(MISSING, reason=INVALID) from error
    return cel


def extensions() -> list[Any]:
    """What expressions know in Kubernetes and in Flux beyond the language itself: strings, optional types, sets."""
    cel = loaded()
    from cel_expr_python.ext import ext_optional, ext_strings

    return [ext_strings.ExtStrings(), ext_optional.ExtOptional(), _sets(cel)]


def encoders() -> Any:
    """The extension `base64`, which Flux adds."""
    loaded()
    from cel_expr_python.ext import ext_encoders

    return ext_encoders.ExtEncoders()


def bindings() -> Any:
    """The extension `cel.bind`."""
    loaded()
    from cel_expr_python.ext import ext_bindings

    return ext_bindings.ExtBindings()


def evaluated(expression: Any, variables: dict[str, Any]) -> tuple[Any, str]:
    """Value and error. The library tells most errors as values, limits by raising."""
    try:
        found = expression.eval(data=variables)
        if found.type().name() == "ERROR":
            return None, plain(str(found.plain_value()))
        return found.plain_value(), ""
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        return None, plain(str(error))


def plain(text: str) -> str:
    """The library's message in one line, without the code that it repeats at both ends."""
    first, _, rest = text.partition(": ")
    line = " ".join((rest if first.isupper() else text).split())
    return line.removesuffix(f"[{first}]").strip()[:500]


def _sets(cel: Any) -> Any:
    """The extension `sets`, which the library lacks."""

    def function(name: str, body: Any) -> Any:
        values = cel.Type.List(cel.Type.DYN)
        overload = cel.Overload(
            id=name.replace(".", "_"),
            return_type=cel.Type.BOOL,
            parameters=[values, values],
            is_member=False,
            impl=body,
        )
        return cel.FunctionDecl(name, [overload])

    return cel.CelExtension(
        "sets",
        [
            function("sets.contains", _contains),
            function("sets.equivalent", lambda a, b: _contains(a, b) and _contains(b, a)),
            function("sets.intersects", lambda a, b: any(item in a for item in b)),
        ],
    )


def _contains(all_of: Sequence[Any], these: Sequence[Any]) -> bool:
    return all(item in all_of for item in these)
