"""What `batchd status` takes a batch to cost, where the discount stands at the provider."""

from __future__ import annotations

from pathlib import Path

from .cli_kit import finished_house, here


def test_the_providers_discount_holds_for_models_that_name_none(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")

    def spent() -> float:
        cost: float = here("status", "--json", config=house.config).json()["jobs"][0]["cost"]["so_far"]
        return cost

    text = house.config.read_text()
    half = spent()
    house.config.write_text(text.replace("batch_discount = 0.5\n", ""))
    assert spent() == 2 * half
    house.config.write_text(
        text.replace("batch_discount = 0.5\n", "").replace(
            'plugin = "fake"\n', 'plugin = "fake"\nbatch_discount = 0.5\n'
        )
    )
    assert spent() == half
