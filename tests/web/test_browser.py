"""The page of a real daemon in a real browser: hundreds of files in work, on a phone and on a desk, in light and dark;
and the daemon is killed meanwhile."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchd.web.tokens import WebRole, make_token

from ..cases import EVERY_CASE, pairs
from ..cli.cli_kit import environment

if TYPE_CHECKING:
    from playwright.sync_api import Page

FILES = 500 if EVERY_CASE else 60
AXE = Path(__file__).parents[2] / ".servers" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
"""From `make servers`. Without it what axe looks for is looked for in part."""
CONFIG = """\
[web]
listen = "127.0.0.1:{port}"

[intake]
settle = "100ms"
rescan = "1s"

[providers.away]
plugin = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "env:KEY"
mode = "batch"

[routes.reviews]
provider = "away"
model = "small"
params = {{ max_tokens = 50 }}
prompt = {{ plugin = "template", user = "Review: {{{{ review }}}}" }}
"""
BY_HAND = """() => {
  const faults = []
  for (const each of document.querySelectorAll('input:not([type=hidden]), select'))
    if (!each.labels.length && !each.ariaLabel) faults.push(`no label: ${each.outerHTML}`)
  for (const each of document.querySelectorAll('a, button, summary'))
    if (!each.textContent.trim() && !each.ariaLabel) faults.push(`no name: ${each.outerHTML}`)
  const ids = [...document.querySelectorAll('[id]')].map(each => each.id)
  for (const id of ids) if (ids.filter(each => each === id).length > 1) faults.push(`twice: ${id}`)
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1')
  if (!document.documentElement.lang) faults.push('no language')
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main')
  return faults
}"""


class Running:
    """A real `batchd run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "config.toml").write_text(CONFIG.format(port=self.port))
        for name in ("inbox/reviews", "outbox", "archive", "rejected", "held"):
            (folder / name).mkdir(parents=True)
        self.token = make_token(folder / "state", WebRole.ORDER)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "batchd", "run"], cwd=self.folder, env=environment(KEY="x"), stderr=log
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(3_000):
            with socket.socket() as asked:
                asked.settimeout(10)
                if asked.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process is not None
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError((self.folder / "log").read_text())
        raise AssertionError("there is no page")


def enter(page: Page, running: Running) -> None:
    page.goto(running.url("/"))
    page.fill("#token", running.token)
    page.click("button.main")
    page.wait_for_selector("#groups")


def faults_of(page: Page, where: str) -> list[str]:
    """What is wrong with a page for people who cannot see it well, or have a small screen."""
    faults = [f"{where}: {fault}" for fault in page.evaluate(BY_HAND)]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    faults += [f"{where}: {wide} pixels too wide"] if wide > 0 else []
    if AXE.exists():
        # Scripts of others may not run on the page; the browser's own hands put it there.
        page.evaluate(AXE.read_text("utf-8") + "; undefined")
        for each in page.evaluate("axe.run().then(found => found.violations)"):
            faults.append(
                f"{where}: {each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary']}"
            )
    return faults


@pytest.mark.third
@pytest.mark.outside
@pytest.mark.slow(seconds=10)
@pytest.mark.field("page")
def test_a_browser_sees_and_orders_while_the_daemon_is_killed(tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    running = Running(tmp_path)
    for number in range(FILES):
        (tmp_path / "inbox" / "reviews" / f"shop-{number:03}.csv").write_text(f"review\nnumber {number} is fine\n")
    running.start()
    said: list[str] = []
    faults: list[str] = []
    try:
        running.wait()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
            desk = browser.new_page(viewport={"width": 1440, "height": 900})
            desk.set_default_timeout(60_000)
            enter(desk, running)
            desk.on("pageerror", lambda error: said.append(str(error)))
            desk.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
            # By itself, as the daemon goes on.
            expect(desk.locator("#groups a").first).to_contain_text(str(FILES), timeout=120_000)
            expect(desk.locator("#live")).to_have_text("Live")
            desk.locator("#jobs tbody a").first.click()
            job = desk.url.removeprefix(running.url(""))
            desk.click("summary")
            desk.click("button.danger")
            expect(desk.locator(".note").first).to_contain_text("cancel")
            expect(desk.locator("#story")).to_contain_text("ordered on the page: cancel.")
            desk.goto(running.url("/upload"))
            desk.set_input_files(
                "#file", [{"name": "../new one.csv", "mimeType": "text/csv", "buffer": b"review\nx\n"}]
            )
            desk.click("form.drop button")
            expect(desk.locator("#results li.good")).to_contain_text("reviews/new one.csv is in the inbox")
            # A phone and a desk, in the light and in the dark: with BATCHD_EVERY_CASE=1 all four, and pictures of them.
            for scheme, width in pairs(("light", "dark"), (375, 1440)):
                view: Any = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = view.new_page()
                page.set_default_timeout(60_000)
                page.goto(running.url("/"))
                faults += faults_of(page, f"log in {width} {scheme}")
                enter(page, running)
                for path in ("/", job, "/batches", "/spending", "/upload", "/?lang=vi"):
                    page.goto(running.url(path))
                    faults += faults_of(page, f"{path} {width} {scheme}")
                    if EVERY_CASE:
                        name = path.strip("/?").replace("/", "-") or "jobs"
                        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
                view.close()
            assert said == []
            desk.goto(running.url("/"))
            expect(desk.locator("#live")).to_have_text("Live")
            running.kill()
            expect(desk.locator("#live")).to_contain_text("No connection")
            running.start()
            # Nobody has to load the page again, or to type the token again.
            expect(desk.locator("#live")).to_have_text("Live", timeout=120_000)
            expect(desk.locator("#groups a").first).to_contain_text(str(FILES + 1), timeout=120_000)
            browser.close()
    finally:
        running.kill()
    assert not faults, "\n".join(faults)
