"""Every setting of the server, with its default, its unit and its limits.

A flag beats the environment (`ORDERS_PORT=9000`), which beats a `.env` file in the working
directory.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEFAULT_PORT = 8080
ENV_FILE = ".env"


class Settings(BaseSettings):
    """The server's settings. Times are seconds, sizes are bytes, rates are messages a second."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERS_",
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",  # Notepad begins its files with a mark
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    port: int | None = Field(None, ge=0, le=65535, description="port; 0 takes any free one")
    lan: bool = Field(False, description="listen on every address, for a class")
    address: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]{1,253}$",
        description="the address or name that the class is told, where the first found is wrong",
    )
    journal: str = Field("orders.db", description="the SQLite file, or `memory`")

    engine: str = Field(
        "sqlite",
        description="`sqlite`, or the NATS servers that keep the journal for several machines, such"
        " as nats://one:4222,nats://two:4222",
    )
    engine_replicas: int = Field(
        1, ge=1, le=5, description="NATS servers that keep each event: 1, 3 or 5"
    )
    engine_synced: bool = Field(
        False, description="the NATS servers have `sync_interval: always`, so accepted means synced"
    )
    engine_creds: str | None = Field(None, description="a NATS credentials file")
    engine_ca: str | None = Field(
        None, description="a file with the CA of the NATS servers, for TLS"
    )
    engine_patience: float = Field(
        4.0, gt=0, description="silence of the NATS servers after which an event is refused"
    )

    host_token: str | None = Field(
        None, min_length=16, description="made again at each start if unset"
    )
    proxy_headers: bool = Field(False, description="trust X-Forwarded-* of a proxy in front")
    allow_host: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="further names this server is called by"
    )
    allow_origin: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="further web origins whose pages may join, such as https://school.example"
    )

    lease: float = Field(
        30.0, gt=0, description="how long a participant may hold an event, unacked"
    )
    max_attempts: int = Field(5, ge=1, description="deliveries before an event is a dead letter")

    rate: float = Field(50.0, ge=0, description="events a second per participant; 0 sets no limit")
    burst: int = Field(100, ge=1, description="events at once per participant")
    max_message: int = Field(64 * 1024, ge=1024, description="largest message")
    max_participants: int = Field(1000, ge=1, description="participants in a room")
    max_rooms: int = Field(100, ge=1, description="rooms on the server")
    max_unread: int = Field(1024 * 1024, ge=1024, description="unread output of a participant")
    max_unread_total: int = Field(
        256 * 1024 * 1024, ge=1024, description="unread output of all; the largest is cut off first"
    )
    slow_grace: float = Field(
        2.0, gt=0, description="how long unread output may stay above its limit"
    )
    abusive_grace: float = Field(
        5.0, gt=0, description="how long a rate may be exceeded without pause"
    )
    heartbeat: float = Field(20.0, gt=0, description="time between pings")
    heartbeat_timeout: float = Field(
        40.0, gt=0, description="silence after which a connection is gone"
    )

    lesson: Path | None = Field(
        None, description="a file with a lesson of your own, such as my.toml"
    )

    log_json: bool = Field(False, description="log as JSON lines")

    @field_validator("port", mode="before")
    @classmethod
    def _ours(cls, value: object) -> object:
        """Kubernetes sets ORDERS_PORT=tcp://… for a service called `orders`: that is not ours."""
        return None if isinstance(value, str) and value.startswith("tcp://") else value

    @field_validator("allow_host", "allow_origin", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Several names in one environment variable are separated by commas."""
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("engine")
    @classmethod
    def _known(cls, value: str) -> str:
        """The one on this machine, or addresses."""
        schemes = ("nats://", "tls://", "ws://", "wss://")
        if value != "sqlite" and not all(
            address.strip().startswith(schemes) for address in value.split(",")
        ):
            raise ValueError("must be sqlite, or addresses such as nats://localhost:4222")
        return value

    @property
    def journal_path(self) -> Path | None:
        """Where the journal lies; None while it lives in memory."""
        if self.journal in ("memory", ":memory:"):
            return None
        return Path(os.path.expanduser(self.journal))
