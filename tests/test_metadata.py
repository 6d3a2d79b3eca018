"""Chunks of metadata: which categories they belong to, what they say in words, damaged ones too."""

from __future__ import annotations

import string
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ridecodec.errors import UsageError
from ridecodec.files import metadata
from ridecodec.picture import Chunk, ColourType, Picture

MARK, PALETTE, TRANSPARENT = Chunk(b"IDAT", b""), Chunk(b"PLTE", bytes(6)), Chunk(b"tRNS", b"\0")
XMP = metadata.xmp_chunk(b"<xmp/>")
KINDS = {
    b"iCCP": "icc",
    b"ICC ": "icc",
    b"eXIf": "exif",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"gAMA": "colour",
    b"cHRM": "colour",
    b"sRGB": "colour",
    b"cICP": "colour",
    b"sBIT": "colour",
    b"pHYs": "resolution",
    b"bKGD": "background",
    b"sPLT": "suggestions",
    b"hIST": "suggestions",
    b"prVt": "other",
    b"caNv": "other",
}
CHUNKS = st.builds(
    Chunk,
    st.one_of(
        st.sampled_from([*KINDS, b"PLTE", b"tRNS", b"IDAT"]),
        st.text(string.ascii_letters, min_size=4, max_size=4).map(str.encode),
    ),
    st.one_of(st.binary(max_size=40), st.just(XMP.data), st.just(b"Raw profile type exif\0\0x")),
)


@given(st.lists(CHUNKS), st.sets(st.sampled_from(metadata.CATEGORIES)))
@example([XMP, MARK, XMP], {"xmp"})
def test_what_is_stripped_is_gone_and_all_else_stays(chunks: list[Chunk], kinds: set[str]) -> None:
    kept = metadata.strip(chunks, kinds)
    wanted = [chunk for chunk in chunks if metadata.category(chunk) not in kinds]
    assert [chunk for chunk in kept if chunk.kind != b"IDAT"] == [chunk for chunk in wanted if chunk.kind != b"IDAT"]
    assert not kept or kept[-1].kind != b"IDAT"
    assert list(kept) == wanted[: len(kept)]


@given(st.lists(CHUNKS))
def test_all_leaves_what_the_pixels_need(chunks: list[Chunk]) -> None:
    kept = metadata.strip(chunks, ["all"])
    needed = [chunk for chunk in chunks if chunk.kind in (b"PLTE", b"tRNS")]
    assert [chunk for chunk in kept if chunk.kind != b"IDAT"] == needed


@pytest.mark.parametrize(("kind", "category"), KINDS.items())
def test_categories(kind: bytes, category: str) -> None:
    assert metadata.category(Chunk(kind, b"")) == category
    assert metadata.strip([Chunk(kind, b""), PALETTE, MARK, TRANSPARENT], [category]) == (PALETTE, MARK, TRANSPARENT)
    others = set(metadata.CATEGORIES) - {category}
    assert metadata.strip([Chunk(kind, b"")], others) == (Chunk(kind, b""),)


@pytest.mark.parametrize(
    ("chunk", "category"),
    [
        (XMP, "xmp"),
        (Chunk(b"tEXt", XMP.data), "text"),
        (Chunk(b"zTXt", b"Raw profile type exif\0\0"), "exif"),
        (Chunk(b"tEXt", b"Raw profile type APP1\0"), "exif"),
        (Chunk(b"zTXt", b"Raw profile type icc\0\0"), "icc"),
        (Chunk(b"zTXt", b"Raw profile type xmp\0\0"), "xmp"),
        (Chunk(b"zTXt", b"Raw profile type iptc\0\0"), "text"),
        (Chunk(b"tEXt", b"exif\0"), "text"),
    ],
)
def test_categories_of_texts(chunk: Chunk, category: str) -> None:
    assert metadata.category(chunk) == category


def test_unknown_categories() -> None:
    with pytest.raises(UsageError, match="unknown metadata 'gps'; choose from all, icc, exif"):
        metadata.strip([], ["exif", "gps"])


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (PALETTE, "palette of 2 colours"),
        (TRANSPARENT, "transparency"),
        (MARK, "place of the pixels"),
        (Chunk(b"gAMA", (45455).to_bytes(4, "big")), "gamma 0.45455"),
        (Chunk(b"gAMA", b"123"), "gamma (malformed)"),
        (Chunk(b"sRGB", b"\0"), "sRGB, perceptual"),
        (Chunk(b"sRGB", b"\7"), "sRGB, (malformed)"),
        (Chunk(b"iCCP", b"Adobe RGB\0\0..."), "ICC profile Adobe RGB"),
        (Chunk(b"iCCP", b"Adobe RGB"), "ICC profile (malformed)"),
        (Chunk(b"ICC ", b"..."), "ICC profile"),
        (Chunk(b"cICP", b"\x09\x10\0\1"), "colour code points 9/16/0/1"),
        (Chunk(b"sBIT", b"\5\6\5"), "significant bits 5, 6, 5"),
        (
            Chunk(b"pHYs", (11811).to_bytes(4, "big") * 2 + b"\1"),
            "resolution 11811 x 11811 pixels per metre (300 x 300 dpi)",
        ),
        (Chunk(b"pHYs", b"\0\0\0\1\0\0\0\2\0"), "resolution of unknown unit, 1 : 2"),
        (Chunk(b"tIME", b"\x07\xd0\1\2\3\4\5"), "time stamp 2000-01-02 03:04:05"),
        (Chunk(b"tEXt", b"Title\0a \npicture\x07"), "text Title: a  picture "),
        (Chunk(b"tEXt", b"Title"), "text (malformed)"),
        (Chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"x" * 99)), f"text Title: {'x' * 60}..."),
        (Chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(2**24 + 1))), f"text Title: {' ' * 60}..."),
        (Chunk(b"zTXt", b"Title\0\0garbage"), "text (malformed)"),
        (Chunk(b"iTXt", b"Title\0\0\0\0\0" + "文".encode() * 99), f"text Title: {'文' * 60}..."),
        (Chunk(metadata.RECIPE, b"recipe"), "how to restore the exact PNG file"),
        (Chunk(b"iTXt", b"Title\0\1\0en\0Titel\0" + zlib.compress("文".encode())), "text Title: 文"),
        (XMP, "XMP"),
        (Chunk(b"prVt", b""), "of unknown meaning"),
    ],
)
def test_chunks_in_words(chunk: Chunk, words: str) -> None:
    assert metadata.describe(chunk) == words


