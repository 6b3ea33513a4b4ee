"""One daemon for all tests of this folder: each sends rows of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchd.client import Client

from .client_kit import Running, running


@pytest.fixture(scope="session")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A daemon that runs."""
    with running(tmp_path_factory.mktemp("client") / "shop") as found:
        yield found


@pytest.fixture
def client(there: Running) -> Iterator[Client]:
    """A client of it."""
    with Client(there.address, token=there.token) as found:
        yield found
