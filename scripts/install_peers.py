"""Install the peers that `recsim bench env` compares with, each in a virtual environment of its own.

    python3.11 scripts/install_peers.py [--folder DIR] [options of pip, such as --extra-index-url URL]

Only the standard library is needed. What the packages need beyond what they ask for, and why they are installed without
their own list of dependencies, is in scripts/peers/README.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

PYTHON = (3, 11)
GYM = ("gym==0.26.2", "numpy==1.26.4", "scipy==1.11.4")
PEERS = {  # the peer, then what it needs
    "recogym": (
        "recogym==0.1.3.0",
        *GYM,
        "matplotlib==3.9.4",
        "numba==0.60.0",
        "pandas==2.2.3",
        "scikit-learn==1.5.2",
        "torch==2.13.0",
        "tqdm==4.70.1",
    ),
    "recsim_no_tf": ("recsim-no-tf==0.2.3", *GYM, "absl-py==2.5.1", "gin-config==0.5.0", "six==1.17.0"),
    "sardine": ("sardine-rec==1.0.8", "gymnasium==1.4.0", "numpy==2.4.6"),
    "trecs": (
        "trecs==0.2.1",
        "lenskit==0.14.4",
        "networkx==3.6.1",
        "numpy==1.26.4",
        "pandas==2.2.3",
        "scipy==1.11.4",
        "tqdm==4.70.1",
    ),
}
DONE = "installed"  # what was installed, written last


def main() -> None:
    """Install what is not there yet."""
    if sys.version_info[:2] != PYTHON:
        sys.exit(
            f"the peers run together on Python 3.11 alone, and this is {sys.version.split()[0]}: "
            "call this script with python3.11."
        )
    parser = argparse.ArgumentParser(description="Install the peers that `recsim bench env` compares with.")
    parser.add_argument("--folder", type=Path, default=Path(".peers"), help="where to; default: .peers")
    arguments, options = parser.parse_known_args()
    for name, packages in PEERS.items():
        install(arguments.folder / name, packages, options)


def install(folder: Path, packages: tuple[str, ...], options: list[str]) -> None:
    """A virtual environment with `packages`, unless the last run made it; the first package without dependencies."""
    done, wanted = folder / DONE, "\n".join(packages) + "\n"
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return
    print(f"Installing {packages[0]} into {folder}.", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    subprocess.run([*pip, *packages[1:]], check=True)
    subprocess.run([*pip, "--no-deps", packages[0]], check=True)
    done.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
