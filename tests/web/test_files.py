"""Files that come in and go out over the page."""

from __future__ import annotations

from ..cli.cli_kit import House
from .web_kit import served


async def test_results_are_downloads(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        program = web.program()
        for name in ("reviews/may.results.csv", "reviews/may.failed.csv", "reviews/may.report.json"):
            answer = await program.get(f"/jobs/{finished_job}/files/{name}")
            assert answer.status == 200
            assert await answer.read() == (finished.folders.outbox / name).read_bytes()
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{name.rpartition("/")[2]}"'


async def test_nothing_else_can_be_downloaded(finished: House, finished_job: str) -> None:
    outside = finished.folder / "secret"
    outside.write_text("secret")
    link = finished.folders.outbox / "reviews" / "link.csv"
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    async with served(finished) as web:
        program = web.program()
        faults = []
        for name in (
            "../config.toml",
            "..%2F..%2Fconfig.toml",
            "reviews/../../config.toml",
            "%2Fetc%2Fpasswd",
            "/etc/passwd",
            "reviews/link.csv",
            "reviews/may.results.csv%00.csv",
            "reviews/may.results.csv/",
            "may.results.csv",
            "reviews/./may.results.csv",
        ):
            answer = await program.get(f"/jobs/{finished_job}/files/{name}")
            if answer.status != 404 and not (name == "reviews/./may.results.csv" and answer.status == 200):
                faults.append(f"{name}: {answer.status}")
        assert not faults, "\n".join(faults)
        results = finished.folders.outbox / "reviews" / "may.results.csv"
        content = results.read_bytes()
        try:
            results.unlink()
            results.symlink_to(outside)
            assert (await program.get(f"/jobs/{finished_job}/files/reviews/may.results.csv")).status == 404
        finally:
            results.unlink()
            results.write_bytes(content)
