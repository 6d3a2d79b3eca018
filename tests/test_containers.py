"""GIF, WebP, icons, JPEG 2000, TGA, PCX and QOI: their pixels are Pillow's, and all else in them is kept or named."""

from __future__ import annotations

import io
import random
import struct
from typing import Any

import numpy as np
import pytest
from picturefiles import GRAY, RGB, encoded, png, refused
from PIL import Image
from test_bmpfile import bmp, entries

from ridecodec.errors import InputError
from ridecodec.files import opening
from ridecodec.files.source import Source
from ridecodec.picture import Chunk, ColourType

RGBA = np.dstack([RGB, np.where(GRAY < 99, 0, GRAY)])
FEW = Image.fromarray(RGB).quantize(20)


def source(data: bytes, pixels: bool = False) -> Source:
    return opening.read(io.BytesIO(data), 10**6, pixels)


def kinds(found: Source) -> list[bytes]:
    return [chunk.kind for chunk in found.picture.metadata]


def block(kind: int, data: bytes) -> bytes:
    """An extension of a GIF file."""
    pieces = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"!" + bytes([kind]) + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"


def application(name: bytes, data: bytes) -> bytes:
    return b"!\xff\x0b" + name + block(0, data)[2:]


XMP_TAIL = b"\1" + bytes(range(255, -1, -1)) + b"\0"
COLOURS = bytes(range(12))


def gif(*before: bytes, screen: tuple[int, int] = (3, 1), tail: bytes = b"", **more: int) -> bytes:
    """A GIF file of three pixels, 2, 0 and 3, with extensions before its picture."""
    codes = sum(code << 3 * at for at, code in enumerate((4, 2, 0, 3, 5))).to_bytes(2, "little")
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81, more.get("background", 0), more.get("aspect", 0)) + COLOURS
    own = more.get("own", 0)
    image = b"," + struct.pack("<HHHHB", 0, 0, 3, 1, own) + (COLOURS[::-1] if own else b"")
    return head + b"".join(before) + image + b"\2" + bytes([len(codes)]) + codes + b"\0;" + tail


def test_a_gif_and_what_is_kept_of_it() -> None:
    words = "µm ©"
    xmp = b"!\xff\x0bXMP DataXMP" + b"<x/>" + XMP_TAIL
    found = source(
        gif(
            application(b"ICCRGBG1012", b"profile"),
            xmp,
            block(0xFE, words.encode()),
            block(0xF9, b"\1\0\0\2"),
            background=1,
        )
    )
    assert found.picture.to_numpy().tolist() == [[2, 0, 3]]
    assert (found.lost, found.notes) == ((), ())
    assert found.picture.metadata[:3] == (
        Chunk(b"ICC ", b"profile"),
        Chunk(b"PLTE", COLOURS),
        Chunk(b"tRNS", b"\xff\xff\0"),
    )
    assert kinds(found)[3:] == [b"iTXt", b"tEXt", b"bKGD"]
    assert Chunk(b"tEXt", b"Comment\0" + words.encode("latin-1")) in found.picture.metadata


GIF_LOST = [
    (gif(tail=b"tail"), "the bytes after its end"),
    (gif(block(0xFE, b"a\0")), "a comment with bytes of 0"),
    (gif(block(0xF9, b"\0\5\0\0")), "its delay or its disposal method"),
    (gif(block(0xF9, bytes(4)), block(0xF9, bytes(4))), "a control block without a picture"),
    (gif(block(0x01, b"text")), "its blocks of plain text"),
    (gif(block(0x77, b"text")), "its blocks of unknown kinds"),
    (gif(application(b"NETSCAPE2.0", b"\1\0\0")), "its number of repeats"),
    (gif(application(b"ABCDEFGH123", b"")), "the data of an application (ABCDEFGH123)"),
    (gif(b"!\xff\x0bXMP DataXMP" + block(0, b"<x/>")[2:]), "the data of an application (XMP DataXMP)"),
    (gif(screen=(4, 1)), "the position of its picture on a screen of another size"),
    (gif(aspect=9), "the aspect ratio of its pixels"),
    (gif(background=9), "its background"),
    (gif(own=0x81), "its palette for all frames"),
    (gif(block(0xF9, b"\1\0\0\x09")), "a transparent colour that its palette does not have"),
    (gif().replace(b"\0;", b"\3abc\0;"), "the codes after its pixels"),
]


