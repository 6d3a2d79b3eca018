"""Corpora: fetching from a local server, dead leaves, van Hateren's files, and the commands."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ridecodec.cli import corpora as commands
from ridecodec.cli.app import cli
from ridecodec.corpora import dead_leaves, fetch, manifest, van_hateren
from ridecodec.corpora.manifest import Corpus, File
from ridecodec.errors import InputError, OutputError, OutputExistsError, UsageError

DATA = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HALF = len(DATA) // 2
GOLDEN = "8ada36f71f9fbdaf7a0aa304460d35fbbd7857c3299663f384a01327d46d9222"
"""SHA-256 of the samples of dead leaves 0 of series 0."""


class Handler(BaseHTTPRequestHandler):
    """Serves DATA; the path says in which way."""

    def do_GET(self) -> None:
        kind = self.path.rsplit("/", 1)[1]
        span = self.headers.get("Range")
        self.server.asked.append((kind, span))  # type: ignore[attr-defined]
        if kind == "moved":
            self.answer(302, Location="/ranges")
        elif kind == "missing":
            self.answer(404, b"<html>no such file</html>")
        elif kind == "silent":
            self.server.stop.wait(10)  # type: ignore[attr-defined]
        elif kind == "rude":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif kind == "elsewhere" and span:
            self.answer(206, DATA, **{"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"})
        elif kind == "endless":
            self.answer(200, DATA + b"more", Content_Length=None)
        elif kind == "cut":
            self.answer(200, DATA[:HALF], Content_Length=len(DATA))
        elif kind == "plain" or not span:
            self.answer(200, DATA)
        elif (start := int(span.removeprefix("bytes=").removesuffix("-"))) >= len(DATA):
            self.answer(416, **{"Content-Range": f"bytes */{len(DATA)}"})
        else:
            self.answer(206, DATA[start:], **{"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"})

    def answer(self, status: int, body: bytes = b"", **headers: Any) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.stop = threading.Event()

    def file(self, kind: str, size: int | None = len(DATA), sha256: str | None = SHA256) -> File:
        return File(f"http://127.0.0.1:{self.server_port}/{kind}", size, sha256)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.stop.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file"


def part(target: Path, content: bytes | None = None) -> Path:
    """The unfinished file of ``target``, made with ``content``."""
    path = target.with_name("file.part")
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["ranges", "plain", "moved"])
@pytest.mark.parametrize("known", [True, False])
def test_fetch_whole(server: Server, target: Path, kind: str, known: bool) -> None:
    told: list[tuple[int, int | None]] = []
    file = server.file(kind) if known else server.file(kind, None, None)
    assert fetch.fetch(file, target, lambda done, total: told.append((done, total))) == SHA256
    assert target.read_bytes() == DATA
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert told[-1] == (len(DATA), len(DATA))
    assert fetch.is_here(file, target)


@pytest.mark.parametrize("known", [True, False])
def test_resume_after_a_cut(server: Server, target: Path, known: bool) -> None:
    size = len(DATA) if known else None
    with pytest.raises(InputError, match=f"after {HALF:,} of {len(DATA):,} bytes: run the same command again"):
        fetch.fetch(server.file("cut", size), target)
    assert not target.exists()
    assert part(target).read_bytes() == DATA[:HALF]
    assert fetch.fetch(server.file("ranges", size), target) == SHA256
    assert server.asked[-1] == ("ranges", f"bytes={HALF}-")
    assert target.read_bytes() == DATA
    assert not part(target).exists()


@pytest.mark.parametrize("kind", ["moved", "plain"])
def test_resume_elsewhere(server: Server, target: Path, kind: str) -> None:
    """A redirection is asked for the rest too; a server that knows no ranges sends all again."""
    part(target, DATA[:HALF])
    assert fetch.fetch(server.file(kind), target) == SHA256
    assert server.asked[-1][1] == f"bytes={HALF}-"
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(("known", "asked"), [(True, 0), (False, 1)])
def test_a_complete_part_is_not_fetched_again(server: Server, target: Path, known: bool, asked: int) -> None:
    part(target, DATA)
    assert fetch.fetch(server.file("ranges", len(DATA) if known else None), target) == SHA256
    assert len(server.asked) == asked


@pytest.mark.parametrize("known", [True, False])
def test_a_part_that_is_too_long_is_dropped(server: Server, target: Path, known: bool) -> None:
    part(target, DATA + b"more")
    assert fetch.fetch(server.file("ranges", len(DATA) if known else None), target) == SHA256
    assert server.asked[-1] == ("ranges", None)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("ranges", {"sha256": "0" * 64}, f"SHA-256 is {SHA256} instead of 0000"),
        ("ranges", {"size": len(DATA) + 1}, "sends 300,000 bytes instead of 300,001"),
        ("ranges", {"size": len(DATA) - 1}, "sends 300,000 bytes instead of 299,999"),
        ("endless", {}, "sends 300,004 bytes instead of 300,000"),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_another_file_is_not_kept(
    server: Server, target: Path, kind: str, change: dict[str, Any], said: str, begun: bool
) -> None:
    if begun:
        part(target, DATA[:HALF])
    with pytest.raises(InputError, match=said):
        fetch.fetch(server.file(kind, **change), target)
    assert not target.exists()
    assert not part(target).exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "answers 404 Not Found"),
        ("rude", "cannot be reached"),
        ("silent", r"no answer for 0\.2 seconds"),
        ("elsewhere", "asked for the bytes from 150,000 on and sends bytes 0-"),
    ],
)
def test_a_server_that_fails(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, kind: str, said: str
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    part(target, DATA[:HALF])
    with pytest.raises(InputError, match=said):
        fetch.fetch(server.file(kind), target)
    assert part(target).read_bytes() == DATA[:HALF]
    assert not target.exists()


def test_a_reset_connection(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection = listening.accept()[0]
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + DATA[: fetch._CHUNK])
                halted.wait(10)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        halted = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        file = File(f"http://127.0.0.1:{listening.getsockname()[1]}/file", len(DATA), SHA256)
        with pytest.raises(InputError, match=r"connection broke \(.*\): run the same command again"):
            fetch.fetch(file, target, lambda done, total: halted.set())
        thread.join()
    assert part(target).read_bytes() == DATA[: fetch._CHUNK]


def test_offline(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(InputError, match=r"cannot be reached \(Connection refused\): check the network connection"):
        fetch.fetch(File(f"http://127.0.0.1:{port}/file"), target)

    def unknown(*args: Any, **options: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(
        InputError, match=r"cannot be reached \(Name or service not known\): check the network connection"
    ):
        fetch.fetch(File("http://pictures.invalid/file"), target)
    assert not target.parent.exists()


def test_no_place_to_write(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        fetch.fetch(server.file("ranges"), tmp_path / "file" / "x")


def test_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    assert not fetch.is_here(File("http://x/file"), target)
    target.write_bytes(DATA)
    assert fetch.is_here(File("http://x/file"), target)
    for other in (File("http://x/file", len(DATA) + 1), File("http://x/file", len(DATA), "0" * 64)):
        with pytest.raises(OutputExistsError, match="--force"):
            fetch.is_here(other, target)
    with pytest.raises(OutputExistsError, match="a different or damaged file"):
        fetch.is_here(File("http://x/file"), tmp_path)

    def fail(path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fetch, "sha256", fail)
    with pytest.raises(InputError, match="file: cannot be read: Permission denied"):
        fetch.is_here(File("http://x/file", len(DATA), SHA256), target)


def test_manifests() -> None:
    assert manifest.names() == ["brodatz", "bsds300", "cifar10", "kodak", "van-hateren"]
    corpora = {name: manifest.corpus(name) for name in manifest.names()}
    for name, corpus in corpora.items():
        assert corpus.name == name
        assert corpus.what
        assert corpus.licence
        assert len({file.name for file in corpus.files}) == len(corpus.files) > 0
        for file in corpus.files:
            assert file.address.startswith("https://")
            assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16))
    assert (corpora["kodak"].bytes, corpora["kodak"].checkable) == (15_394_305, 24)
    assert (corpora["brodatz"].bytes, corpora["brodatz"].checkable) == (None, 0)
    with pytest.raises(UsageError, match="there is no corpus 'lena'"):
        manifest.corpus("lena")


def test_dead_leaves_stay_the_same() -> None:
    picture = dead_leaves.picture(0, 0)
    assert (picture.shape, picture.dtype) == ((256, 256), np.uint8)
    assert hashlib.sha256(picture.tobytes()).hexdigest() == GOLDEN
    np.testing.assert_array_equal(dead_leaves.picture(0, 0), picture)


def test_dead_leaves_differ() -> None:
    pictures = [dead_leaves.picture(seed, index, 64) for seed, index in ((0, 0), (0, 1), (1, 0))]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert 0.9 < np.mean(picture != other) < 1


@pytest.mark.parametrize("size", [1, 5, 100])
def test_dead_leaves_one_disk_after_another(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The same as painting pixel by pixel, in the order of the disks, however many are drawn at a time."""
    monkeypatch.setattr(dead_leaves, "_BATCH", 4096)
    picture = dead_leaves.picture(7, 3, size)
    words = np.random.PCG64(np.random.SeedSequence((7, 3)))
    expected = np.full((size, size), -1)
    at = np.arange(size) * dead_leaves.UNIT + dead_leaves.UNIT // 2
    while (expected < 0).any():
        for x, y, square, value in zip(*dead_leaves._disks(words.random_raw(1000), size), strict=True):
            disk = (at[:, None] - y) ** 2 + (at - x) ** 2 <= square
            expected[disk & (expected < 0)] = value
    np.testing.assert_array_equal(picture, expected)


