"""The images of all items: found, checked on several threads, and compared with each other."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd

from recsim.catalogs.importing.alike import earliest_alike
from recsim.catalogs.importing.findings import Findings, quoted
from recsim.catalogs.importing.locating import ImageFolder
from recsim.catalogs.importing.pixels import Checked, Limits, check_image
from recsim.catalogs.importing.work import Work

WAITING = 4  # images a thread that are being checked or wait for it
NAMED = 5  # files that a finding about many names


def located_images(table: pd.DataFrame, folder: ImageFolder, by_id: bool, findings: Findings) -> list[str]:
    """For each item the file in the folder, or nothing; what is odd about names is told.

    Args:
        table: with the columns ``image``, ``item_id`` and ``row``.
        folder: of the images.
        by_id: whether the source has no column of images, so that files named like ids are taken.
        findings: is added to.
    """
    stems = folder.by_stem() if by_id else {}
    files = []
    for row, name, item_id in zip(table["row"].to_list(), table["image"], table["item_id"], strict=True):
        wanted = stems.get(str(item_id), "") if by_id else str(name)
        if not wanted:
            findings.add("no image named", f"no file is named like {quoted(item_id)}" if by_id else "empty", row=row)
            files.append("")
            continue
        located = folder.locate(wanted)
        if located.what:
            findings.add(located.what, located.found, row=row)
        files.append(located.file)
    return files


def tell_unused(folder: ImageFolder, files: Sequence[str], findings: Findings) -> None:
    """How many files of the folder no item names."""
    unused = sorted(folder.images.difference(files))
    if unused:
        some = ", ".join(map(quoted, unused[:NAMED]))
        findings.add("unused image file", f"{len(unused):,} files, such as {some}")


def checked_images(
    files: Sequence[str],
    folder: ImageFolder,
    work: Work,
    limits: Limits,
    threads: int,
    progress: Callable[[int], None],
) -> dict[str, Checked]:
    """What was found about each file, by name; what an earlier import has found is not looked at again."""
    wanted = list(dict.fromkeys(file for file in files if file))
    found: dict[str, Checked] = {}
    fresh = []
    for file in wanted:
        known = work.checked(file, folder.open_path(file))
        if known is None:
            fresh.append(file)
        else:
            found[file] = known
    with _pillow_warnings():
        for file, checked in _checked(fresh, folder, work, limits, threads):
            work.keep(file, folder.open_path(file), checked)
            found[file] = checked
            progress(len(found))
    return found


def tell_images(
    rows: Sequence[int],
    item_ids: Sequence[str],
    files: Sequence[str],
    checked: Mapping[str, Checked],
    findings: Findings,
) -> None:
    """What was found about the image of each item, and which earlier item has one like it."""
    with_picture = [place for place, file in enumerate(files) if file and checked[file].name]
    for place, file in enumerate(files):
        for what, found in checked[file].told if file else ():
            findings.add(what, found, row=rows[place])
    same = _earlier({place: checked[files[place]].digest for place in with_picture})
    for place, other in same.items():
        findings.add("same image", f"the image of {quoted(item_ids[other])}", row=rows[place])
    looks = [place for place in with_picture if checked[files[place]].look and place not in same]
    hashes = np.array([int(checked[files[place]].look, 16) for place in looks], dtype=np.uint64)
    for number, other in enumerate(earliest_alike(hashes).tolist()):
        if other >= 0:
            resembled = quoted(item_ids[looks[other]])
            findings.add("near-identical image", f"looks like the image of {resembled}", row=rows[looks[number]])


def _earlier(digests: Mapping[int, str]) -> dict[int, int]:
    """For each place whose digest an earlier place has, the first one."""
    first: dict[str, int] = {}
    return {place: first[digest] for place, digest in digests.items() if first.setdefault(digest, place) != place}


def _checked(
    files: Sequence[str], folder: ImageFolder, work: Work, limits: Limits, threads: int
) -> Iterator[tuple[str, Checked]]:
    """Files in order with what was found; few are open at a time."""
    waiting: deque[tuple[str, Future[Checked]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for file in files:
                waiting.append((file, pool.submit(check_image, folder.open_path(file), work.pictures, limits)))
                if len(waiting) >= WAITING * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Pillow's warning about bombs as an error, and nothing about odd metadata; entered by one thread for all."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
