"""Finding a NATS server that can keep the journal: the way there, and why it fails in words."""

import asyncio
import importlib.util
import re
import ssl
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from orders.errors import CannotStart
from orders.files import check_file
from orders.journal.nats.client import DirectClient

LISTEN = 1.0  # seconds in which a server that hangs up may say why
EXAMPLE = "--engine nats://localhost:4222"
NO_TLS = "the server speaks no TLS, and tls:// asks for it"
_is_address = re.compile(r"(?:(?:nats|tls)://)?[^/?#\s]*?[^/?#@\s:]+(:\d{1,5})?/?").fullmatch

#: What NATS says, as one of our codes and what is to be done; the first that fits.
_SAID: list[tuple[str, str, str]] = [
    (
        r"permissions violation",
        "engine_forbidden",
        "does not let this login do what the journal needs: allow it to publish and to subscribe"
        " to orders.>, $JS.>, $KV.> and _INBOX.>.",
    ),
    (
        r"authorization|authentication|user_credentials|seed|jwt",
        "engine_forbidden",
        "refuses this login: check the name and password in --engine, or the file of"
        " --engine-creds.",
    ),
    (
        r"speaks no TLS",
        "engine_not_encrypted",
        "cannot be trusted with the login: give it a `tls` block, or name it as nats://….",
    ),
    (
        r"ssl|certificate",
        "engine_certificate",
        "shows a certificate that this machine does not trust: name the CA that signed it with"
        " --engine-ca, and the server by a name that its certificate has.",
    ),
    (
        r"maximum (account )?(active )?connections",
        "engine_full",
        "takes no more connections: raise its `max_connections`, or those of the account.",
    ),
    (
        r"maximum (number of )?streams|maximum consumers|resource limits|exceeded",
        "engine_full",
        "has no room for the journal: raise the limits of the account or of JetStream (streams,"
        " consumers, storage, `max_payload`).",
    ),
]


async def within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Do this, or `TimeoutError`.

    Before Python 3.12 `wait_for` can swallow a cancellation, and a library that waits by it and
    tries again for ever would then never end. So it is cancelled until it has.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
        task.result()
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)


def cannot_start(addresses: Sequence[str], said: object) -> CannotStart | None:
    """Why a server of NATS cannot keep the journal, as far as it `said` so; else None."""
    for pattern, code, sentence in _SAID:
        if re.search(pattern, str(said), re.IGNORECASE):
            return CannotStart(
                code, f"The NATS server at {shown(addresses)} ({_plain(said)}) {sentence}"
            )
    return None


def unreachable(addresses: Sequence[str], said: object) -> CannotStart:
    return cannot_start(addresses, said) or CannotStart(
        "engine_unreachable",
        f"No NATS server answers at {shown(addresses)} ({_plain(said)}): start one with"
        f" `nats-server -js`, or name another, such as {EXAMPLE}.",
    )


def unusable(addresses: Sequence[str], said: object) -> CannotStart:
    return cannot_start(addresses, said) or CannotStart(
        "engine_unusable",
        f"JetStream cannot keep the journal ({_plain(said) or 'no answer'}): it needs file"
        " storage, and as many servers as --engine-replicas says.",
    )


def shown(addresses: Sequence[str]) -> str:
    """The addresses without what is secret in them."""
    return ", ".join(re.split("@|://", address)[-1] for address in addresses)


def _plain(said: object) -> str:
    """What the library says, on a line and without what only it needs."""
    return re.sub(r"^nats: |'", "", " ".join(str(said).split()))[:120]


def check_addresses(addresses: Sequence[str]) -> None:
    """Refuse what no server of NATS can be named by."""
    for address in addresses:
        port = address.rpartition(":")[2].rstrip("/")
        if not _is_address(address) or (port.isdigit() and not 0 < int(port) < 65536):
            raise CannotStart(
                "engine_address",
                f"--engine names no server of NATS ({shown([address]) or 'nothing'}): write"
                f" nats://host:port or tls://host:port, such as {EXAMPLE}.",
            )


def trusting(ca: str) -> ssl.SSLContext:
    """What trusts the certificates that a CA in this file signed."""
    try:
        check_file(ca)
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # an SSLError is one, too
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise CannotStart(
            "engine_certificate",
            f"The file {ca} of --engine-ca cannot be used ({reason}): it must hold the certificate"
            " of the CA in PEM, which begins with -----BEGIN CERTIFICATE-----.",
        ) from None


def readable(creds: str) -> str:
    """This file, if it can be read as credentials."""
    try:
        check_file(creds)
        text = Path(creds).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
    else:
        reason = "" if "BEGIN NATS USER JWT" in text else "it holds no credentials"
    if reason:
        raise CannotStart(
            "engine_forbidden",
            f"The file {creds} of --engine-creds cannot be used ({reason}): it must be what"
            " `nsc generate creds` writes, which begins with -----BEGIN NATS USER JWT-----.",
        )
    if importlib.util.find_spec("nkeys") is None:
        raise CannotStart(
            "engine_missing",
            "A file of credentials needs a library that is not installed: pip install nkeys.",
        )
    return creds


class EncryptedClient(DirectClient):
    """A client that says nothing, and no login, to a server that speaks no TLS."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and not info.get("tls_required"):
            raise NatsError(NO_TLS)
        await super()._process_info(info, initial_connection)


async def overheard(addresses: Sequence[str]) -> str:
    """What a server that hangs up says before anyone speaks to it: the library does not hear it."""
    for address in addresses:
        host, _, port = shown([address]).rstrip("/").rpartition(":")
        try:
            async with asyncio.timeout(LISTEN):
                reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                said = (await reader.read()).decode(errors="replace")
                writer.close()
        except (OSError, TimeoutError, ValueError):
            continue
        if found := re.search(r"^-ERR '(.*)'", said, re.MULTILINE):
            return found[1]
    return ""
