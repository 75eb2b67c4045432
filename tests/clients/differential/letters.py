"""The requests of the test, each made from a seed and its number alone: sound ones, and odd ones of every kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from bodies import BYTES, DEAR, TREES, put, tree, written
from endpoints import ENDPOINTS, TAG, Endpoint, tags_in
from wire import Letter

TYPES = [
    "application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON", "text/plain",
    "application/vnd.api+json", "application/json; charset=utf-16", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "application/json, text/plain", "application/json; boundary=x", "", "*/*",
    "application/json;charset=utf-8;charset=utf-16", "application/jsonx", "\tapplication/json",
]  # fmt: skip
HEADERS = [
    ("X-Model", DEAR), ("Mistral-Model", DEAR), ("X-Original-URL", "/v1/files"), ("X-HTTP-Method-Override", "GET"),
    ("X-Forwarded-Host", "evil.test"), ("Content-Encoding", "gzip"), ("Content-Encoding", "identity"),
    ("Content-Encoding", "identity, gzip"), ("Content-Type", "text/plain"), ("Content-Type", "application/json"),
    ("Host", "evil.test"), ("Cookie", "model=" + DEAR), ("Connection", "keep-alive, authorization"), ("Upgrade", "h2c"),
    ("Authorization", "Bearer nobody"), ("X-Api-Key", "nobody"), ("Expect", "100-continue"), ("Accept", "text/event-stream"),
    ("Accept", "application/json"), ("Transfer-Encoding", "identity"), ("Trailer", "authorization"), ("Range", "bytes=0-1"),
]  # fmt: skip


@dataclass
class Case:
    """One request of the test, and what it was made as."""

    number: int
    endpoint: Endpoint
    key: int
    letter: Letter
    kinds: list[str]

    @property
    def sound(self) -> bool:
        """Whether nothing is odd about it, so that it must be accepted."""
        return not self.kinds

    @property
    def tag(self) -> int:
        return self.number * 2

    @property
    def hidden_tag(self) -> int:
        """The tag of the request that may hide behind it, which must never arrive."""
        return self.number * 2 + 1


def case(seed: str, number: int, keys: list[str], host: str) -> Case:
    """The request of that number; the same for the same seed."""
    rng = Random(f"{seed}:{number}")
    endpoint = ENDPOINTS[number % len(ENDPOINTS)]
    made = Case(number, endpoint, rng.randrange(len(keys)), Letter(endpoint.path, b""), [])
    document = tree(endpoint.valid(rng, rng.choice(endpoint.models), TAG.format(made.tag)))
    how = rng.random()
    for odd in rng.sample(TREES, rng.choice([1, 1, 2, 3])) if how < 0.5 else ():
        odd(rng, document, endpoint)
        made.kinds.append(odd.__name__)
    text = tagged(rng, document, made.tag)
    made.letter.body = text.encode("utf-8", "surrogatepass")
    if 0.45 < how < 0.7:
        odd = rng.choice(BYTES)
        made.letter.body = odd(rng, text)
        made.kinds.append(odd.__name__)
        # Where the damage hit the tag, nobody could tell whose request it is.
        while mistaken(made.letter.body, made.tag):
            made.letter.body = odd(rng, text)
    bearer = ("Authorization", "Bearer " + keys[made.key])
    made.letter.headers = [("Host", host), bearer, ("Content-Type", "application/json")]
    if 0.68 < how < 0.85:
        odd = rng.choice(HEADS)
        odd(rng, made, host)
        made.kinds.append(odd.__name__)
    return made


def tagged(rng: Random, document: list, tag: int) -> str:
    """The document as text, in which the tag stands also when what had it is gone."""
    text = written(rng, document, oddly := rng.choice([0, 0, 0.2, 1]))
    if mistaken(text.encode("utf-8", "surrogatepass"), tag):
        put(document, "metadata", tree({"tag": TAG.format(tag)}))
        text = written(rng, document, oddly)
    return text


def mistaken(body: bytes, tag: int) -> bool:
    """Whether a lenient reader takes the body for another request's, or for nobody's."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return set(tags_in(body)) != {tag}


def typed(rng: Random, made: Case, host: str):
    """Another content type, or none."""
    made.letter.headers = [*made.letter.headers[:2], *[("Content-Type", rng.choice(TYPES))] * rng.randrange(3)]


def headed(rng: Random, made: Case, host: str):
    """Headers that somebody might believe."""
    extra = rng.sample(HEADERS, rng.choice([1, 1, 2]))
    made.letter.headers = [*made.letter.headers, *extra] if rng.random() < 0.5 else [*extra, *made.letter.headers]
    made.letter.alone = True


def asked(rng: Random, made: Case, host: str):
    """A query, or a path in another spelling."""
    path = made.endpoint.path
    made.letter.path = rng.choice(
        [
            f"{path}?model={DEAR}", f"{path}?", f"{path}?stream=true&n=8", f"{path}/", f"/{path}", path.upper(),
            path.replace("/v1/", "/v1//"), path.replace("/v1/", "/v1/./"), path.replace("/v1/", "/v1/x/../"),
            path.replace("/v1/", "/v1/%2e%2e/v1/"), path.replace("c", "%63", 1), path.replace("m", "%6d", 1),
            path.replace("/v1", "/v1;x=1"), path.replace("/", "\\"), f"{path}%00", f"{path}%2f", f"{path}#x",
            f"http://{host}{path}", f"http://evil.test{path}", f"https://{host}{path}", f"//evil.test{path}",
            f"{path} HTTP/1.1\r\nX: y", f"{path}\t", f"{path};model={DEAR}", f"{path}/../embeddings", "*", "",
            path.removeprefix("/v1"), f"{path}\u00e9", f"/v1/models/{DEAR}", "/v1/files", "/v1/agents/completions",
        ]
    )  # fmt: skip
    made.letter.alone = True


