"""JSON as nobody should write it: documents with keys that stand twice, odd literals, escapes and encodings."""

from __future__ import annotations

import gzip
import json
import urllib.parse
from random import Random

from endpoints import Endpoint

DEAR = "mistral-large-latest"
MODERATION = "mistral-moderation-2603"
# Names that look like an allowed one, are another's, or are known to nobody.
NAMES = [
    DEAR, "mistral-large-2512", "mistral-medium-3-5", "mistral-medium", "mistral-medium-2604", "zai-glm-5-2",
    "magistral-medium-latest", "Mistral-Small-Latest", " mistral-small-latest", "mistral-small-latest ",
    "mistral-small-latest\0", "mistral-small-latest\n", "mistral\u2011small\u2011latest", "mistral-sm\u0430ll-latest",
    "\uff4distral-small-latest", "mistral-small-latest\u200b", "mistral-small-latest/../mistral-large-latest", "", "*",
    "ft:mistral-small-latest:x:y", "mistral-small", "codestral", "null", "mistral-small-latest,mistral-large-latest",
    "mistral-embed", "mistral-small-latest", "mistral-moderation-2603", "a" * 129, "../models", "mistral_small_latest",
]  # fmt: skip


class Raw(str):
    """A literal that is written as it stands."""


class Pairs(list):
    """An object that may have a key twice: pairs of a key and a value. A key may be Raw, too."""


# Values that a lenient reader coerces, rounds, or takes for something else.
COERCIBLE = [
    "8", "4.0", " 8 ", "true", "on", "yes", "1", "", "٣", "1_000", True, False, None, 0, 1, -1, 128, 129, [], {}, [8],
    {"": 8}, Raw("4.0"), Raw("1e0"), Raw("1E2"), Raw("0.1e1"), Raw("-0"), Raw("8.0000000000000000001"), Raw("2.5"),
    Raw("9223372036854775807"), Raw("9223372036854775808"), Raw("18446744073709551617"), Raw("1" * 400), Raw("1e400"),
    Raw("-1e400"), Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("+1"), Raw("01"), Raw("0x8"), Raw(".5"), Raw("1."),
    Raw("True"), Raw("nil"), Raw("undefined"), Raw('"\\ud83d"'), Raw("1e-400"), Raw("'8'"), Raw("/*x*/8"), Raw("8//x\n"),
]  # fmt: skip

# The same, and what is right: a bounded key may have 2,000 tokens.
COUNTS = [2, 3, 4, 16, 128, 499, 500, 1_000, 1_900, 1_999, 2_000, 2_001, 100_000, True, False]
FIELDS = [
    "model", "stream", "n", "max_tokens", "messages", "prompt", "input", "tools", "guardrails", "service_tier",
    "max_output_tokens", "document", "pages", "document_annotation_format", "bbox_annotation_format", "instructions",
    "inputs", "store", "completion_args", "voice_id", "ref_audio", "response_format", "agent_id", "handoff_execution",
]  # fmt: skip
UNKNOWN = [
    "models", "fallback_models", "route", "MODEL", "Model", " model", "model ", "model\0", "m\u043edel", "model_name",
    "max_completion_tokens", "previous_response_id", "store", "background", "agent_id", "best_of", "__proto__", "extra_body", "stream\u200b", "N", "\u0000", "",
]  # fmt: skip


def tree(value):
    """The same document as pairs."""
    if isinstance(value, dict):
        return Pairs([key, tree(inner)] for key, inner in value.items())
    return [tree(inner) for inner in value] if isinstance(value, list) else value


def written(rng: Random, value, oddly: float) -> str:
    """The document as text; `oddly` is how likely a character is escaped and a blank is put in."""
    blank = rng.choice(["", " ", "\n", "\t ", "\r\n"]) if rng.random() < oddly else ""
    if isinstance(value, Raw):
        return blank + value
    if isinstance(value, str):
        return blank + quoted(rng, value, oddly)
    if isinstance(value, Pairs):
        inner = [f"{written(rng, key, oddly)}{blank}:{written(rng, what, oddly)}" for key, what in value]
        return blank + "{" + ",".join(inner) + "}" + blank
    if isinstance(value, dict):
        return written(rng, tree(value), oddly)
    if isinstance(value, list):
        return blank + "[" + ",".join(written(rng, what, oddly) for what in value) + "]" + blank
    return blank + json.dumps(value)


