"""The page in a real browser, where one is installed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from recsim import Catalog
from recsim.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=8000",
    "--enable-logging=stderr",
    "--dump-dom",
)
# Runs beside the page's own script: sorts the first table by its second column, twice; the title tells the orders.
PROBE = """<script>
const button = document.querySelectorAll("table.sortable th button")[1];
const body = document.querySelector("table.sortable").tBodies[0];
const names = () => [...body.rows].map((row) => row.cells[0].firstChild.data);
button.click();
const down = names();
button.click();
document.title = JSON.stringify([down, names(), button.closest("th").getAttribute("aria-sort")]);
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the path"),
]


def _opened(page: Path, profile: Path) -> tuple[str, str]:
    """The document after scripts have run, and what the browser had to say."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.fixture
def report(make_run: Callable[..., Path], catalog: Catalog) -> Path:
    return write_report(make_run(), catalog)


def test_figures_are_drawn_without_a_complaint(report: Path, tmp_path: Path) -> None:
    document, said = _opened(report, tmp_path / "profile")
    assert "CONSOLE" not in said
    assert document.partition("<script")[0].count('class="js-plotly-plot"') == 9
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in document


def test_tables_can_be_sorted(report: Path, tmp_path: Path) -> None:
    html = report.read_text(encoding="utf-8")
    open_page = tmp_path / "probe.html"
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    open_page.write_text(without_policy.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    document, _ = _opened(open_page, tmp_path / "profile")
    ranked = '["myopic oracle","ppo","linucb","static fusion","popularity","uniform"]'
    turned = '["uniform","popularity","static fusion","linucb","ppo","myopic oracle"]'
    assert f'<title>[{ranked},{turned},"ascending"]</title>' in document


def test_scripts_from_elsewhere_do_not_run(report: Path, tmp_path: Path) -> None:
    html = report.read_text(encoding="utf-8")
    foreign = tmp_path / "foreign.html"
    foreign.write_text(html.replace("</body>", "<script>document.title = 'taken'</script></body>"), encoding="utf-8")
    document, said = _opened(foreign, tmp_path / "profile")
    assert "<title>taken</title>" not in document
    assert "Content Security Policy" in said
