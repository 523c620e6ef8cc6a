"""Connections to an engine behind TLS: kept, watched and cut as plain ones are."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.wire import EngineCut, Wire
from ia0_daemon.errors import EngineTimeout
from ia0_daemon.settings.engine_address import parse
from tests.fakes import bounded
from tests.scripted_engine import ScriptedEngine, cut, piece, say, until

PATH = "/api/chat"
BODY = b'{"messages": [1]}'


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "engine")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "engine.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def secured(engine: ScriptedEngine, certificate: Path) -> ScriptedEngine:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    engine._server.socket = context.wrap_socket(engine._server.socket, server_side=True)
    return engine


@pytest.fixture
def wire(secured: ScriptedEngine, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    wire = Wire(parse(secured.url.replace("http:", "https:")), 30)
    yield wire
    wire.close()


def read(wire: Wire, patience: Patience) -> bytes:
    exchange = wire.post(PATH, BODY, patience)
    text = exchange.body()
    exchange.close()
    return text


def test_an_answer_comes_and_its_connection_is_kept(secured: ScriptedEngine, wire: Wire) -> None:
    for _ in range(3):
        assert b"world" in read(wire, bounded(30))
    assert len(secured.connections) == 1


def test_silence_is_bounded(secured: ScriptedEngine, wire: Wire) -> None:
    secured.scripts = [[until(threading.Event())]]
    with pytest.raises(EngineTimeout):
        wire.post(PATH, BODY, bounded(0.1))


def test_an_answer_that_is_cut_gives_its_lines_first(secured: ScriptedEngine, wire: Wire) -> None:
    secured.scripts = [[say(piece("one")), cut]]
    exchange = wire.post(PATH, BODY, bounded(30))
    lines = exchange.lines()
    assert b"one" in next(lines)[0]
    with pytest.raises(EngineCut, match="mid-answer"):
        next(lines)
    exchange.close()