@given(CHUNKS)
def test_every_chunk_has_words(chunk: Chunk) -> None:
    words = metadata.describe(chunk)
    assert words
    assert words.isprintable()


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_texts_round_trip(keyword: str, content: str) -> None:
    chunk = metadata.text_chunk(keyword, content)
    if chunk is None:
        assert "\0" in keyword + content or any(char > "\xff" for char in keyword)
    elif any("\ud800" <= char <= "\udfff" for char in content):
        assert chunk.kind == b"iTXt"
    else:
        assert metadata.text(chunk) == (keyword, content)


@pytest.mark.parametrize("keyword", ["", "x" * 80])
def test_keywords_that_no_chunk_has(keyword: str) -> None:
    assert metadata.text_chunk(keyword, "text") is None


@pytest.mark.parametrize(
    ("chunks", "profile"),
    [
        ([Chunk(b"ICC ", b"raw")], b"raw"),
        ([MARK, Chunk(b"iCCP", b"name\0\0" + zlib.compress(b"packed"))], b"packed"),
        ([Chunk(b"iCCP", b"name\0\0garbage")], None),
        ([Chunk(b"iCCP", b"name")], None),
        ([Chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(2**24 + 1)))], None),
        ([], None),
    ],
)
def test_profiles(chunks: list[Chunk], profile: bytes | None) -> None:
    assert metadata.profile(chunks) == profile


SWELLING = zlib.compress(bytes(9 << 20))


def test_texts_are_few_enough_for_memory() -> None:
    """Deflated texts swell a thousandfold: those of a file have an end all together, and the others are still shown."""
    swelling = Chunk(b"zTXt", b"k\0\0" + SWELLING)
    plain = [Chunk(b"tEXt", b"a\0b"), Chunk(b"gAMA", bytes(4))]
    assert [len(each[2]) for each in metadata.texts([swelling] * 50 + plain)] == [9 << 20, 1]


@pytest.mark.parametrize("stream", [SWELLING, SWELLING[:-4] + b"good", SWELLING[:-5]], ids=["good", "wrong", "cut"])
def test_failures_spend_the_budget_too(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    inflated = []

    class Counting:
        def __init__(self) -> None:
            self._real = real()

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

        def decompress(self, data: bytes, most: int) -> bytes:
            inflated.append(most)
            return self._real.decompress(data, most)

    real = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    chunks = [Chunk(b"zTXt", b"k\0\0" + stream), Chunk(b"iTXt", XMP.data[:18] + b"\1\0\0\0" + stream)] * 100
    picture = Picture(np.zeros((1, 1, 1), np.uint8), ColourType.GRAY, 8, (Chunk(b"iCCP", b"n\0\0" + stream), *chunks))
    picture.to_pil()
    assert sum(inflated) < (1 << 24) + 300 * (1 << 16)


def test_a_palette_that_no_pixel_needs_is_a_suggestion() -> None:
    chunks = (Chunk(b"PLTE", bytes(6)), Chunk(b"hIST", bytes(4)))
    assert metadata.strip(chunks, ["suggestions"]) == chunks[:1]
    assert metadata.strip(chunks, ["suggestions"], indexed=False) == ()
    assert metadata.strip(chunks, ["text"], indexed=False) == chunks


def test_xmp_is_kept_byte_for_byte() -> None:
    odd = b"<x>\xff\xfe</x>"
    assert metadata.xmp([metadata.xmp_chunk(odd)]) == odd
    packed = Chunk(b"iTXt", metadata.XMP_KEYWORD.encode() + b"\0\1\0\0\0" + zlib.compress(odd))
    assert metadata.xmp([XMP, packed]) == b"<xmp/>"
    broken = Chunk(packed.kind, packed.data[:-8])
    assert metadata.xmp([broken, packed]) == odd
    assert metadata.xmp([broken, Chunk(b"tEXt", b"Title\0" + odd)]) is None
