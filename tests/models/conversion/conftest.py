"""One small creative data set, and one artifact trained on it."""

import pytest

from models.creative.conversion.training import train
from tests.tiny_creative import small_options, write_creative_data


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return write_creative_data(tmp_path_factory.mktemp("creative"))


@pytest.fixture(scope="session")
def artifact(data, tmp_path_factory):
    return train(small_options(data, tmp_path_factory.mktemp("artifact") / "model", catalogue=50))
