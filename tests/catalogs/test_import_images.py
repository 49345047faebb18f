"""Images of any kind, quality and intent: what is refused, what is told, and what is kept."""

import io
import os
import struct
import zlib
from functools import cache
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from recsim.catalogs.importing import pixels
from recsim.catalogs.importing.alike import DISTANCE, earliest_alike
from recsim.catalogs.importing.locating import ImageFolder
from recsim.catalogs.importing.pictures import _pillow_warnings
from recsim.catalogs.importing.pixels import Checked, Limits, check_image

GREY = np.arange(64 * 48, dtype=np.float64).reshape(48, 64)


def photo(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Coarse random colours, enlarged."""
    coarse = np.random.Generator(np.random.Philox(seed)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + struct.pack(">I", 0) + b"IDAT"


def check(path: Path, limits: Limits = Limits()) -> Checked:  # noqa: B008 (frozen)
    with _pillow_warnings():
        return check_image(path, path.parent, limits)


def kinds(found: Checked) -> list[str]:
    return [what for what, _ in found.told]


def kept(path: Path, found: Checked) -> Image.Image:
    with Image.open(path.parent / found.name) as image:
        image.load()
        return image


def test_a_good_image_is_kept_small_and_bare(tmp_path: Path) -> None:
    path = tmp_path / "good.jpg"
    photo(size=(640, 480)).save(path, exif=Image.Exif(), icc_profile=b"not looked at", comment=b"secret")
    found = check(path, Limits(image_size=100))
    assert found.told == ()
    picture = kept(path, found)
    assert (picture.format, picture.mode, picture.size) == ("WEBP", "RGB", (100, 75))
    assert not {"exif", "icc_profile", "comment"} & set(picture.info)
    assert found.name == f"{found.digest}.webp"
    assert imagehash.hex_to_hash(found.look) - imagehash.phash(photo(size=(640, 480))) <= 2
    before = (tmp_path / found.name).read_bytes()
    assert check(path, Limits(image_size=100)) == found
    assert (tmp_path / found.name).read_bytes() == before


def test_small_images_are_not_enlarged(tmp_path: Path) -> None:
    photo().save(tmp_path / "a.png")
    assert kept(tmp_path / "a.png", check(tmp_path / "a.png")).size == (64, 48)


def test_the_camera_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    original = photo(size=(64, 48))
    original.save(tmp_path / "turned.png", exif=exif)
    picture = kept(tmp_path / "turned.png", check(tmp_path / "turned.png"))
    upright = np.rot90(np.asarray(original), k=-1)
    assert picture.size == (48, 64)
    assert np.abs(np.asarray(picture, dtype=int) - upright).mean() < 6  # webp loses a little


def test_transparency_is_kept(tmp_path: Path) -> None:
    image = photo().convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)[None].repeat(48, axis=0)))
    image.save(tmp_path / "a.png")
    palette = image.quantize(16)
    palette.save(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        picture = kept(tmp_path / name, check(tmp_path / name))
        assert picture.mode == "RGBA"
        assert picture.getpixel((2, 20))[3] == 0
        assert picture.getpixel((60, 20))[3] == 255


@pytest.mark.parametrize(
    ("image", "suffix", "told"),
    [
        (photo().convert("CMYK"), "jpg", ["converted colours"]),
        (Image.fromarray((GREY * 21).astype(np.uint16)), "png", ["converted colours"]),
        (Image.fromarray((GREY * 21).astype(np.uint16)), "tif", ["converted colours"]),
        (Image.fromarray(GREY.astype(np.float32)), "tif", ["converted colours"]),
        (Image.fromarray((GREY - 500).astype(np.int32)), "tif", ["converted colours"]),
        (photo().convert("L"), "png", []),
        (photo().convert("1"), "png", []),
        (photo().convert("P"), "gif", []),
        (photo().convert("LA"), "png", []),
        (photo(), "bmp", []),
        (photo(), "webp", []),
        (photo(size=(20, 8)), "png", ["tiny image"]),
        (Image.new("RGB", (64, 64), "red"), "png", ["blank image"]),
        (Image.new("I;16", (64, 64), 7), "png", ["converted colours", "blank image"]),
    ],
)
def test_colours_of_every_kind_become_8_bit(tmp_path: Path, image: Image.Image, suffix: str, told: list[str]) -> None:
    path = tmp_path / f"a.{suffix}"
    image.save(path)
    found = check(path)
    assert kinds(found) == told
    picture = kept(path, found)
    assert picture.mode in ("RGB", "RGBA")
    assert (found.look == "") == ("blank image" in told)


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 64)[None].repeat(48, axis=0)
    Image.fromarray(levels.astype(np.uint16)).save(tmp_path / "a.png")
    picture = kept(tmp_path / "a.png", check(tmp_path / "a.png"))
    shown = np.asarray(picture.convert("L"), dtype=float).mean(axis=0)
    np.testing.assert_allclose(shown, levels[0] / 257, atol=4)


def test_of_an_animation_the_first_frame_is_kept(tmp_path: Path) -> None:
    for suffix in ("gif", "png", "webp"):
        path = tmp_path / f"moving.{suffix}"
        photo(1).save(path, save_all=True, append_images=[photo(2), photo(3)])
        found = check(path)
        assert found.told == (("animated image", f"moving.{suffix} has 3 frames"),)
        shown = np.asarray(kept(path, found).convert("RGB"), dtype=int)
        assert np.abs(shown - np.asarray(photo(1))).mean() < 12
        assert np.abs(shown - np.asarray(photo(2))).mean() > 40


REFUSED = {"broken image", "no image file", "unsupported image type", "huge image"}


@cache
def encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    photo(size=(200, 200)).save(buffer, format=suffix)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "what", "found"),
    [
        (b"", "broken image", "x is empty"),
        (encoded("jpeg")[:-800], "broken image", "truncated"),
        (encoded("png")[:-900], "broken image", "x: "),
        (encoded("webp")[:-900], "broken image", "x: "),
        (encoded("gif")[:300], "broken image", "x is cut off"),
        (png_header(64, 64), "broken image", "x: "),
        (b"GIF89a", "broken image", "x is cut off or damaged at its beginning"),
        (b"name,price\nhat,3\n", "no image file", "x is none of JPEG"),
        (b"<!doctype html><p>404", "no image file", "x is none of JPEG"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported image type", "x is SVG"),
        (b"%PDF-1.7\n", "unsupported image type", "x is PDF"),
        (b"8BPS\x00\x01", "unsupported image type", "x is Photoshop"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "unsupported image type", "x is HEIC"),
        (b"P6\n2 2\n255\n" + bytes(12), "unsupported image type", "x is PPM"),
        (png_header(7072, 7072), "huge image", "x has 7,072 × 7,072 pixels"),
        (png_header(10_000, 10_000), "huge image", "x has far more than 50,000,000 pixels"),
        (png_header(60_000, 60_000), "huge image", "x has far more than 50,000,000 pixels"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: bytes, what: str, found: str) -> None:
    (tmp_path / "x").write_bytes(content)
    checked = check(tmp_path / "x")
    assert (checked.name, checked.look) == ("", "")
    ((kind, told),) = checked.told
    assert kind == what
    assert found in told
    assert os.listdir(tmp_path) == ["x"]


def test_size_is_read_from_the_header_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(size=(300, 200)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    assert kinds(check(tmp_path / "a.png", Limits(max_pixels=59_999))) == ["huge image"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert check(tmp_path / "pipe.png").told == (("no image file", "pipe.png is no ordinary file"),)


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MAX_FILE_BYTES", 2**20)
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(3 * 2**20)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: pytest.fail("read"))
    assert check(tmp_path / "a.png").told == (("huge image", "a.png has 3 MiB"),)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch(mode=0)
    assert check(tmp_path / "a.png").told == (("broken image", "a.png cannot be read (Permission denied)"),)


@example(b"\x07", "tiff", 8)  # a header without a width
@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["jpeg", "png", "gif", "webp", "bmp", "tiff"]), st.integers(0, 400))
def test_damaged_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, noise: bytes, kind: str, at: int) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    data = encoded(kind)
    (folder / "x").write_bytes(data[:at] + noise + data[at + len(noise) :])
    found = check(folder / "x")
    assert bool(found.name) != bool(set(kinds(found)) & REFUSED)


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    inside = tmp_path / "photos"
    (inside / "hats").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(encoded("png"))
    for name in ("red.png", "hats/blue.PNG", "hats/twice.png", "twice.png", "17.jpg", "notes.txt"):
        (inside / name).write_bytes(b"x")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "near.png").symlink_to(inside / "red.png")
    (inside / "broken.png").symlink_to(inside / "gone.png")
    (inside / "away").symlink_to(tmp_path)
    return ImageFolder(inside)


@pytest.mark.parametrize(
    ("name", "file", "what"),
    [
        ("red.png", "red.png", ""),
        ("./red.png", "red.png", ""),
        ("hats\\blue.PNG", "hats/blue.PNG", ""),
        ("near.png", "near.png", ""),
        ("RED.PNG", "red.png", "image under another name"),
        ("photos/red.png", "red.png", "image under another name"),
        ("blue.png", "hats/blue.PNG", "image under another name"),
        ("green.png", "", "missing image file"),
        ("other/twice.png", "", "missing image file"),
        ("hats", "", "missing image file"),
        ("../secret.png", "", "image outside the folder"),
        ("hats/../../secret.png", "", "image outside the folder"),
        ("..\\secret.png", "", "image outside the folder"),
        ("/etc/passwd", "", "image outside the folder"),
        ("C:\\secret.png", "", "image outside the folder"),
        ("\\\\server\\share\\secret.png", "", "image outside the folder"),
        ("red.png\x00.jpg", "", "image outside the folder"),
        ("link.png", "", "image outside the folder"),
        ("broken.png", "broken.png", ""),
        ("https://example.org/red.png", "", "image on the web"),
        ("data:image/png;base64,xyz", "", "image on the web"),
    ],
)
def test_only_files_inside_the_folder_are_opened(folder: ImageFolder, name: str, file: str, what: str) -> None:
    located = folder.locate(name)
    assert (located.file, located.what) == (file, what)


def test_links_to_folders_are_not_followed(folder: ImageFolder) -> None:
    assert not any(name.startswith("away") for name in folder.files)
    assert folder.locate("away/secret.png").file == ""
    assert folder.by_stem() == {
        "red": "red.png",
        "blue": "hats/blue.PNG",
        "17": "17.jpg",
        "near": "near.png",
        "broken": "broken.png",
    }


def test_a_link_to_nothing_is_a_broken_image(folder: ImageFolder) -> None:
    assert kinds(check(folder.open_path("broken.png"))) == ["broken image"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"holds no images \(1 files, none named like one\)"):
        ImageFolder(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="there is no folder .*none: name the one that the column image is relative to"
    ):
        ImageFolder(tmp_path / "none")


def test_bands_find_what_comparing_all_pairs_finds() -> None:
    draw = np.random.Generator(np.random.Philox(3))
    hashes = draw.integers(0, 2**64, 240, dtype=np.uint64)
    for place in range(80, 240):  # most of them near an earlier one, at distances 0 to 5, in any bands
        bits = draw.choice(64, place % 6, replace=False)
        hashes[place] = hashes[place % 80] ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64), initial=0)
    expected = [
        next((j for j in range(i) if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= DISTANCE), -1)
        for i in range(len(hashes))
    ]
    assert earliest_alike(hashes).tolist() == expected
    assert sum(place >= 0 for place in expected) >= 100


def test_hashes_at_the_edges() -> None:
    assert earliest_alike(np.zeros(0, np.uint64)).tolist() == []
    assert earliest_alike(np.full(5, 2**64 - 1, np.uint64)).tolist() == [-1, 0, 0, 0, 0]
    assert earliest_alike(np.array([0, 0b111, 0b1111], np.uint64)).tolist() == [-1, 0, 1]