def quoted(rng: Random, text: str, oddly: float) -> str:
    """A string literal, here and there with escapes that need not be."""
    out = []
    for letter in text:
        if rng.random() < oddly / 4:
            units = letter.encode("utf-16-be", "surrogatepass")
            pairs = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
            out += [f"\\u{pair.upper() if rng.random() < 0.5 else pair}" for pair in pairs]
        else:
            out.append(json.dumps(letter, ensure_ascii=rng.random() < 0.5)[1:-1])
    return '"' + "".join(out) + '"'


def objects(value) -> list[Pairs]:
    """All objects of a document, the outermost first."""
    own = [value] if isinstance(value, Pairs) else []
    inner = [what for _, what in value] if isinstance(value, Pairs) else value if isinstance(value, list) else []
    return own + [found for what in inner for found in objects(what)]


def put(document: Pairs, name: str, value):
    """Sets a field, wherever it stood."""
    for pair in document:
        if pair[0] == name:
            pair[1] = value
            return
    document.append([name, value])


def twice(rng: Random, document: Pairs, endpoint: Endpoint):
    """A key stands twice in some object, the second time perhaps with escapes."""
    found = [pairs for pairs in objects(document) if pairs]
    pairs = rng.choice(found)
    key, value = rng.choice(pairs)
    other = rng.choice([value, value, DEAR, None, rng.choice(COERCIBLE), rng.choice(endpoint.models)])
    again = Raw(quoted(rng, key, 2)) if isinstance(key, str) and not isinstance(key, Raw) and key else key
    pairs.insert(rng.randrange(len(pairs) + 1), [rng.choice([key, again]), other])


def coerced(rng: Random, document: Pairs, endpoint: Endpoint):
    """A field holds what a lenient reader makes into another type."""
    own = [key for key, _ in document] or FIELDS
    put(document, rng.choice(rng.choice([FIELDS, own])), rng.choice(COERCIBLE))


def counted(rng: Random, document: Pairs, endpoint: Endpoint):
    """As `coerced`, on the fields that money depends on."""
    name, value = rng.choice(["n", "max_tokens", "max_output_tokens", "stream"]), rng.choice([*COERCIBLE, *COUNTS])
    arguments = [what for key, what in document if key == "completion_args" and isinstance(what, Pairs)]
    put(rng.choice([document, *arguments]), name, value)


def named(rng: Random, document: Pairs, endpoint: Endpoint):
    """Another model's name, or one that looks like a model's."""
    put(document, "model", rng.choice([*NAMES, *endpoint.models]))


def unknown(rng: Random, document: Pairs, endpoint: Endpoint):
    """A field that nobody documents."""
    name = rng.choice(UNKNOWN)
    document.insert(rng.randrange(len(document) + 1), [name, rng.choice([DEAR, [DEAR], 8, True, None])])


def without(rng: Random, document: Pairs, endpoint: Endpoint):
    """A field is missing."""
    if document:
        document.pop(rng.randrange(len(document)))


def nested(rng: Random, document: Pairs, endpoint: Endpoint):
    """Deep nesting, in a place where anything goes."""
    depth = rng.choice([5, 30, 61, 62, 63, 64, 65, 100, 500, 5000])
    left, right = rng.choice([("[", "]"), ('{"a":', "}")])
    put(document, "metadata", Raw('{"x":' + left * depth + "1" + right * depth + "}"))


def guarded(rng: Random, document: Pairs, endpoint: Endpoint):
    """A second place that names a model."""
    kind = rng.choice(["moderation_llm_v1", "moderation_llm_v2", "moderation_llm_v3"])
    name = rng.choice([DEAR, MODERATION, rng.choice(NAMES), None, 8])
    settings = rng.choice([{"model_name": name}, {}, {"model_name": MODERATION, "Model_Name": DEAR}])
    put(document, "guardrails", tree([{kind: settings, "block_on_error": True}]))