@pytest.mark.parametrize(("data", "said"), GIF_LOST)
def test_what_a_gif_loses_is_named(data: bytes, said: str) -> None:
    assert source(data).lost == (said,)


def test_a_gif_without_its_last_block() -> None:
    found = source(gif()[:-1])
    assert (found.lost, found.notes) == ((), ("the block that ends it is missing",))


@pytest.mark.parametrize("cut", range(1, len(gif()) - 1))
def test_a_gif_that_is_cut_short_is_refused(cut: int) -> None:
    refused(gif()[:cut], "damaged|no picture")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gif().replace(b",\0", b",\0", 1)[:-1] + gif()[gif().index(b",") :], "several frames"),
        (gif()[: gif().index(b",")] + b";", "has no picture"),
        (gif().replace(b"\x81", b"\1", 1).replace(COLOURS, b""), "without a palette"),
        (gif()[:-1] + b"?", "a block of kind 63, which does not exist"),
        (gif().replace(b"\2\2", b"\x0d\2"), "codes of 13 bits"),
    ],
)
def test_other_gifs_are_refused(data: bytes, said: str) -> None:
    refused(data, said)


def test_gray_gifs() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    found = source(encoded(ramp, "GIF"))
    assert (found.picture.colour, kinds(found)) == (ColourType.GRAY, [])
    assert np.array_equal(found.picture.to_numpy(), ramp)


ALIKE: list[tuple[Image.Image, str, dict[str, Any]]] = [
    *((image, "GIF", options) for image in (FEW, Image.fromarray(GRAY)) for options in ({}, {"interlace": 0})),
    *((Image.fromarray(pixels), "WEBP", {"lossless": True, "exact": True}) for pixels in (RGB, RGBA)),
    *((Image.fromarray(pixels), "QOI", {"colorspace": "sRGB"}) for pixels in (RGB, RGBA)),
    *(
        (Image.fromarray(pixels), "JPEG2000", options)
        for pixels in (GRAY, RGB)
        for options in ({"tile_size": (16, 16)}, {"no_jp2": True})
    ),
    (Image.fromarray(GRAY.astype(np.uint16) * 257), "JPEG2000", {}),
    *(
        (image, "TGA", options)
        for image in (FEW, Image.fromarray(GRAY), Image.fromarray(RGB), Image.fromarray(RGBA))
        for options in ({}, {"compression": "tga_rle"}, {"orientation": 1})
    ),
    (Image.fromarray(GRAY[:16, :16]).convert("1"), "ICO", {"bitmap_format": "png"}),
    (Image.fromarray(RGBA[:16, :16]), "ICO", {"bitmap_format": "bmp"}),
]


