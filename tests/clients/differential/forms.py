"""Forms: what Louver decided about one and what lenient readers of multipart understood of it are the same, or Louver
refused and upstream saw nothing: over thousands of sound, odd and hostile forms, the same ones for the same seed.

usage: forms.py LOUVER [--seed SEED] [--requests N] [--only NUMBER]"""

from __future__ import annotations

import argparse
import asyncio
import collections
import email
import email.policy
import re
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from endpoints import TAG, TAGGED
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from louver import CREDENTIAL, Louver
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from upstream import Upstream
from wire import Letter, Line

MODEL, PINNED, DEAR = "voxtral-mini-latest", "voxtral-mini-2602", "mistral-large-latest"
TRANSCRIPTIONS, FILES = "/v1/audio/transcriptions", "/v1/files"


@dataclass
class Part:
    """A part of a form before it is written: each piece may be odd."""

    disposition: str
    content: bytes
    headers: list[str] = field(default_factory=list)


@dataclass
class Form:
    """A form before it is written."""

    number: int
    path: str
    parts: list[Part]
    boundary: str
    content_type: str
    kinds: list[str] = field(default_factory=list)
    preamble: bytes = b""
    epilogue: bytes = b"\r\n"
    newline: bytes = b"\r\n"
    last: bytes = b"--"

    def bytes(self) -> bytes:
        """As it is sent."""
        out, edge = self.preamble, b"--" + self.boundary.encode()
        for part in self.parts:
            lines = [f"Content-Disposition: {part.disposition}", *part.headers]
            head = self.newline.join(line.encode("utf-8", "surrogateescape") for line in lines)
            out += edge + self.newline + head + self.newline * 2 + part.content + self.newline
        return out + edge + self.last + self.epilogue


def text(name: str, value: str) -> Part:
    return Part(f'form-data; name="{name}"', value.encode())


def sound(rng: Random, number: int) -> Form:
    """A form as clients write them."""
    path, boundary = rng.choice([TRANSCRIPTIONS, FILES]), rng.choice(["----x9", "a'()+_,-./:=?b", "0" * 60])
    tag = TAG.format(number)
    file = Part('form-data; name="file"; filename="a.wav"', f"RIFF {tag} \r\n--{boundary[:-1]}".encode())
    if rng.random() < 0.7:
        file.headers.append("Content-Type: audio/wav")
    more = {
        FILES: [text("purpose", rng.choice(["fine-tune", "ocr", "audio"]))],
        TRANSCRIPTIONS: [
            text("model", rng.choice([MODEL, PINNED])),
            *rng.sample([text("language", "fr"), text("temperature", "0.2"), text("stream", "false")], rng.randrange(4)),
        ],
    }[path]
    parts = [file, *more]
    rng.shuffle(parts)
    return Form(number, path, parts, boundary, f'multipart/form-data; boundary="{boundary}"')


def again(rng: Random, form: Form):
    """A field stands twice, perhaps in another spelling."""
    part = rng.choice(form.parts)
    other = rng.choice([DEAR.encode(), part.content, b""])
    spelled = rng.choice([part.disposition, part.disposition.replace('name="', 'NAME="', 1), part.disposition.replace('"', "", 2),
                          part.disposition.replace('name="', 'name="\\', 1)])
    form.parts.insert(rng.randrange(len(form.parts) + 1), Part(spelled, other))


def misnamed(rng: Random, form: Form):
    """Names that two readers take differently."""
    names = ["model[]", "MODEL", " model", "model ", "model\0", "m%6fdel", "m\\odel", 'mo"del', "model;x", "", "_charset_",
             "purpose", "visibility", "file_id", "file_url", "fallback_models", "sample_type"]
    form.parts.append(text(rng.choice(names), rng.choice([DEAR, "workspace", "x", "https://example.com/a.wav"])))


