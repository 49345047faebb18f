"""The pages in a real browser, driven by selenium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from recsim import Catalog
from recsim.report import write_evaluation, write_report

SECONDS = 30
HOSTILE = "<script>alert(1)</script>"
FOREIGN = "<script>document.title = 'taken'</script>"
FIGURE_INK = "return getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fill"
ALL_OPEN = "return [...document.querySelectorAll('details[data-print]')].every((one) => one.open)"
WIDEST_PAGE = "return document.documentElement.scrollWidth"
# Figures without ink: no svg, or one in which nothing has a size.
UNDRAWN = """return [...document.querySelectorAll("[data-figure]")].filter(
  (place) => ![...place.querySelectorAll("svg.main-svg path, svg.main-svg text")].some((mark) => mark.getBBox().width)
).map((place) => place.dataset.figure)"""
RATIOS = """
const luminance = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255).map(
  (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
).reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const [ink, paper] = ["color", "backgroundColor"].map((name) => luminance(getComputedStyle(document.body)[name]));
return [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), paper];"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["run", "evaluation"])
def page(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    write_run: Callable[..., Path],
    evaluation: dict[str, Any],
    catalog: Catalog,
) -> Path:
    """Both kinds of pages."""
    folder = tmp_path_factory.mktemp("pages")
    if request.param == "run":
        return write_report(write_run(folder), catalog)
    return write_evaluation(evaluation, folder / "found.html")


@pytest.fixture(scope="module")
def shown(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    """The browser with a page whose figures are drawn; it is loaded once, as that takes most of the time."""
    return opened(browser, page)


def opened(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    places = browser.find_elements(By.CSS_SELECTOR, "[data-figure]")
    WebDriverWait(browser, SECONDS).until(lambda _: len(_drawn(browser)) == len(places))
    return browser


def test_page_opens_and_draws_every_figure_alone(shown: webdriver.Chrome, page: Path) -> None:
    said, asked = shown.get_log("browser"), shown.get_log("performance")
    assert said == []
    assert len(_drawn(shown)) == page.read_text(encoding="utf-8").count('data-figure="') >= 15
    assert shown.execute_script(UNDRAWN) == []
    addresses = re.findall(r'"url":"([a-z]+):([^"]{0,99})', " ".join(entry["message"] for entry in asked))
    assert {scheme for scheme, _ in addresses} <= {"file", "data", "blob"}
    own = page.as_uri().removeprefix("file:")[:99]
    assert {address for scheme, address in addresses if scheme == "file"} == {own}
    assert HOSTILE in shown.find_element(By.TAG_NAME, "body").text
    assert page.stat().st_size < 6_000_000


def test_tables_are_sorted_by_click_and_by_keyboard(shown: webdriver.Chrome) -> None:
    tables = [one for one in shown.find_elements(By.CSS_SELECTOR, "table.sortable") if one.is_displayed()]
    assert len(tables) >= 3
    for table in tables:
        header = table.find_elements(By.CSS_SELECTOR, "thead tr:last-child th")[1]
        button = header.find_element(By.TAG_NAME, "button")
        shown.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
        button.click()
        down = _orders(shown, table)
        assert header.get_attribute("aria-sort") == "descending"
        button.send_keys(Keys.ENTER)
        assert header.get_attribute("aria-sort") == "ascending"
        up = _orders(shown, table)
        button.send_keys(Keys.SPACE)
        assert _orders(shown, table) == down
        assert up == sorted(up, key=_sortable)
        assert down == sorted(down, key=_sortable, reverse=True)


def test_keyboard_reaches_the_answer_and_shows_where_it_is(shown: webdriver.Chrome) -> None:
    shown.execute_script("document.activeElement.blur(); window.scrollTo({top: 0, behavior: 'instant'})")
    skip = shown.find_element(By.CSS_SELECTOR, "a.skip")
    assert skip.rect["x"] + skip.rect["width"] < 0
    skip.send_keys(Keys.NULL)  # what is typed goes to the element, which takes the focus
    assert skip.rect["x"] >= 0
    skip.send_keys(Keys.ENTER)
    assert shown.current_url.endswith("#policies")
    button = shown.find_element(By.CSS_SELECTOR, "table.sortable th button")
    shown.execute_script("arguments[0].focus({focusVisible: true})", button)
    assert button.value_of_css_property("outline-style") == "solid"
    assert all(one.get_attribute("tabindex") == "0" for one in shown.find_elements(By.CSS_SELECTOR, ".scroll"))


def test_both_themes_are_readable_and_their_figures_follow(shown: webdriver.Chrome) -> None:
    light = shown.execute_script(FIGURE_INK)
    for scheme in ("light", "dark"):
        with _emulated(shown, features=[{"name": "prefers-color-scheme", "value": scheme}]):
            ratio, paper = shown.execute_script(RATIOS)
            if scheme == "dark":
                WebDriverWait(shown, SECONDS).until(lambda _: shown.execute_script(FIGURE_INK) != light)
        assert ratio >= 7
        assert paper > 0.9 if scheme == "light" else paper < 0.1
    WebDriverWait(shown, SECONDS).until(lambda _: shown.execute_script(FIGURE_INK) == light)


def test_narrow_screens_scroll_only_tables(shown: webdriver.Chrome) -> None:
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        WebDriverWait(shown, SECONDS).until(lambda _: shown.execute_script(WIDEST_PAGE) == 390)
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_paper_is_light_and_unfolded(shown: webdriver.Chrome) -> None:
    with _emulated(shown, media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]):
        shown.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        assert shown.execute_script(RATIOS)[1] > 0.9
        assert shown.execute_script(ALL_OPEN) is True
        shown.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert shown.execute_script(ALL_OPEN) is False


def test_scripts_from_elsewhere_do_not_run(
    browser: webdriver.Chrome, evaluation: dict[str, Any], tmp_path: Path
) -> None:
    few = {key: evaluation[key] for key in ("level", "n_slates", "n_sessions", "objectives")}
    html = write_evaluation(few, tmp_path / "foreign.html").read_text(encoding="utf-8")
    (tmp_path / "foreign.html").write_text(html.replace("</body>", f"{FOREIGN}</body>"), encoding="utf-8")
    opened(browser, tmp_path / "foreign.html")
    assert browser.title != "taken"
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def _drawn(browser: webdriver.Chrome) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, "[data-figure].js-plotly-plot")


def _orders(browser: webdriver.Chrome, table: WebElement) -> list[str]:
    """By what the second column is sorted; cells without a number stay last and are left out."""
    found: list[str] = browser.execute_script(
        "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[1].dataset.order)", table
    )
    return [order for order in found if order]


def _sortable(order: str) -> tuple[float, str]:
    try:
        return float(order), ""
    except ValueError:
        return 0.0, order


@contextmanager
def _emulated(browser: webdriver.Chrome, **media: Any) -> Iterator[None]:
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
