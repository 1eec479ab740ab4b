"""The text of a manifest as a request carries it: JSON, which nearly all clients send, else one YAML document."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml


class YamlError(Exception):
    """The text is neither JSON nor YAML; the message says where it is wrong."""


def load_yaml(text: bytes) -> Any:
    """The document. Raises `YamlError`."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise YamlError(f"error converting YAML to JSON: yaml: {error}") from error