def spoken(rng: Random, made: Case, host: str):
    """Another method or version."""
    made.letter.method = rng.choice(["post", "Post", "PUT", "PATCH", "GET", "HEAD", "TRACE", "CONNECT", "POST ", "PO\tST", "POST"])
    made.letter.version = rng.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/0.9", "HTTP/1.1 "])
    made.letter.alone = True


def authorized(rng: Random, made: Case, host: str):
    """The key in another spelling or place."""
    key = made.letter.headers[1][1].removeprefix("Bearer ")
    made.letter.headers[1] = rng.choice(
        [
            ("Authorization", f"bearer {key}"), ("Authorization", f"Bearer  {key}"), ("Authorization", f"Basic {key}"),
            ("Authorization", key), ("X-Api-Key", key), ("Authorization", f"Bearer {key}, Bearer {key}"),
            ("Authorization", f"Bearer {key[:-1]}"), ("Authorization", f"Bearer {key}x"), ("X-None", "x"),
            ("Authorization", f"Bearer {key.swapcase()}"), ("Proxy-Authorization", f"Bearer {key}"),
        ]
    )  # fmt: skip
    made.letter.alone = True


def in_chunks(rng: Random, body: bytes, extended: bool) -> bytes:
    """The body in chunks of any size, with extensions and zeros where they are asked for."""
    out = b""
    while body:
        piece, body = body[: (size := rng.randrange(1, 60))], body[size:]
        digits = f"{len(piece):{rng.choice(['x', 'X', '04x'])}}" + (rng.choice([";a=b", ' ; a="b"', ""]) if extended else "")
        out += digits.encode() + b"\r\n" + piece + b"\r\n"
    return out


def cut_up(rng: Random, made: Case, host: str):
    """Chunks, sound or not, with and without trailers."""
    letter = made.letter
    letter.framing, letter.alone, letter.hang_up = [("Transfer-Encoding", "chunked")], True, True
    ends = [b"0\r\n\r\n"] * 4 + [b"0\r\nAuthorization: Bearer x\r\nX-Model: y\r\n\r\n", b"0\n\n", b"", b"00000000000000000\r\n\r\n"]
    letter.written = in_chunks(rng, letter.body, rng.random() < 0.3) + rng.choice(ends)
    if rng.random() < 0.4:
        bad = [(b"\r\n", b"\n"), (b"1", b"+1"), (b"1", b"0x1"), (b"\r\n", b" \r\n"), (b"2", b"fffffffffffffffff2"), (b"3", b"-3")]
        letter.written = letter.written.replace(*rng.choice(bad), 1)
    # Only a client that waits may end its half: to hang up is to leave.
    letter.hang_up = False if letter.written.endswith(b"\r\n\r\n") else letter.hang_up


def framed(rng: Random, made: Case, host: str):
    """Two lengths, or one that is no number; and behind it a request that must not be seen as one."""
    letter, body = made.letter, made.letter.body
    hidden = smuggled(made, host)
    size = str(len(body))
    letter.framing = rng.choice(
        [
            [("Content-Length", size), ("Content-Length", size)], [("Content-Length", size), ("Content-Length", "0")],
            [("Content-Length", f"+{size}")], [("Content-Length", f"{size}, {size}")], [("Content-Length", f"0x{len(body):x}")],
            [("Content-Length", size), ("Transfer-Encoding", "chunked")], [("Transfer-Encoding", "xchunked")],
            [("Transfer-Encoding", "chunked, identity")], [("Transfer-Encoding", "chunked"), ("Content-Length", size)],
            [("Transfer-Encoding", "gzip, chunked")], [("Transfer-Encoding", "\x0bchunked"), ("Content-Length", size)],
            [("Content-Length ", size)], [("Content-Length", str(len(body) + len(hidden))), ("Connection", "close")], [("Content-Length", "0")], [],
            [("Content-Length", size), ("X", "y\nTransfer-Encoding: chunked")], [("X", "y\r\n folded"), ("Content-Length", size)],
            [("Content-Length", size), ("X", "y\rz")], [("Content-Length", "99999999999999999999")], [("Content-Length", size)],
        ]
    )  # fmt: skip
    letter.behind, letter.alone = hidden, True
    letter.hang_up = any(value.startswith("9999") for _, value in letter.framing)


def smuggled(made: Case, host: str) -> bytes:
    """A whole request for a model that the key may not use, from behind another one."""
    body = {"model": DEAR, "messages": [{"role": "user", "content": TAG.format(made.hidden_tag)}]}
    letter = Letter(ENDPOINTS[0].path, json.dumps(body).encode(), headers=made.letter.headers, alone=True)
    return letter.bytes()


HEADS = (typed, typed, headed, headed, asked, asked, spoken, authorized, cut_up, cut_up, framed, framed)
