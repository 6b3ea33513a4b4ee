"""SIGTERM at random times: a good end within seconds, and afterwards all that the soak looks for."""

from __future__ import annotations

import importlib.util
import random
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from ..durability.rig import until
from .conftest import LONG, size

pytestmark = pytest.mark.slow

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"
WITHIN = 5.0


def soak_module() -> ModuleType:
    """bench/soak.py, which is no part of a package."""
    if not SOAK.exists():
        pytest.skip("bench/soak.py is not beside these tests")
    spec = importlib.util.spec_from_file_location("soak", SOAK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow(seconds=5)
def test_it_stops_in_good_order_whenever_it_is_asked_to(tmp_path: Path) -> None:
    soak = soak_module()
    took: list[float] = []

    class Stops(soak.Soak):  # type: ignore[misc, name-defined]
        """The soak, with a request in place of a kill."""

        def kill(self) -> None:
            # Asked before it can hear is not asked in good order: Python has not begun to look at signals then.
            until(lambda: self.daemon.ended or self.hears(), "it is at work")
            begun = time.monotonic()
            status = self.daemon.stop()
            took.append(time.monotonic() - begun)
            assert status == 0, self.said()
            assert "Traceback" not in self.said()
            self.kills += 1

        def hears(self) -> bool:
            return (self.folder / "daemon.log").read_text().count("Watching ") > self.kills

        def said(self) -> str:
            return str((self.folder / "daemon.log").read_text()[-3_000:])

    seed = random.SystemRandom().randrange(1_000_000)
    run = Stops(tmp_path, seed)
    try:
        run.run(size(3, 200))
        run.finish(600.0)
        numbers = run.check()
    finally:
        run.close()
    took.sort()
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"\nseed {seed}: {len(took)} stops, median {took[len(took) // 2]:.2f} s, p99 {p99:.2f} s; {numbers}")
    assert not soak.failed(numbers), f"seed {seed}: {numbers}"
    assert p99 < (WITHIN if LONG else 6 * WITHIN)
