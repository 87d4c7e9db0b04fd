"""Chromium, driven by selenium."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By


class Browser:
    """A browser with one page."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Open a page, and forget what happened before."""
        self.driver.get("about:blank")
        self.errors()
        self.requested()
        self.driver.get(url)

    def errors(self) -> list[str]:
        """Take the errors and warnings on the console."""
        return [entry["message"] for entry in self._log("browser")]

    def requested(self) -> list[str]:
        """Take the URLs that were requested."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, name: str) -> list[Any]:
        answer: list[Any] = self.driver.execute("getLog", {"type": name})["value"]
        return answer

    def run(self, script: str) -> Any:
        """Run a script in the page, which the page's own policy does not restrict."""
        return self.driver.execute_script(script)

    def emulate(self, *, width: int = 1280, scheme: str = "light", media: str = "screen") -> None:
        """Change the width of the window, the color scheme and the medium."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that are shown."""
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [each.text for each in found if each.is_displayed()]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser. If none is installed, skip the test; in CI, fail it."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        message = "Chromium is not installed (Debian's packages are chromium and chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    binary, driver_path = (str(program) for program in programs)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """A browser with a wide window and a light color scheme."""
    chromium.emulate()
    return chromium


def file_url(path: Path) -> str:
    return path.absolute().as_uri()