@pytest.mark.parametrize(("image", "form", "options"), ALIKE)
def test_pixels_are_those_of_pillow_and_nothing_is_lost(image: Image.Image, form: str, options: dict[str, Any]) -> None:
    if form == "ICO":
        options = options | {"sizes": [image.size]}
    data = encoded(image, form, **options)
    found = source(data)
    assert (found.lost, found.notes, found.partial) == ((), (), "")
    back = found.picture.to_pil()
    assert np.array_equal(np.asarray(back.convert(image.mode)), np.asarray(image))
    for damaged in (data[: len(data) * 9 // 10], data[: len(data) // 2]):
        if form != "GIF" or len(data) > 900:
            refused(damaged, "damaged|cut short|cannot be")


@pytest.mark.parametrize("form", ["GIF", "WEBP", "QOI", "JPEG2000", "TGA", "ICO", "PCX"])
def test_mutations_end_in_one_line(form: str) -> None:
    rng = random.Random(form)
    data = encoded(Image.fromarray(RGB[:16, :16]), form, **({"lossless": True} if form == "WEBP" else {}))
    messages = []
    for _ in range(80):
        mutated = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            mutated[rng.randrange(min(len(data), 200))] = rng.randrange(256)
        try:
            source(bytes(mutated), pixels=True)
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file."""
    body = b"WEBP" + b"".join(
        kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def lossless(pixels: np.ndarray) -> tuple[bytes, bytes]:
    """The chunk of a picture's pixels."""
    data = encoded(Image.fromarray(pixels), "WEBP", lossless=True, exact=True)
    at = data.index(b"VP8L")
    return b"VP8L", data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]


def extended(flags: int, width: int = 31) -> tuple[bytes, bytes]:
    return b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (22).to_bytes(3, "little")


def test_a_webp_and_its_chunks() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0"
    found = source(riff(extended(0x2C), (b"ICCP", b"odd"), lossless(RGB), (b"EXIF", exif), (b"XMP ", b"<x/>")))
    assert kinds(found) == [b"ICC ", b"eXIf", b"iTXt"]
    assert found.picture.metadata[1].data == exif[6:]
    assert found.lost == ()
    assert np.array_equal(found.picture.to_numpy(), RGB)


def test_alpha_of_a_webp_does_not_depend_on_a_flag() -> None:
    assert np.array_equal(source(riff(extended(0), lossless(RGBA))).picture.to_numpy(), RGBA)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (riff(lossless(RGB), (b"ABCD", b"x")), "a chunk of kind ABCD"),
        (riff(extended(4), lossless(RGB), (b"XMP ", b"1"), (b"XMP ", b"2")), "a chunk of kind XMP "),
        (riff(lossless(RGB)) + b"tail", "the bytes after its end"),
    ],
)
def test_what_a_webp_loses_is_named(data: bytes, said: str) -> None:
    assert source(data).lost == (said,)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (riff((b"ABCD", b"x")), "no picture"),
        (riff(extended(0, 30), lossless(RGB)), "another size"),
        (riff(lossless(RGB))[:-9], "cut short"),
    ],
)
def test_damaged_webps_are_refused(data: bytes, said: str) -> None:
    refused(data, said)


def icon(picture: bytes, kind: int = 1, count: int = 1, spot: tuple[int, int] = (0, 0), size: int = 2) -> bytes:
    """An icon, or a cursor."""
    entry = struct.pack("<4B2H2I", size, size, 0, 0, *spot, len(picture), 6 + 16 * count)
    return struct.pack("<3H", 0, kind, count) + entry * count + picture


def half(bits: int, pixels: bytes, palette: bytes = b"", mask: bytes = bytes(8)) -> bytes:
    """A bitmap of 2x2 pixels as icons have it, with a mask."""
    used = len(palette) // 4
    return bmp(2, 4, bits, pixels + mask, palette=palette, used=used)[14:]


ROWS = b"\0\1\0\0\1\1\0\0"
MASK = b"\x80\0\0\0" + bytes(4)
ICONS = [
    (icon(png(2, 2, 8, 0, bytes(6))), ColourType.GRAY, [0] * 4, ()),
    (icon(half(8, ROWS, entries((1, 2, 3), (4, 5, 6)))), ColourType.PALETTE, [1, 1, 0, 1], ()),
    (icon(half(8, ROWS, entries((1, 2, 3), (4, 5, 6)), MASK)), ColourType.PALETTE, [1, 1, 0, 1], ()),
    (
        icon(half(8, ROWS, entries((1, 2, 3), (4, 5, 6)), MASK[4:] + MASK[:4])),
        ColourType.RGBA,
        [4, 5, 6, 0, 4, 5, 6, 255, 1, 2, 3, 255, 4, 5, 6, 255],
        ("its palette, as pixels of its colours are transparent",),
    ),
    (
        icon(half(24, bytes(range(6)) + bytes(2) + bytes(8), mask=MASK)),
        ColourType.RGBA,
        [0, 0, 0, 255, 0, 0, 0, 255, 2, 1, 0, 0, 5, 4, 3, 255],
        (),
    ),
    (
        icon(half(32, bytes(range(16)), mask=MASK)),
        ColourType.RGBA,
        [10, 9, 8, 11, 14, 13, 12, 15, 2, 1, 0, 3, 6, 5, 4, 7],
        ("its mask, as it has alpha",),
    ),
    (icon(half(32, bytes(range(16))), kind=2, spot=(1, 0))[:-8], ColourType.RGBA, None, ("its hotspot",)),
    (icon(png(2, 2, 8, 0, bytes(6)), size=9), ColourType.GRAY, None, ("the other size that its directory claims",)),
    (icon(png(2, 2, 8, 0, bytes(6))) + b"tail", ColourType.GRAY, None, ("the bytes after its end",)),
]


