"""HTTP/1.1 by hand: a request is bytes, so that it can be wrong in every way; answers are read until they end."""

from __future__ import annotations

import http.client
import io
import socket
from dataclasses import dataclass, field

PATIENCE = 15


@dataclass
class Answer:
    """An answer as a client got it."""

    status: int
    content_type: str
    body: bytes


@dataclass
class Letter:
    """A request before it is written: each part may be odd."""

    path: str
    body: bytes
    method: str = "POST"
    version: str = "HTTP/1.1"
    headers: list[tuple[str, str]] = field(default_factory=list)
    # Framing, and a whole message in place of all the rest.
    framing: list[tuple[str, str]] | None = None
    written: bytes | None = None
    # Bytes behind the request, on the same connection.
    behind: bytes = b""
    # The connection is not used again, and the client may end its half of it.
    alone: bool = False
    hang_up: bool = False

    def bytes(self) -> bytes:
        framing = [("Content-Length", str(len(self.body)))] if self.framing is None else self.framing
        headers = [*self.headers, *framing, *([("Connection", "close")] if self.alone and not self.behind else [])]
        lines = [f"{self.method} {self.path} {self.version}", *(f"{name}: {value}" for name, value in headers)]
        head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
        return head + (self.body if self.written is None else self.written) + self.behind


class Line:
    """A client's connection, kept open while nothing odd happens on it."""

    def __init__(self, address: tuple[str, int]):
        self.address = address
        self.kept = None

    def ask(self, letter: Letter) -> list[Answer]:
        """Sends a request and answers what came back: for one that is alone, everything until the end."""
        if letter.alone:
            return self._ask_alone(letter)
        if self.kept is None:
            self.kept = self._connect()
        try:
            self.kept.sendall(letter.bytes())
            answer, ends = read(self.kept, letter.method)
        except BaseException:
            self.drop()
            raise
        if ends:
            self.drop()
        return [answer]

    def drop(self):
        if self.kept is not None:
            self.kept.close()
            self.kept = None

    def _connect(self) -> socket.socket:
        made = socket.create_connection(self.address, timeout=PATIENCE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _ask_alone(self, letter: Letter) -> list[Answer]:
        with self._connect() as connection:
            got = bytearray()
            try:
                connection.sendall(letter.bytes())
                if letter.hang_up:
                    connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    got += piece
            except ConnectionError:
                # The server closed on what it would not read.
                pass
            return list(all_of(bytes(got), letter.method))


def all_of(received: bytes, method: str):
    """The answers in what was received until the end."""
    source = Received(received)
    while source.tell() < len(received):
        yield read(source, method)[0]


class Received(io.BytesIO):
    """Received bytes, as a socket that http.client can read answer after answer off."""

    def makefile(self, *_arguments):
        return self

    def close(self):
        """Does nothing: the next answer is still to be read."""


def read(connection: socket.socket | Received, method: str) -> tuple[Answer, bool]:
    """One answer, past those that only inform, and whether the connection ends with it."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    body = response.read()
    return Answer(response.status, response.headers.get("content-type", ""), body), response.will_close
