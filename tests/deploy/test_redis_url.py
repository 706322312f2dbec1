"""The REDIS_URL that deploy/modules/store writes opens the service's store: TLS, a password, the right authority."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from features.recent_rules import RecentRules
from serving.store import RecentEventsStore
from tests.deploy.terraform_files import DEPLOY
from tests.real_redis import running_server

PASSWORD = "f3c1-00"


def terraforms_url(password: str, host: str, port: int, authority: Path) -> str:
    """Fills in the very format of the module."""
    written = re.search(r'url = format\(\s*"([^"]+)"', (DEPLOY / "modules" / "store" / "main.tf").read_text())
    assert written is not None and written[1].startswith("rediss://")
    return written[1] % (password, host, port, authority)


def _certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Returns a server's context, whose certificate names an instance and no address, and the authority's file."""
    day, now = timedelta(days=1), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} authority")])
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    authority = (
        x509.CertificateBuilder(subject, subject, authority_key.public_key(), 1, now - day, now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .add_extension(usage, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, server_name, key.public_key(), 2, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(private + certificate.public_bytes(pem))
    (folder / f"{name}-ca.pem").write_bytes(authority.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    return context, folder / f"{name}-ca.pem"


@asynccontextmanager
async def _tls_before(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Ends TLS in front of a server on loopback, as Memorystore does; yields the port."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer), return_exceptions=True)
        for stream in (writer, inner_writer):
            stream.close()
            await asyncio.gather(stream.wait_closed(), return_exceptions=True)

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _reached(url: str) -> bool:
    store = RecentEventsStore(url, RecentRules(), timeout_seconds=10.0)
    try:
        return await store.ping()
    finally:
        await store.close()


@pytest.mark.parametrize(("password", "reached"), [(PASSWORD, True), ("wrong", False)])
def test_the_service_reaches_it_with_the_password(tmp_path: Path, password: str, reached: bool) -> None:
    context, authority = _certificates(tmp_path, "instance-1")

    async def attempt(port: int) -> bool:
        async with _tls_before(port, context) as outer:
            return await _reached(terraforms_url(password, "127.0.0.1", outer, authority))

    with running_server("--requirepass", PASSWORD) as server:
        assert asyncio.run(attempt(server.port)) is reached


def test_another_authority_is_not_believed(tmp_path: Path) -> None:
    context, _ = _certificates(tmp_path, "impostor")
    _, authority = _certificates(tmp_path, "instance-1")

    async def attempt(port: int) -> bool:
        async with _tls_before(port, context) as outer:
            return await _reached(terraforms_url(PASSWORD, "127.0.0.1", outer, authority))

    with running_server("--requirepass", PASSWORD) as server:
        assert asyncio.run(attempt(server.port)) is False