@pytest.mark.parametrize(("data", "colour", "samples", "lost"), ICONS)
def test_icons(data: bytes, colour: ColourType, samples: list[int] | None, lost: tuple[str, ...]) -> None:
    if data.endswith(bytes(range(16))):  # without its mask
        data = data[:14] + struct.pack("<I", len(data) - 22) + data[18:]
    found = source(data)
    assert found.picture.colour is colour
    assert found.lost == lost
    assert samples is None or found.picture.to_numpy().reshape(-1).tolist() == samples


def test_a_mask_becomes_a_transparent_index() -> None:
    data = icon(half(8, ROWS, entries((1, 2, 3), (4, 5, 6)), MASK))
    assert source(data).picture.transparency == b"\0"


@pytest.mark.parametrize("size", [2, 3])
def test_icons_of_several_pictures_are_refused(size: int) -> None:
    refused(icon(png(2, 2, 8, 0, bytes(6)), count=2, size=size), "several pictures")


def test_damaged_icons_are_refused() -> None:
    refused(icon(half(24, bytes(16)))[:-1], "cut short")
    refused(icon(bmp(2, 3, 24, bytes(24))[14:]), "no mask")


def boxes(colour: bytes = b"\1\0\0\0\0\0\x10", more: bytes = b"", inside: bytes = b"") -> bytes:
    """A JPEG 2000 file of RGB with a colour box and further boxes."""
    stream = encoded(Image.fromarray(RGB), "JPEG2000", no_jp2=True, comment="a comment")

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    size = struct.pack(">IIHBBBB", 23, 31, 3, 7, 7, 0, 0)
    header = box(b"ihdr", size) + box(b"colr", colour) + inside
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", stream) + more


PROFILE = bytes(16) + b"RGB " + bytes(40)


def test_jpeg_2000_and_what_is_kept_of_it() -> None:
    found = source(boxes(b"\2\0\0" + PROFILE))
    assert found.picture.metadata == (Chunk(b"ICC ", PROFILE), Chunk(b"tEXt", b"Comment\0a comment"))
    assert found.lost == ()
    assert np.array_equal(found.picture.to_numpy(), RGB)
    assert source(boxes(more=b"\0\0\0\x0cxml <a/>")).lost == ("its further boxes",)
    stream = encoded(Image.fromarray(RGB), "JPEG2000", no_jp2=True)
    assert source(stream + b"tail").lost == ("the bytes after its end",)


@pytest.mark.parametrize(
    "data",
    [
        boxes(b"\1\0\0\0\0\0\x12"),
        boxes(b"\2\0\0" + PROFILE.replace(b"RGB ", b"CMYK")),
        boxes(inside=b"\0\0\0\x1ccdef" + struct.pack(">10H", 3, 0, 0, 1, 1, 0, 2, 2, 0, 3)),
        encoded(Image.fromarray(RGBA), "JPEG2000"),
    ],
)
def test_jpeg_2000_of_other_components_needs_pixels(data: bytes) -> None:
    with pytest.raises(InputError, match=r"may hold more .*use --pixels to keep only the pixels"):
        source(data)
    assert source(data, pixels=True).lost


def test_damaged_jpeg_2000_is_refused() -> None:
    stream = encoded(Image.fromarray(RGB), "JPEG2000", no_jp2=True, tile_size=(16, 16))
    tile = stream.index(b"\xff\x90\0\x0a\0\0")
    length = int.from_bytes(stream[tile + 6 : tile + 10], "big")
    refused(stream[:tile] + stream[tile + length :], "some of its tiles are missing")
    refused(stream[:-2], "cut short")
    signed = bytearray(stream)
    signed[stream.index(b"\xff\x51") + 40] |= 0x80
    refused(bytes(signed), "signed samples")


def test_what_a_tga_loses_is_named() -> None:
    plain = encoded(Image.fromarray(RGB), "TGA")
    assert source(encoded(Image.fromarray(RGB), "TGA", id_section=b"mine")).lost == ("its TGA description",)
    begin = plain[:-26]
    assert source(begin).lost == ()
    area = begin + bytes(495) + struct.pack("<II", len(begin), 0) + plain[-18:]
    assert source(area).lost == ("its extension area",)
    assert source(begin + bytes(9) + struct.pack("<II", 0, 5) + plain[-18:]).lost == ("its developer area",)
    assert source(begin + b"tail").lost == ("the bytes after its end",)
    assert source(plain[:8] + b"\1" + plain[9:]).lost == ("its place on a screen",)
    assert source(plain[:17] + b"\x03" + plain[18:]).lost == ("what its header says of alpha",)