def disposed(rng: Random, form: Form):
    """Dispositions with parameters twice, encoded, unquoted, unended, or of another kind."""
    part = rng.choice(form.parts)
    bad = ["form-data", 'form-data; name="model"; name="x"', 'form-data; name="x"; name="model"', "form-data; name=model",
           "form-data; name*=utf-8''model", 'form-data; name="model', 'attachment; name="model"', 'form-data; name="model";',
           'form-data; name="file"; filename="a"; filename="b"', 'form-data; name="file"; filename*=utf-8\'\'b',
           'form-data; name="file"; filename="../../a"', 'form-data; name="file"; filename=""', 'form-data;name="model"',
           'form-data; name="model"; filename="m"', "FORM-DATA; Name=\"model\"", 'form-data; name="mod\r\n el"',
           'form-data; name="file"; filename="a\\"; name=\\"model"', 'form-data; name="=?utf-8?q?model?="']
    part.disposition = rng.choice(bad)


def headed(rng: Random, form: Form):
    """Headers of a part that change what is in it, or hide where it begins."""
    part = rng.choice(form.parts)
    part.headers += rng.choice(
        [["Content-Transfer-Encoding: base64"], ["Content-Transfer-Encoding: quoted-printable"], ["X: y", "", "model"],
         ['Content-Disposition: form-data; name="model"'], ["Content-Type: text/plain; charset=utf-16"], ["Content-Type"],
         ["Content-Type: multipart/mixed; boundary=z"], [" folded: x"], ["X: " + "y" * 9000], ["X" * 50 + ": y"] * 40,
         ["Content-Length: 1"], ["Content-Type: audio/wav", "Content-Type: text/plain"], ["X: \x00"], [": y"]]
    )  # fmt: skip


def edged(rng: Random, form: Form):
    """Boundaries that are missing, doubled, padded, or stand elsewhere too."""
    edge = b"--" + form.boundary.encode()
    rng.choice(
        [
            lambda: setattr(form, "newline", b"\n"), lambda: setattr(form, "last", b""), lambda: setattr(form, "last", b"-"),
            lambda: setattr(form, "preamble", b"preamble\r\n"), lambda: setattr(form, "preamble", edge + b"x\r\n"),
            lambda: setattr(form, "epilogue", b"epilogue"), lambda: setattr(form, "epilogue", b""),
            lambda: setattr(form, "epilogue", b"\r\n" + edge + b'\r\nContent-Disposition: form-data; name="model"\r\n\r\nx'),
            lambda: setattr(form, "preamble", b"\r\n"), lambda: setattr(form, "last", b"-- "),
            lambda: form.parts.append(Part('form-data; name="language"', b"fr\r\n" + edge + b" \t")),
            lambda: form.parts.append(Part('form-data; name="language"', b"fr\n" + edge + b"--")),
            lambda: form.parts.append(Part('form-data; name="language"', b"fr\r\n" + edge + b"x\r\n")),
            lambda: setattr(form, "newline", b"\r"),
        ]
    )()  # fmt: skip


def announced(rng: Random, form: Form):
    """Content types that name the boundary twice, in another way, or not at all."""
    b = form.boundary
    form.content_type = rng.choice(
        [f"multipart/form-data; boundary={b}", "multipart/form-data", f"multipart/form-data; boundary={b}; boundary=x",
         f'multipart/form-data; boundary=x; boundary="{b}"', f'multipart/mixed; boundary="{b}"', f"multipart/form-data; boundary=\"{b}",
         f"Multipart/Form-Data; BOUNDARY=\"{b}\"", f"multipart/form-data; boundary*=utf-8''{b}", "application/x-www-form-urlencoded",
         f'multipart/form-data; charset=utf-16; boundary="{b}"', f"multipart/form-data;boundary={b},x", f"multipart/form-data; boundary=\"{b} \"",
         "application/json", f"multipart/form-data; boundary={b} x", f"multipart/form-data, multipart/form-data; boundary={b}"]
    )  # fmt: skip


def valued(rng: Random, form: Form):
    """Values that a lenient reader coerces, or that are no text."""
    values = [b"true", b"True", b"1", b"\xff\xfe", DEAR.encode(), b"voxtral-mini-latest ", b"Voxtral-Mini-Latest", b"", b"null",
              b"voxtral-mini-latest\0", b"batch", b"1e400", b"0x1", b"fr\r\nX: y", "вoxtral".encode(), b"voxtral-mini-latest\r\n"]
    part = rng.choice(form.parts)
    if b"RIFF" not in part.content:
        part.content = rng.choice(values)


