"""The networks that ``bias-audit fetch`` brought, for tests that skip without them."""

from collections.abc import Iterable

import pytest

from audit.config import model_folder
from audit.detectors.photo import Networks
from audit.errors import BiasAuditError
from audit.store.model_files import ModelFile, require


def fetched_networks(models: Iterable[ModelFile]) -> Networks:
    """Networks in the cache folder; the test is skipped where one of the files is missing or damaged."""
    try:
        for model in models:
            require(model_folder(), model.name)
    except BiasAuditError as error:
        pytest.skip(str(error))
    return Networks(model_folder())
