"""The executor `dask` keeps the contract of executors: on nodes as Dask starts them, and as we advise to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchd.executor import Executor
from batchd.plugin.catalogue import Catalogue
from batchd.testing.conformance import ExecutorConformance

from .cluster import Cluster, cluster

pytestmark = [pytest.mark.slow, pytest.mark.third]

CATALOGUE = Catalogue.load()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), nodes=2) as ours:
        yield ours


class TestDask(ExecutorConformance):
    """Two nodes of one task each."""

    @pytest.fixture(autouse=True)
    def _cluster(self, there: Cluster) -> None:
        self.there = there

    def make(self) -> Executor:
        return CATALOGUE.create("executor", "dask", {"address": self.there.address})