def pcx(bits: int, planes: int, rows: bytes, palette: bytes = b"", tail: bytes = b"", meaning: int = 1) -> bytes:
    """A PCX file of 8x1 pixels."""
    head = struct.pack("<4B6H", 10, 5, 1, bits, 0, 0, 7, 0, 72, 72) + palette.ljust(48, b"\0") + b"\0"
    return (head + struct.pack("<BHH", planes, bits, meaning)).ljust(128, b"\0") + rows + tail


PCXS = [
    (pcx(1, 1, b"\x55"), ColourType.GRAY, 1, [0, 1] * 4),
    (pcx(1, 1, b"\x55", bytes((9, 9, 9, 255, 0, 0))), ColourType.PALETTE, 1, [0, 1] * 4),
    (pcx(1, 4, b"\x0f\xc1\xff\0\x01", bytes(range(48))), ColourType.PALETTE, 4, [2, 2, 2, 2, 3, 3, 3, 11]),
    (pcx(8, 1, b"\xc8\7", tail=b"\x0c" + bytes(768)), ColourType.PALETTE, 8, [7] * 8),
    (pcx(8, 1, b"\xc8\7", meaning=2), ColourType.GRAY, 8, [7] * 8),
    (pcx(8, 3, b"\xc8\1\xc8\2\xc8\3"), ColourType.RGB, 8, [1, 2, 3] * 8),
]


@pytest.mark.parametrize(("data", "colour", "depth", "samples"), PCXS)
def test_pcx_needs_pixels_and_keeps_its_colours(
    data: bytes, colour: ColourType, depth: int, samples: list[int]
) -> None:
    with pytest.raises(InputError, match="--pixels"):
        source(data)
    found = source(data, pixels=True)
    assert (found.picture.colour, found.picture.bit_depth) == (colour, depth)
    assert found.picture.to_numpy().reshape(-1).tolist() == samples
    assert found.lost == ("everything but its pixels and usual metadata",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pcx(8, 1, b"\xc8\7", tail=b"\x0c" + bytes(700)), "palette is missing"),
        (pcx(8, 3, b"\xc8\1\xc8\2\xc8"), "cut short"),
        (pcx(8, 3, b"\xc8\1\xc8\2"), "cut short"),
        (pcx(8, 1, b"")[:100], "header is cut short"),
        (pcx(8, 2, b""), "not supported"),
    ],
)
def test_damaged_pcx_is_refused_even_with_pixels(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        source(data, pixels=True)


def test_what_a_qoi_loses_is_named() -> None:
    data = encoded(Image.fromarray(RGB), "QOI", colorspace="sRGB")
    assert source(data + b"tail").lost == ("the bytes after its end",)
    assert source(data[:13] + b"\1" + data[14:]).lost == ("that its samples are linear",)
    refused(data[:-8] + bytes(8), "its end is missing")


@pytest.mark.parametrize(("form", "options"), [("SGI", {}), ("DDS", {}), ("MSP", {}), ("JPEG", {})])
def test_other_formats_need_pixels(form: str, options: dict[str, Any]) -> None:
    image = Image.fromarray(RGB).convert("1") if form == "MSP" else Image.fromarray(RGB)
    data = encoded(image, form, **options)
    with pytest.raises(InputError, match=f"{form} file.*--pixels"):
        source(data)
    assert source(data, pixels=True).lost == ("everything but its pixels and usual metadata",)


def test_what_pillow_warns_of_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile, SgiImagePlugin

    def warning(self: Any) -> None:
        import warnings

        warnings.warn("an odd thing", stacklevel=1)

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded(Image.fromarray(RGB), "SGI")
    refused(data[:-99], "truncated")
    assert ImageFile.LOAD_TRUNCATED_IMAGES
    monkeypatch.setattr(SgiImagePlugin.SgiImageFile, "load_end", warning)
    refused(data, "an odd thing")
