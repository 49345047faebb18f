"""Every way of installing, outside the checkout. Nothing is fetched: setuptools comes with the extra "dev"."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from recsim import __version__

ROOT = Path(__file__).parents[1]
LINKS = ("agents", "envs", "experiments")
BUILT = ("recsim", *LINKS, "tests", "scripts", ".ci")
CHECK = """
import recsim, recsim.agents, recsim.envs, recsim.experiments
shop = recsim.load_catalog("openclipart")
assert len(shop) == 1852, len(shop)
assert shop.image_path(7).stat().st_size > 0
print(recsim.__version__)
for module in (recsim, recsim.agents, recsim.envs, recsim.experiments):
    print(module.__file__)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what is built, so that building leaves nothing in the checkout."""
    copy = tmp_path_factory.mktemp("source") / "checkout"
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.name in BUILT:
            copy_tree(path, copy / path.name)
        elif path.is_file():
            shutil.copy(path, copy)
    return copy


@pytest.fixture
def python(tmp_path) -> Path:
    """A fresh environment that sees the packages of this one, but none of its .pth files: no recsim is installed."""
    venv.create(tmp_path / "fresh", with_pip=False, symlinks=True)
    executable = tmp_path / "fresh" / "bin" / "python"
    site = run([executable, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], tmp_path).strip()
    paths = sysconfig.get_paths()
    Path(site, "dependencies.pth").write_text(f"{paths['purelib']}\n{paths['platlib']}\n")
    return executable


def copy_tree(folder: Path, target: Path) -> Path:
    """Links stay links; what earlier runs and builds left behind stays away."""
    left = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    return shutil.copytree(folder, target, symlinks=True, ignore=left)


def run(command: list[str | Path], cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    """The wheel or sdist that the build backend makes."""
    code = f"import setuptools.build_meta as backend; backend.build_{kind}({str(out)!r})"
    out.mkdir()
    run([sys.executable, "-c", code], source)
    return next(out.iterdir())


def install(python: Path, *arguments: str | Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet"]
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    run([*pip, *alone, *arguments], python.parent)


def modules(python: Path, outside: Path) -> list[Path]:
    """Where the four packages were imported from, by a Python that stands outside the checkout."""
    version, *files = run([python, "-c", CHECK], outside).split()
    assert version == __version__
    assert len(files) == 4
    return [Path(file).resolve() for file in files]


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel") / "out")


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_uninstalled(tmp_path):
    assert run([sys.executable, "-S", "-c", "import recsim; print(recsim.__version__)"], ROOT).strip() == __version__


@pytest.mark.slow
def test_the_wheel_is_small_and_whole(wheel):
    assert wheel.name == f"recsim_slate-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 15e6
    content = names(wheel)
    tops = {name.split("/")[0] for name in content}
    assert tops == {"recsim", f"recsim_slate-{__version__}.dist-info"}
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "recsim").rglob("*.py")}
    for link in LINKS:
        expected |= {f"recsim/{path.relative_to(ROOT)}" for path in (ROOT / link).rglob("*.py")}
    assert expected <= set(content)
    assert sum(name.endswith(".webp") for name in content) == 1852
    assert {"recsim/py.typed", "recsim/catalogs/openclipart/LICENSE"} <= set(content)


@pytest.mark.slow
def test_wheel(wheel, python, tmp_path):
    install(python, wheel)
    assert all(file.is_relative_to(tmp_path / "fresh") for file in modules(python, tmp_path))
    script = tmp_path / "fresh" / "bin" / "recsim"
    assert "from recsim.experiments.cli import app" in script.read_text()


@pytest.mark.slow
def test_sdist(source, wheel, tmp_path):
    """It holds the tests, and the wheel that is made from it is the wheel."""
    with tarfile.open(build("sdist", source, tmp_path / "out")) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"recsim_slate-{__version__}"
    for name in ("tests/conftest.py", "tests/test_installing.py", "scripts/build_openclipart.py", "Makefile"):
        assert (unpacked / name).is_file(), name
    assert names(build("wheel", unpacked, tmp_path / "again")) == names(wheel)


@pytest.mark.slow
def test_checkout_without_links(source, wheel, tmp_path):
    """Unpackers that know no links, such as zipfile, leave a small text file in the place of each."""
    copy = copy_tree(source, tmp_path / "copy")
    for link in LINKS:
        path = copy / "recsim" / link
        path.unlink()
        path.write_text(f"../{link}")
    assert names(build("wheel", copy, tmp_path / "again")) == names(wheel)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["default", "strict", "compat"])
def test_editable(source, python, tmp_path, mode):
    copy = copy_tree(source, tmp_path / "copy")
    settings = [] if mode == "default" else ["--config-settings", f"editable_mode={mode}"]
    install(python, *settings, "--editable", copy)
    assert all(file.is_relative_to(copy) for file in modules(python, tmp_path))