def tooled(rng: Random, document: Pairs, endpoint: Endpoint):
    """Tools that cost, hidden in various ways."""
    kind = rng.choice(["web_search", "web_search_premium", "code_interpreter", "function", "Function", "connector", None])
    tool = {"type": kind, "function": {"name": "f", "parameters": {}}}
    hidden = rng.choice([tool, {"type": kind}, {"connector_id": "x"}, {"function": {}}, "web_search", [tool]])
    put(document, "tools", tree([hidden]))


def chunked(rng: Random, document: Pairs, endpoint: Endpoint):
    """Content that has its own price or owner."""
    chunk = rng.choice(
        [
            {"type": "file", "file_id": "x"}, {"type": "document_url", "document_url": "https://example.com/x.pdf"},
            {"type": "input_audio", "input_audio": "AAAA"}, {"type": "image_url", "image_url": "data:image/png;base64,AA"},
            {"type": "text", "text": "x", "file_id": "y"}, {"type": "unheard"}, {"text": "x"}, 8, None,
        ]
    )  # fmt: skip
    for name, value in document:
        if name == "messages" and isinstance(value, list) and value and isinstance(value[-1], Pairs):
            value.append(tree({"role": "user", "content": [chunk]}))


def unsound(rng: Random, document: Pairs, endpoint: Endpoint):
    """A string that is no text."""
    broken = ['"\\ud800"', '"\\udc00\\ud800"', '"a\tb"', '"\\x41"', '"\\u12"', '"\\u{41}"', '"a\x00b"', '"a\x7fb"', '"\\']
    document.append([Raw(rng.choice(['"stop"', '"metadata"', '"user"'])), Raw(rng.choice(broken))])


TREES = (twice, twice, coerced, counted, counted, named, named, unknown, without, nested, guarded, tooled, chunked, unsound)


def recoded(rng: Random, text: str) -> bytes:
    """The text in another encoding, or in two."""
    return rng.choice(
        [
            lambda: b"\xef\xbb\xbf" + text.encode("utf-8", "surrogatepass"),
            lambda: text.encode("utf-16", "surrogatepass"),
            lambda: text.encode("utf-16-le", "surrogatepass"),
            lambda: text.encode("utf-16-be", "surrogatepass"),
            lambda: text.encode("utf-32-le", "surrogatepass"),
            lambda: text.encode("latin-1", "replace"),
            lambda: text.encode("utf-8", "surrogatepass").replace(b"a", b"\xc1\xa1", 1),
            lambda: text.encode("utf-7", "replace"),
        ]
    )()


def followed(rng: Random, text: str) -> bytes:
    """Something stands before or behind the document."""
    body = text.encode("utf-8", "surrogatepass")
    second = json.dumps({"model": DEAR, "messages": []}).encode()
    behind = rng.choice([second, b",", b"\0", b"}", b"]", b" \n\t", b"//x", b"/**/", b"\x1e" + second, b"\n" + second, b"x"])
    return rng.choice([body + behind, behind + body])


def broken(rng: Random, text: str) -> bytes:
    """Bytes are changed, lost, doubled or added."""
    body = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(body) + 1)
        choice = rng.randrange(4)
        if choice == 0:
            body[at : at + 1] = bytes([rng.randrange(256)])
        elif choice == 1:
            del body[at : at + rng.randrange(1, 9)]
        elif choice == 2:
            body[at:at] = body[at : at + rng.randrange(1, 40)]
        else:
            body[at:at] = rng.choice([b",", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b"\xff", b"0", b"-", b"e"])
    return bytes(body)


def dressed(rng: Random, text: str) -> bytes:
    """Another format altogether."""
    body = text.encode("utf-8", "surrogatepass")
    part = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + DEAR.encode() + b"\r\n--x--\r\n"
    return rng.choice(
        [
            lambda: gzip.compress(body, mtime=0),
            lambda: urllib.parse.urlencode({"model": DEAR, "messages": text}).encode("utf-8", "replace"),
            lambda: part,
            lambda: text.replace('"', "'").encode("utf-8", "surrogatepass"),
            lambda: text.replace("}", ",}").encode("utf-8", "surrogatepass"),
            lambda: b"[" + body + b"]",
            lambda: json.dumps(body.decode("utf-8", "replace")).encode(),
            lambda: b"",
        ]
    )()


BYTES = (recoded, followed, followed, broken, broken, dressed)
