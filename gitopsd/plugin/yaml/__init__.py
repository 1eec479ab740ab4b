"""YAML as Kubernetes reads and writes it; everything in gitopsd that touches YAML goes through here."""

from gitopsd.plugin.yaml.dialect import KUBERNETES, KUSTOMIZE, Dialect
from gitopsd.plugin.yaml.errors import YamlError
from gitopsd.plugin.yaml.limits import Limits
from gitopsd.plugin.yaml.position import locate, spelling
from gitopsd.plugin.yaml.reader import Document, read, read_all, read_first
from gitopsd.plugin.yaml.writer import print_all, write, write_all

__all__ = [
    "KUBERNETES",
    "KUSTOMIZE",
    "Dialect",
    "Document",
    "Limits",
    "YamlError",
    "locate",
    "print_all",
    "read",
    "read_all",
    "read_first",
    "spelling",
    "write",
    "write_all",
]
