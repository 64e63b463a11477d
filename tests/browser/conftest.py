"""A real Chromium, headless, as a person would use it: addresses, buttons, fields, words on a page."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

TIMEOUT = 30.0
DESKTOP, PHONE = (1280, 900), (375, 740)
# No request of the browser's own, so that the test needs nothing but this machine.
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--no-proxy-server",
)  # fmt: skip
NO_SCRIPTS = {"profile.managed_default_content_settings.javascript": 2}


class Browser:
    """Waits for nothing but the pages themselves; each call runs in a thread."""

    def __init__(self, driver):
        self.driver = driver

    async def go(self, address):
        await asyncio.to_thread(self.driver.get, address)

    async def press(self, name):
        """Press the button of this name, and wait for the page that comes of it."""
        named = f"@aria-label='{name}' or not(@aria-label) and normalize-space()='{name}'"
        await asyncio.to_thread(self._follow, f"//button[{named}]")

    async def follow(self, name):
        """Follow the link of this name."""
        await asyncio.to_thread(self._follow, f"//a[normalize-space()='{name}']")

    def _follow(self, path):
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.find_element(By.XPATH, path).click()
        self._wait(staleness_of(before))

    def _wait(self, holds):
        # In the middle of a change of page the driver has more errors than that an element is stale.
        ignored = (WebDriverException,)
        WebDriverWait(self.driver, TIMEOUT, ignored_exceptions=ignored).until(holds)

    async def fill(self, label, text):
        """Write into the field of this label."""

        def write():
            path = f"//input[@id=//label[normalize-space()='{label}']/@for]"
            field = self.driver.find_element(By.XPATH, path)
            field.clear()
            field.send_keys(text)

        await asyncio.to_thread(write)

    async def text(self):
        """All that can be read on the page."""
        return await asyncio.to_thread(lambda: self.driver.find_element(By.TAG_NAME, "body").text)

    async def time_left(self):
        return await asyncio.to_thread(
            lambda: self.driver.find_element(By.CSS_SELECTOR, "[role=timer]").text
        )

    async def until(self, holds):
        """Wait until the text of the page is as it should be, over a change of page, too."""
        body = (By.TAG_NAME, "body")
        await asyncio.to_thread(self._wait, lambda driver: holds(driver.find_element(*body).text))

    async def heading(self):
        return await asyncio.to_thread(lambda: self.driver.find_element(By.TAG_NAME, "h1").text)

    async def address(self):
        return await asyncio.to_thread(lambda: self.driver.current_url)

    async def title(self):
        return await asyncio.to_thread(lambda: self.driver.title)

    async def too_wide(self):
        """By how many pixels the page is wider than the window."""

        def measure():
            sizes = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})
            return sizes["cssContentSize"]["width"] - sizes["cssLayoutViewport"]["clientWidth"]

        return await asyncio.to_thread(measure)

    async def complaints(self):
        """What the browser wrote to its console: refused styles, forms, scripts."""
        log = await asyncio.to_thread(self.driver.get_log, "browser")
        # Browsers ask every server for an icon, unasked.
        return [entry["message"] for entry in log if "/favicon.ico" not in entry["message"]]


@pytest.fixture
def open_browser(tmp_path, monkeypatch):
    """Opens a browser: ``async with open_browser(size=PHONE, scripts=False) as browser``."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    monkeypatch.setenv("SE_OFFLINE", "true")
    monkeypatch.setenv("SE_AVOID_STATS", "true")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")

    @asynccontextmanager
    async def opened(*, size=DESKTOP, scripts=True):
        options = webdriver.ChromeOptions()
        options.binary_location = programs["chromium"]
        for switch in (*SWITCHES, f"--user-data-dir={tmp_path / 'profile'}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not scripts:
            options.add_experimental_option("prefs", NO_SCRIPTS)
        service = Service(programs["chromedriver"])
        driver = await asyncio.to_thread(webdriver.Chrome, options, service)
        try:
            if size == PHONE:
                metrics = {
                    "width": size[0],
                    "height": size[1],
                    "deviceScaleFactor": 2,
                    "mobile": True,
                }
                command = "Emulation.setDeviceMetricsOverride"
                await asyncio.to_thread(driver.execute_cdp_cmd, command, metrics)
            else:
                await asyncio.to_thread(driver.set_window_size, *size)
            yield Browser(driver)
        finally:
            await asyncio.to_thread(driver.quit)

    return opened