def damaged(rng: Random, body: bytes) -> bytes:
    """Bytes are lost or changed, though not those of the tag."""
    at = rng.randrange(len(body))
    piece = rng.choice([b"", b"\r", b"\n", b"-", b'"', b";", b"\0", b"\r\n"])
    made = body[:at] + piece + body[at + rng.randrange(4) :]
    return made if TAGGED.search(made) else body


ODD = (again, again, misnamed, disposed, disposed, headed, edged, edged, announced, valued)


def form_of(seed: str, number: int) -> tuple[Form, bytes]:
    """The form of that number and its bytes; the same for the same seed."""
    rng = Random(f"forms:{seed}:{number}")
    made = sound(rng, number)
    for odd in rng.sample(ODD, rng.choice([1, 1, 2])) if rng.random() < 0.75 else ():
        odd(rng, made)
        made.kinds.append(odd.__name__)
    body = made.bytes()
    if rng.random() < 0.1:
        body = damaged(rng, body)
        made.kinds.append("damaged")
    return made, body


@dataclass(frozen=True)
class Understood:
    """What a reader makes of a form: its fields as they come, and what is in its files."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]

    def of(self, name: str) -> list[str]:
        """The values of a field, in the order in which they stand."""
        return [value for known, value in self.fields if known == name]


async def starlette_reads(content_type: str, body: bytes) -> Understood | None:
    """As FastAPI does, over python-multipart."""

    async def stream():
        yield body

    try:
        read = await MultiPartParser(Headers({"content-type": content_type}), stream()).parse()
    except (MultiPartException, KeyError, ValueError, AssertionError):
        return None
    fields, files = [], []
    for name, value in read.multi_items():
        if isinstance(value, UploadFile):
            files.append((name, sha256(await value.read()).hexdigest()))
        else:
            fields.append((name, value))
    return Understood(tuple(sorted(fields)), tuple(files))


# Readers of mail take a delimiter at the start of any line, whatever ends the line before it. For HTTP that is content.
MAIL_ONLY = re.compile(rb"(?:\r|(?<!\r)\n)--")


def mail_reads(content_type: str, body: bytes) -> Understood:
    """As a reader of mail does: another program, with other habits."""
    whole = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    fields, files = [], []
    for part in whole.iter_parts() if whole.is_multipart() else ():
        name, content = part.get_param("name", "", "content-disposition"), part.get_payload(decode=True) or b""
        if part.get_filename() is None:
            fields.append((name, content.decode("utf-8", "replace")))
        else:
            files.append((name, sha256(content).hexdigest()))
    return Understood(tuple(sorted(fields)), tuple(files))


@dataclass
class Seen:
    """A form as upstream got it."""

    path: str
    authorization: str
    content_type: str
    body: bytes


class Wrong(Exception):
    """Louver and upstream disagree."""


def holds(truth, what):
    if not truth:
        raise Wrong(what)


def app(seen: dict) -> FastAPI:
    """An upstream that takes every form and notes it."""
    made = FastAPI(openapi_url=None)

    @made.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def taken(request: Request, path: str):
        body = await request.body()
        headers = request.headers
        note = Seen("/" + path, headers.get("authorization", ""), headers.get("content-type", ""), body)
        tags = {int(found) for found in TAGGED.findall(body)}
        # Louver itself asks for models now and then.
        if not tags and (request.method, note.path, body) != ("GET", "/v1/models", b""):
            seen[-1].append(note)
        for tag in tags:
            seen[tag].append(note)
        if "/" + path == FILES:
            file = {"object": "file", "bytes": 1, "created_at": 1, "filename": "a", "purpose": "ocr", "sample_type": "x", "source": "upload"}
            return JSONResponse({"id": f"00000000-0000-4000-8000-{len(seen):012d}", **file})
        usage = {"prompt_audio_seconds": 1, "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        return JSONResponse({"model": PINNED, "text": "Yes.", "language": None, "segments": [], "usage": usage})

    return made


def judge(form: Form, body: bytes, status: int, seen: list[Seen]) -> str:
    """What became of a form; raises `Wrong`."""
    holds(status < 500, f"answered {status}")
    holds(len(seen) <= 1, f"upstream saw it {len(seen)} times")
    if not seen:
        holds(status >= 400, f"answered {status}, and upstream saw nothing")
        holds(form.kinds, f"a sound form was answered {status}")
        return "refused"
    got = seen[0]
    holds(status < 300, f"answered {status}, and upstream saw {got}")
    holds((got.path, got.authorization) == (form.path, "Bearer " + CREDENTIAL), f"it arrived at {got.path}")
    told = asyncio.run(starlette_reads(got.content_type, got.body))
    holds(told is not None, "upstream could not read what Louver wrote")
    holds(told == mail_reads(got.content_type, got.body), f"two readers of what Louver wrote disagree: {told}")
    holds(all(len(told.of(name)) == 1 for name, _ in told.fields), f"a field went upstream twice: {told.fields}")
    models = [PINNED] if form.path == TRANSCRIPTIONS else []
    holds(told.of("model") == models, f"upstream was told the models {told.of('model')}")
    holds(told.of("visibility") in ([], ["workspace"]), f"upstream was told {told.fields}")
    readings = {"FastAPI": asyncio.run(starlette_reads(form.content_type, body))}
    if not MAIL_ONLY.search(body):
        readings["mail"] = mail_reads(form.content_type, body)
    for name, own in readings.items():
        holds(own is not None, f"a reader like {name} makes nothing of the client's own bytes, and upstream got {told}")
        holds(own.files == told.files, f"a reader like {name} finds the files {own.files}, upstream got {told.files}")
        for field_name in ("model", "purpose", "language", "temperature", "stream", "file_id", "file_url"):
            wanted = [PINNED if value == MODEL else value for value in own.of(field_name)]
            holds(wanted == told.of(field_name), f"a reader like {name} says {field_name} is {wanted}, upstream {told.fields}")
    return "accepted"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("louver")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--only", type=int)
    # Every suite is told what the one `louver dev` of all suites printed; this one runs its own.
    parser.add_argument("dev", nargs="?")
    arguments = parser.parse_args()
    seen = collections.defaultdict(list)
    upstream = Upstream(app(seen))
    louver = Louver(arguments.louver, upstream.url)
    secret, wrong, outcomes = louver.admin("POST", "/v1/api-keys", {"name": "forms"})["key"], [], collections.Counter()
    line = Line(tuple(louver.host.rsplit(":", 1)))
    try:
        for number in [arguments.only] if arguments.only is not None else range(arguments.requests):
            form, body = form_of(arguments.seed, number)
            headers = [("Host", louver.host), ("Authorization", "Bearer " + secret), ("Content-Type", form.content_type)]
            answer = line.ask(Letter(form.path, body, headers=headers))[0]
            try:
                outcome = judge(form, body, answer.status, seen.get(number, []))
            except Wrong as error:
                outcome = "wrong"
                wrong.append(f"form {number} of seed {arguments.seed} ({', '.join(form.kinds) or 'sound'}): {error}\n"
                             f"        sent as {form.content_type}: {body[:2000]!r}")  # fmt: skip
            outcomes.update((kind, outcome) for kind in form.kinds or ["sound"])
    finally:
        line.drop()
        ended = louver.stop()
        upstream.stop()
    few = arguments.only is None and min(sum(count for (_, what), count in outcomes.items() if what == wanted)
                                         for wanted in ("accepted", "refused")) < arguments.requests // 10  # fmt: skip
    checks = {
        f"{sum(outcomes.values())} oddities of forms of seed {arguments.seed}: decided as understood, or refused": wrong,
        "upstream saw no form that nobody sent": [str(note) for note in seen.get(-1, [])],
        "both accepted and refused forms": ["nearly all went one way"] if few else [],
        "louver ended well after forms": [f"with {ended}"] if ended else [],
    }
    for name, found in checks.items():
        print(f"{'not ok  ' if found else 'ok      '}differential: {name}")
        for each in found[:5]:
            print(f"        {each}")
    counts = [f"{kind} {outcomes[kind, 'accepted']}/{outcomes[kind, 'refused']}" for kind in sorted({kind for kind, _ in outcomes})]
    print(f"        accepted/refused: {', '.join(counts)}")
    return 1 if any(checks.values()) else 0


sys.exit(main())
