"""Which registries are whose, and where Amazon's are asked."""

from __future__ import annotations

import pytest

from gitopsd.plugin.oci import clouds
from gitopsd.plugin.oci.clouds import PROVIDERS


@pytest.mark.parametrize(
    ("provider", "host", "serves"),
    [
        ("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", True),
        ("aws", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", True),
        ("aws", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", True),
        ("aws", "public.ecr.aws", True),
        ("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.org", False),
        ("aws", "public.ecr.aws.evil.org", False),
        ("azure", "team.azurecr.io", True),
        ("azure", "azurecr.io.evil.org", False),
        ("azure", "a.b.azurecr.io", False),
        ("gcp", "europe-west1-docker.pkg.dev", True),
        ("gcp", "eu.gcr.io", True),
        ("gcp", "gcr.io", True),
        ("gcp", "evil-gcr.io", False),
        ("gcp", "docker.pkg.dev.evil.org", False),
    ],
)
def test_each_cloud_knows_its_registries(provider, host, serves):
    assert PROVIDERS[provider].serves(host) is serves


@pytest.mark.parametrize(
    ("host", "region", "api"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "api.ecr.eu-west-1.amazonaws.com"),
        ("1.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", "ecr-fips.us-gov-west-1.amazonaws.com"),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "api.ecr.cn-north-1.amazonaws.com.cn"),
        ("public.ecr.aws", "us-east-1", "api.ecr-public.us-east-1.amazonaws.com"),
    ],
)
def test_amazon_is_asked_in_the_region_of_the_registry(host, region, api):
    assert clouds._api(host, region) == api
