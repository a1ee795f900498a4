"""Web servers on loopback that answer as a test says, down to the bytes."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

LOOPBACK = "127.0.0.1"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A server; ``answers`` by path may be added at any time, other paths are answered 404."""

    url: URL
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[web.Request] = field(default_factory=list)

    def at(self, path: str, answer: Answer) -> str:
        """Answer at this path; returns the link."""
        self.answers[path] = answer
        return str(self.url.join(URL(path, encoded=True)))

    def serve(self, path: str, data: bytes, **headers: str) -> str:
        """Answer with the data; returns the link."""

        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=data, headers=headers)

        return self.at(path, answer)

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        """Answer with a redirect; returns the link."""

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": location})

        return self.at(path, answer)

    def asked(self, path: str) -> int:
        """How often the path was asked for."""
        return sum(request.raw_path.partition("?")[0] == path for request in self.requests)


@asynccontextmanager
async def a_site(host: str = LOOPBACK, port: int = 0, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """Serve until the context ends, on a free port unless told otherwise."""
    site = Site(URL())

    async def answer(request: web.Request) -> web.StreamResponse:
        site.requests.append(request)
        found = site.answers.get(request.raw_path.partition("?")[0])
        return web.Response(status=404) if found is None else await found(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        site.url = URL.build(scheme="https" if tls else "http", host=host, port=runner.addresses[0][1], path="/")
        yield site
    finally:
        await runner.cleanup()


@dataclass
class Wire:
    """A server that is spoken to in bytes; it counts who connects."""

    port: int = 0
    connections: int = 0


@asynccontextmanager
async def a_wire(speak: Speak) -> AsyncIterator[Wire]:
    """Listen on a free port of loopback until the context ends."""
    wire = Wire()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.connections += 1
        try:
            await speak(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    async with server:
        wire.port = server.sockets[0].getsockname()[1]
        yield wire


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    """TLS for a server whose certificate for ``name`` nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), _LOOPBACK_NAME]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = folder / "chain.pem"
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


_LOOPBACK_NAME = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
