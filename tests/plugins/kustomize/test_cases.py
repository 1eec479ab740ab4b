"""kustomize's own test cases, where they are at hand: GITOPSD_CASES, or `shared/cases` beside the checkout."""

import json
import os
from pathlib import Path

import pytest

from gitopsd.plugin import GitopsdError, Tree, yaml
from gitopsd.plugin.folder import LocalFolder
from gitopsd_plugins.kustomize import build
from gitopsd_plugins.kustomize.app import overlay
from gitopsd_plugins.kustomize.files.kustomization import Image
from gitopsd_plugins.kustomize.objects import decoding

CASES = Path(os.environ.get("GITOPSD_CASES") or Path(__file__).resolve().parents[4] / "shared" / "cases")


def cases():
    folders = sorted(f.parent for f in CASES.glob("kustomize/*/*/case.json"))
    return [pytest.param(folder, id=folder.name) for folder in folders]


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not at hand")
@pytest.mark.parametrize("folder", cases())
def test_case(folder):
    case = json.loads((folder / "case.json").read_text())
    restricted = case["options"].get("LoadRestrictions") != "LoadRestrictionsNone"
    found = bodies_or_error(folder / "input", case["dir"], restricted=restricted)
    if case.get("expected_error"):
        assert isinstance(found, str)
    else:
        expected = yaml.read_all((folder / "expected_cli.yaml").read_bytes(), dialect=yaml.KUSTOMIZE)
        assert found == [document.value for document in expected]


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not at hand")
def test_flux_merges_images_like_this():
    cases = json.loads((CASES / "flux" / "generator.json").read_text())["cases"]
    for case in cases:
        if case["name"].startswith("Test_Images/"):
            assert overlay.merged_images(images(case, "existing"), images(case, "flux")) == images(case, "expected"), (
                case
            )


def images(case, which):
    return tuple(decoding.decode(image, Image) for image in case[f"{which}_images"] or ())


def bodies_or_error(root, path, *, restricted):
    source = LocalFolder(root)
    try:
        built = build.build(Tree(source, source.root), path, restricted=restricted)
    except GitopsdError as error:
        return str(error)
    return [resource.body for resource in built.resources]