def test_dead_leaves_radii() -> None:
    """Of disks with density r^-3, a share of about (smallest / r)^2 has a radius above r."""
    uniform = np.arange(0, 2**32, 2**12, dtype=np.uint64)
    squares = dead_leaves.squared_radii(uniform)
    low, high = dead_leaves.SMALLEST**2, dead_leaves.LARGEST**2
    assert (squares[0], squares.dtype) == (low, np.int64)
    assert (np.diff(squares) >= 0).all()
    assert high // 2 < squares[-1] <= high
    assert dead_leaves.squared_radii(np.array([2**32 - 1], np.uint64))[0] <= high
    for ratio in (2, 8, 32):
        expected = (1 / ratio**2 - low / high) / (1 - low / high)
        assert np.mean(squares > low * ratio**2) == pytest.approx(expected, rel=0.02)


def test_van_hateren(tmp_path: Path) -> None:
    expected = np.random.default_rng(1).integers(0, 2**16, (1024, 1536), np.uint16)
    path = tmp_path / "imk00001.iml"
    path.write_bytes(expected.astype(">u2").tobytes())
    loaded = van_hateren.load(path)
    assert loaded.dtype == np.uint16
    assert loaded.dtype.isnative
    np.testing.assert_array_equal(loaded, expected)
    for content, said in (
        (b"short", "has 5 bytes instead of 3,145,728"),
        (bytes(van_hateren.SIZE + 2), "has more than 3,145,728 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"imk00001\.iml: {said}"):
            van_hateren.load(path)
    with pytest.raises(InputError, match="nosuch: cannot be read: No such file"):
        van_hateren.load(tmp_path / "nosuch")


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["corpora", *args], prog_name="ridecodec")


def test_list_command() -> None:
    result = run("list")
    assert result.exit_code == 0
    for text in ("kodak: 24 photographs", "15,394,305 bytes", "of 24 of 24", "of 0 of 111", "non-commercial"):
        assert text in result.stdout
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [each["name"] for each in listed] == manifest.names()
    assert listed[3]["files"][0]["bytes"] == 736_501


@pytest.fixture
def tiny(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A corpus of two files instead of those of the manifests; nothing is known of the second one."""
    corpus = Corpus("tiny", "", "", "", "", (server.file("ranges"), server.file("plain", None, None)))
    monkeypatch.setattr(manifest, "corpus", lambda name: corpus)
    return server


def test_fetch_command(tiny: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIDECODEC_DATA", str(tmp_path))
    result = run("fetch", "tiny")
    assert (result.exit_code, result.stdout) == (0, "")
    first, second = (tmp_path / "tiny" / name for name in ("ranges", "plain"))
    assert result.stderr.splitlines() == [
        f"{first}: 300,000 bytes, checked",
        f"{second}: 300,000 bytes, SHA-256 {SHA256}, not checked: the manifest has no SHA-256",
    ]
    assert first.read_bytes() == second.read_bytes() == DATA
    asked = len(tiny.asked)
    assert run("fetch", "tiny").stderr.count("already downloaded") == 2
    assert len(tiny.asked) == asked
    first.write_bytes(b"mine")
    result = run("fetch", "tiny", "--out", str(tmp_path))
    assert result.exit_code == 5
    assert "already exists" in result.stderr
    assert first.read_bytes() == b"mine"
    assert run("fetch", "tiny", "--force").exit_code == 0
    assert first.read_bytes() == DATA


def test_fetch_command_fails(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus("tiny", "", "", "", "", (server.file("missing"), server.file("ranges")))
    monkeypatch.setattr(manifest, "corpus", lambda name: corpus)
    result = run("fetch", "tiny", "--out", str(tmp_path))
    assert result.exit_code == 3
    assert result.stderr == (
        f"ridecodec: {corpus.files[0].address}: the server answers 404 Not Found: "
        "see the home page that 'ridecodec corpora list' shows\n"
    )
    assert len(server.asked) == 1
    assert run("fetch", "tiny", "--out", str(tmp_path), "--keep-going").exit_code == 3
    assert (tmp_path / "tiny" / "ranges").read_bytes() == DATA


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("fetch", "lena", "--out", "."), "there is no corpus 'lena'"),
        (("fetch", "kodak"), "--out"),
        (("make", "dead-leaves"), "--out"),
        (("make", "dead-leaves", "--out", ".", "--size", "0"), "--size"),
        (("make", "live-leaves"), "live-leaves"),
    ],
)
def test_usage_errors(monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], said: str) -> None:
    monkeypatch.delenv("RIDECODEC_DATA", raising=False)
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_make_command(tmp_path: Path) -> None:
    args = ("make", "dead-leaves", "--out", str(tmp_path / "new"), "--images", "3", "--size", "40", "--seed", "5")
    result = run(*args)
    assert (result.exit_code, result.output) == (0, "")
    paths = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in paths] == [f"dead-leaves-000{n}.png" for n in range(3)]
    for index, path in enumerate(paths):
        with Image.open(path) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), dead_leaves.picture(5, index, 40))
    paths[0].unlink()
    paths[2].write_bytes(b"mine")
    result = run(*args)
    assert result.exit_code == 5
    assert "dead-leaves-0001.png already exists" in result.stderr
    assert not paths[0].exists()
    assert paths[2].read_bytes() == b"mine"
    assert run(*args, "--force").exit_code == 0
    assert paths[2].stat().st_size > 100


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with commands._bar("kodim01.png", "B") as advance:
        assert advance is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with commands._bar("kodim01.png", "B") as advance:
        assert advance is not None
        for done in (1_000_000, 2_000_000):
            advance(done, 3_000_000)
    assert "kodim01.png" in capsys.readouterr().err
