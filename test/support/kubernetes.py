"""A Kubernetes API server, as far as one pod's annotations are concerned: HTTPS, bearer tokens, merge patches."""

import asyncio
import datetime
import ipaddress
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from queue_agent.lifecycle.pod_deletion_cost import ANNOTATION, Pod

NAMESPACE, NAME = "art", "sdruntime-5d8f-x7k2p"
LOST = 0
"""Instead of a status: the write is carried out, and its answer lost."""


@dataclass
class ApiServer:
    """One pod on a loopback port, and the folder that its containers see as their service account."""

    account: Path
    url: URL = field(default_factory=URL)
    tokens: set[str] = field(default_factory=lambda: {"token-1"})
    refusals: deque[int] = field(default_factory=deque)
    """Statuses that the next requests are answered with, before anything is written."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, requests are taken and not answered."""
    waiting: int = 0
    asked: int = 0
    costs: list[str] = field(default_factory=list)
    """What was written, in order."""
    annotations: dict[str, Any] = field(default_factory=lambda: {"karpenter.sh/do-not-disrupt": "true"})

    @property
    def pod(self) -> Pod:
        return Pod(api=self.url, namespace=NAMESPACE, name=NAME, account=self.account)

    def mount(self, token: str) -> None:
        """What the kubelet does when it rotates the token."""
        (self.account / "token").write_text(token)

    async def patch(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _status(401, "Unauthorized")
        if request.content_type != "application/merge-patch+json":
            return _status(415, "the body of the request was in an unknown format")
        if (request.match_info["namespace"], request.match_info["pod"]) != (NAMESPACE, NAME):
            return _status(403, f'pods "{request.match_info["pod"]}" is forbidden: it is not your own pod')
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal:
            return _status(refusal, "no")
        (added,) = (await request.json())["metadata"]["annotations"].items()
        assert added[0] == ANNOTATION
        self.annotations.update([added])
        self.costs.append(added[1])
        if refusal == LOST:
            assert request.transport
            request.transport.abort()
        return web.json_response({"kind": "Pod", "metadata": {"name": NAME, "annotations": self.annotations}})


@asynccontextmanager
async def api_server(folder: Path, *, trusted: bool = True) -> AsyncIterator[ApiServer]:
    """Listens on a free loopback port. ``trusted``: whether the mounted authority vouches for it."""
    account, key, certificate = folder / "account", folder / "key.pem", folder / "certificate.pem"
    account.mkdir()
    certify(certificate, key)
    if trusted:
        (account / "ca.crt").write_bytes(certificate.read_bytes())
    else:
        certify(account / "ca.crt", folder / "unused.pem")
    server = ApiServer(account)
    server.mount("token-1")
    server.open.set()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    app = web.Application()
    app.router.add_patch("/api/v1/namespaces/{namespace}/pods/{pod}", server.patch)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        server.url = URL.build(scheme="https", host="127.0.0.1", port=runner.addresses[0][1])
        yield server
    finally:
        server.open.set()
        await runner.cleanup()


def certify(certificate: Path, key: Path) -> None:
    """A new key and a certificate of it for 127.0.0.1, signed by itself."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _status(code: int, message: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return web.json_response(status, status=code, headers={"Location": "/elsewhere"})
