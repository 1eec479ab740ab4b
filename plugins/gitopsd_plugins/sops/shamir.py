"""Shamir's way to share a secret, in the field that AES uses: enough shares make the secret, fewer say nothing about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

_POLYNOMIAL = 0x1B


def combined(shares: Sequence[bytes]) -> bytes:
    """The secret of which these are shares: a value per byte, and where it was taken in the last one.

    Too few shares give a wrong secret and no error. Raises ValueError for shares that do not belong together.
    """
    places = [share[-1] for share in shares if share]
    if len({len(share) for share in shares}) != 1 or len(set(places)) != len(shares) or len(shares[0]) < 2:
        raise ValueError("the shares do not belong together")
    weights = [_weight(places, place) for place in places]
    return bytes(
        reduce(_plus, (_times(share[at], weight) for share, weight in zip(shares, weights, strict=True)))
        for at in range(len(shares[0]) - 1)
    )


def _weight(places: Sequence[int], place: int) -> int:
    """What the share at `place` counts for at 0 (Lagrange)."""
    others = [other for other in places if other != place]
    return reduce(_times, (_times(other, _inverse(other ^ place)) for other in others), 1)


def _plus(one: int, other: int) -> int:
    return one ^ other


def _times(one: int, other: int) -> int:
    product = 0
    while other:
        if other & 1:
            product ^= one
        one = (one << 1) ^ (_POLYNOMIAL if one & 0x80 else 0)
        one &= 0xFF
        other >>= 1
    return product


def _inverse(value: int) -> int:
    """To the power of 254, since the field's group has 255 elements."""
    return reduce(_times, [value] * 254, 1)
