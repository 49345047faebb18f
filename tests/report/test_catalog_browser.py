"""The page of a catalogue in a real browser: it is silent and alone, filters, and suits narrow and dark screens."""

import re
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from recsim import Catalog
from recsim.report import write_catalog_page

HOSTILE = "<script>alert(1)</script>"
SHOWN = """return [...document.querySelectorAll("[data-item]")].filter((one) => one.offsetHeight).map(
  (one) => one.dataset.words
);"""
# What stands out of a narrow page, but not inside a part that scrolls by itself.
TOO_WIDE = """return [...document.querySelectorAll("body *")].filter(
  (one) => one.getBoundingClientRect().right > 391 && !one.closest(".scroll, pre")
).map((one) => one.outerHTML.slice(0, 80));"""
# The least contrast of a text with what stands behind it (WCAG 2.2, 1.4.3).
CONTRAST = """
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const luminance = (color) => parts(color).slice(0, 3).map((part) => part / 255).map(
  (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
).reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const behind = (one) => {
  const color = getComputedStyle(one).backgroundColor;
  return parts(color)[3] === 0 ? behind(one.parentElement) : color;
};
const said = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
const texts = [...document.querySelectorAll("body *")].filter((one) => one.offsetHeight && said(one));
return Math.min(...texts.map((one) => {
  const [a, b] = [getComputedStyle(one).color, behind(one)].map(luminance);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}));"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog_page(shop, tmp_path_factory.mktemp("page") / "shop.html", n_items=60)


@pytest.fixture
def shown(browser: webdriver.Chrome, path: Path) -> webdriver.Chrome:
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())
    return browser


def test_page_opens_silently_and_alone(shown: webdriver.Chrome, path: Path) -> None:
    asked = " ".join(entry["message"] for entry in shown.get_log("performance"))
    assert shown.get_log("browser") == []
    addresses = set(re.findall(r'"url":"([a-z]+:[^"]{0,99})', asked))
    assert {one for one in addresses if not one.startswith("data:")} == {path.as_uri()[:99]}
    assert HOSTILE in shown.find_element(By.TAG_NAME, "body").text
    assert shown.title == "shop <b>: a catalogue"


def test_filters_by_category_and_by_words(shown: webdriver.Chrome, shop: Catalog) -> None:
    form = shown.find_element(By.ID, "filter")
    assert form.is_displayed()
    assert len(shown.execute_script(SHOWN)) == 60
    Select(form.find_element(By.NAME, "category")).select_by_visible_text("food")
    food = shop.table[shop.table["category"] == "food"]
    assert len(shown.execute_script(SHOWN)) == len(food) == 15
    assert form.find_element(By.TAG_NAME, "output").text == "15 of 60 items"
    words = form.find_element(By.NAME, "words")
    words.send_keys("THING 1")
    assert len(shown.execute_script(SHOWN)) == food["title"].str.startswith("Thing 1").sum() > 0
    words.submit()
    assert shown.current_url.endswith("shop.html")
    words.clear()
    words.send_keys("<script>")
    Select(form.find_element(By.NAME, "category")).select_by_value("")
    assert [one.split(" in words")[0] for one in shown.execute_script(SHOWN)] == [f"{HOSTILE} {HOSTILE}"]


def test_without_javascript_everything_is_shown(shown: webdriver.Chrome, path: Path) -> None:
    shown.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        shown.get(path.as_uri())
        assert not shown.find_element(By.ID, "filter").is_displayed()
        assert sum(one.is_displayed() for one in shown.find_elements(By.CSS_SELECTOR, "[data-item]")) == 60
    finally:
        shown.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_narrow_screens_are_not_scrolled_sideways(shown: webdriver.Chrome) -> None:
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert shown.execute_script(TOO_WIDE) == []
        assert shown.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable(shown: webdriver.Chrome, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        assert shown.execute_script(CONTRAST) >= 4.5
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
