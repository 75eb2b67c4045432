"""The endpoints under test, one row each: where it is, which models serve it, what a lenient upstream reads of a body,
what a sound body looks like, and the least answer. A new endpoint is a new row of ENDPOINTS."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict

# Found in each body, so that what upstream saw can be told to belong to it.
TAG = "case-{:08d}"
TAGGED = re.compile(rb"case-(\d{8})")
# The model that judges texts here; what guards chats is another one, which not every key may use.
JUDGE = "mistral-moderation-2411"
# One of the organization's own: Mistral lists none that everybody may call.
CLASSIFIER = "house-classifier-1"
WORDS = ["Say something", "naïve café", "日本語の文", "emoji 🙂 here", 'a "quoted" \\ word', "line\nbreak", "", "{}[],:"]


class Tool(BaseModel):
    """A tool as upstream reads it; what has no type is taken for a function."""

    model_config = ConfigDict(extra="allow")
    type: str = "function"


class Moderation(BaseModel):
    """A guardrail's settings; upstream has a model of its own for them."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())
    model_name: str | None = None


class Guardrail(BaseModel):
    """A guardrail of a chat."""

    model_config = ConfigDict(extra="allow")
    moderation_llm_v1: Moderation | None = None
    moderation_llm_v2: Moderation | None = None


class Lenient(BaseModel):
    """What every body has: types are coerced, unknown fields are taken, of two the last one wins."""

    model_config = ConfigDict(extra="allow")
    model: str


class Completion(Lenient):
    """What is asked of a model that writes."""

    stream: bool | None = False
    max_tokens: int | None = None
    n: int | None = 1


class Chat(Completion):
    """`POST /v1/chat/completions`."""

    messages: list[Any]
    tools: list[Tool] | None = None
    guardrails: list[Guardrail] | None = None


class Fim(Completion):
    """`POST /v1/fim/completions`."""

    prompt: str


class Embeddings(Lenient):
    """`POST /v1/embeddings`."""

    input: str | list[str]


class Moderations(Lenient):
    """`POST /v1/moderations`."""

    input: str | list[str]


class ChatModerations(Lenient):
    """`POST /v1/chat/moderations`."""

    input: list[Any]


class Responses(Lenient):
    """`POST /v1/responses`."""

    input: str | list[Any]
    stream: bool | None = False
    max_output_tokens: int | None = None
    tools: list[Tool] | None = None


class Ocr(Lenient):
    """`POST /v1/ocr`: what is read, how many pages of it, and whether they are annotated, which has another price."""

    document: dict[str, Any]
    pages: str | list[int] | None = None
    bbox_annotation_format: dict[str, Any] | None = None
    document_annotation_format: dict[str, Any] | None = None


class Speech(Lenient):
    """`POST /v1/audio/speech`: what is spoken, by whom, and how it comes."""

    input: str
    stream: bool | None = False
    voice_id: str | None = None
    ref_audio: str | None = None
    response_format: str | None = "mp3"


class Chats(BaseModel):
    """A chat to be classified."""

    model_config = ConfigDict(extra="allow")
    messages: list[Any]


class Classifications(Lenient):
    """`POST /v1/classifications`."""

    input: str | list[str]


class ChatClassifications(Lenient):
    """`POST /v1/chat/classifications`."""

    input: Chats | list[Chats]


class Arguments(BaseModel):
    """How a conversation is completed."""

    model_config = ConfigDict(extra="allow")
    max_tokens: int | None = None


class Conversation(Lenient):
    """`POST /v1/conversations`, with a model and not with an agent."""

    inputs: str | list[Any]
    stream: bool | None = False
    store: bool | None = True
    completion_args: Arguments | None = None
    tools: list[Tool] | None = None
    guardrails: list[Guardrail] | None = None

    @property
    def max_tokens(self) -> int | None:
        """Where chats have it themselves."""
        return self.completion_args.max_tokens if self.completion_args else None


@dataclass(frozen=True)
class Understood:
    """What a lenient reader makes of a body: all that decides about the call and its price."""

    model: str
    stream: bool
    n: int
    max_tokens: int | None
    tools: tuple[str, ...]
    guards: tuple[str, ...]
    messages: int
    # What decides about the price or the owner besides: what is read, spoken or kept.
    document: str = ""


def understood(body: Lenient) -> Understood:
    """What upstream understood of a body that it took."""
    content = getattr(body, "messages", None) or getattr(body, "input", None) or getattr(body, "inputs", None)
    guards = [each for guard in getattr(body, "guardrails", None) or [] for each in moderations(guard)]
    n = getattr(body, "n", 1)
    return Understood(
        model=body.model,
        stream=bool(getattr(body, "stream", False)),
        n=1 if n is None else n,
        max_tokens=getattr(body, "max_tokens", getattr(body, "max_output_tokens", None)),
        tools=tuple(tool.type for tool in getattr(body, "tools", None) or []),
        guards=tuple(guards),
        messages=len(content) if isinstance(content, list) else 1,
        document=besides(body),
    )


def besides(body: Lenient) -> str:
    """What decides about the price or the owner besides models and tokens."""
    match body:
        case Ocr():
            return reading(body)
        case Speech():
            return json.dumps([body.input, body.voice_id, body.ref_audio, body.response_format])
        case ChatClassifications():
            return str([len(chat.messages) for chat in ([body.input] if isinstance(body.input, Chats) else body.input)])
        case Conversation():
            return f"stored: {body.store is not False}"
    return ""


def reading(body: Ocr) -> str:
    """What is to be read, and what of it."""
    annotated = body.bbox_annotation_format is not None or body.document_annotation_format is not None
    return json.dumps([body.document, body.pages, annotated], sort_keys=True)


def tags_in(raw: bytes) -> list[int]:
    """The tags in a body, also when they are written with escapes or in wide characters."""
    found = TAGGED.findall(raw) or TAGGED.findall(raw.replace(b"\0", b""))
    if not found:
        try:
            found = TAGGED.findall(json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            pass
    return [int(tag) for tag in found]


def moderations(guard: Guardrail) -> list[str]:
    """The models that a guardrail runs."""
    v1, v2 = guard.moderation_llm_v1, guard.moderation_llm_v2
    named = [v1 and (v1.model_name or "mistral-moderation-2411"), v2 and (v2.model_name or "mistral-moderation-2603")]
    return [name for name in named if name]


def text(rng: Random, tag: str) -> str:
    """A text of a person, with the tag in it."""
    return f"{rng.choice(WORDS)} {tag}"


def completion(rng: Random) -> dict:
    """Fields that any request to write may have."""
    fields = {
        "stream": rng.choice([True, False, None]),
        "max_tokens": rng.choice([0, 1, 7, 100, None]),
        "temperature": rng.choice([0, 0.5, 1e-3, None]),
        "stop": rng.choice(["END", ["a", "b"], None]),
        "random_seed": rng.choice([0, 42]),
        "metadata": {"a": {"b": [1, "x"]}, "c": None},
    }
    chosen = rng.sample(sorted(fields), rng.randrange(4))
    return {name: fields[name] for name in chosen}


def chat(rng: Random, model: str, tag: str) -> dict:
    """A sound chat."""
    content = rng.choice([text(rng, tag), [{"type": "text", "text": text(rng, tag)}]])
    body = {"model": model, "messages": [{"role": "user", "content": content}], **completion(rng)}
    if rng.random() < 0.3:
        body["messages"].insert(0, {"role": "system", "content": rng.choice(WORDS)})
    if rng.random() < 0.2:
        body["n"] = rng.choice([1, 2, 3, None])
    if rng.random() < 0.2:
        function = {"name": "look_up", "description": "Looks", "parameters": {"type": "object", "properties": {}}}
        body["tools"] = [{"type": "function", "function": function}] * rng.randrange(3)
    return shuffled(rng, body)


def fim(rng: Random, model: str, tag: str) -> dict:
    """A sound request to fill in."""
    body = {"model": model, "prompt": text(rng, tag), **completion(rng)}
    return shuffled(rng, {**body, "suffix": rng.choice(WORDS)} if rng.random() < 0.5 else body)


def embeddings(rng: Random, model: str, tag: str) -> dict:
    """A sound request for vectors."""
    body = {"model": model, "input": rng.choice([text(rng, tag), [text(rng, tag), "two", ""]])}
    return shuffled(rng, {**body, "encoding_format": "float"} if rng.random() < 0.3 else body)


def moderations_of(rng: Random, model: str, tag: str) -> dict:
    """Sound texts to be judged."""
    return shuffled(rng, {"model": model, "input": rng.choice([text(rng, tag), [text(rng, tag), "two"]])})


def chat_moderations(rng: Random, model: str, tag: str) -> dict:
    """A sound chat to be judged, or two."""
    talk = [{"role": "user", "content": text(rng, tag)}, {"role": "assistant", "content": rng.choice(WORDS)}]
    return shuffled(rng, {"model": model, "input": rng.choice([talk, [talk, talk[:1]]])})


def responses(rng: Random, model: str, tag: str) -> dict:
    """A sound request for a response."""
    item = {"type": "message", "role": "user", "content": text(rng, tag)}
    fields = {
        "stream": rng.choice([True, False]),
        "max_output_tokens": rng.choice([1, 7, 100]),
        "temperature": rng.choice([0, 0.5]),
        "instructions": rng.choice(WORDS),
        "tools": [{"type": "function", "name": "look_up", "parameters": {"type": "object", "properties": {}}}],
    }
    chosen = rng.sample(sorted(fields), rng.randrange(4))
    body = {"model": model, "input": rng.choice([text(rng, tag), [item]])}
    return shuffled(rng, {**body, **{name: fields[name] for name in chosen}})


def ocr(rng: Random, model: str, tag: str) -> dict:
    """A sound document to be read."""
    document = {"type": "document_url", "document_url": f"https://example.com/{tag}.pdf"}
    shape = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}
    fields = {
        "pages": rng.choice(["0-3", [0, 2], None]),
        "include_image_base64": rng.choice([True, False]),
        "document_annotation_format": shape,
        "bbox_annotation_format": rng.choice([shape, None]),
    }
    chosen = rng.sample(sorted(fields), rng.randrange(4))
    return shuffled(rng, {"model": model, "document": document, **{name: fields[name] for name in chosen}})


def speech(rng: Random, model: str, tag: str) -> dict:
    """A sound text to be spoken."""
    fields = {
        "stream": rng.choice([True, False]),
        "response_format": rng.choice(["mp3", "wav", "pcm"]),
        "ref_audio": "UklGRg==",
    }
    chosen = rng.sample(sorted(fields), rng.randrange(4))
    return shuffled(rng, {"model": model, "input": text(rng, tag), **{name: fields[name] for name in chosen}})


def chat_classifications(rng: Random, model: str, tag: str) -> dict:
    """A sound chat to be classified, or two."""
    talk = {"messages": [{"role": "user", "content": text(rng, tag)}]}
    return shuffled(rng, {"model": model, "input": rng.choice([talk, [talk], [talk, talk]])})


def conversation(rng: Random, model: str, tag: str) -> dict:
    """A sound conversation's beginning."""
    entry = {"type": "message.input", "role": "user", "content": text(rng, tag)}
    function = {"name": "look_up", "description": "Looks", "parameters": {"type": "object", "properties": {}}}
    arguments = {"max_tokens": rng.choice([1, 7, 100]), "temperature": 0.5, "stop": ["END"]}
    fields = {
        "stream": rng.choice([True, False]),
        "store": rng.choice([True, False]),
        "instructions": rng.choice(WORDS),
        "completion_args": {name: arguments[name] for name in rng.sample(sorted(arguments), rng.randrange(4))},
        "tools": [{"type": "function", "function": function}],
    }
    chosen = rng.sample(sorted(fields), rng.randrange(5))
    inputs = rng.choice([text(rng, tag), [entry]])
    return shuffled(rng, {"model": model, "inputs": inputs, **{name: fields[name] for name in chosen}})


def shuffled(rng: Random, body: dict) -> dict:
    """The same fields in another order."""
    names = list(body)
    rng.shuffle(names)
    return {name: body[name] for name in names}


def chat_answer(asked: Understood, usage: dict) -> dict:
    """The least chat completion."""
    message = {"role": "assistant", "content": "Yes."}
    choices = [{"index": 0, "message": message, "delta": message, "finish_reason": "stop"}]
    return {"id": "x", "object": "chat.completion", "created": 1, "model": asked.model, "choices": choices, "usage": usage}


def vectors(asked: Understood, usage: dict) -> dict:
    """The least list of vectors."""
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    return {"id": "x", "object": "list", "model": asked.model, "data": data, "usage": usage}


def judged(asked: Understood, usage: dict) -> dict:
    """The least judgement."""
    results = [{"categories": {"law": False}, "category_scores": {"law": 0.5}}]
    return {"id": "x", "model": asked.model, "results": results, "usage": usage}


def response(asked: Understood, usage: dict) -> dict:
    """The least response; the same as its last event."""
    used, written = usage["prompt_tokens"], usage["completion_tokens"]
    tokens = {"input_tokens": used, "output_tokens": written, "total_tokens": used + written}
    whole = {"id": "x", "object": "response", "status": "completed", "model": asked.model, "output": [], "usage": tokens}
    return {"type": "response.completed", "response": whole} if asked.stream else whole


def pages(asked: Understood, usage: dict) -> dict:
    """The least document that was read."""
    page = {"index": 0, "markdown": "Yes.", "images": [], "dimensions": None}
    return {"model": asked.model, "pages": [page], "usage_info": {"pages_processed": 1, "doc_size_bytes": 1}}


def sound(asked: Understood, usage: dict) -> dict:
    """The least sound; the same as its last event."""
    return {"type": "speech.audio.done", "usage": usage} if asked.stream else {"audio_data": "UklGRg=="}


def classified(asked: Understood, usage: dict) -> dict:
    """The least classification."""
    results = [{"topic": {"scores": {"law": 0.5}}}]
    return {"id": "x", "model": asked.model, "results": results, "usage": usage}


def begun(asked: Understood, usage: dict) -> dict | list[dict]:
    """The least turn of a conversation of its own; as a stream its first event and its last one."""
    name = f"conv_{uuid.uuid4().hex}"
    if asked.stream:
        started = {"type": "conversation.response.started", "conversation_id": name}
        return [started, {"type": "conversation.response.done", "usage": usage}]
    entry = {"object": "entry", "type": "message.output", "role": "assistant", "content": "Yes.", "model": asked.model}
    return {"object": "conversation.response", "conversation_id": name, "outputs": [entry], "usage": usage}


@dataclass(frozen=True)
class Endpoint:
    """One row: a path, its body in two readings, its answer, and names of models that serve it."""

    name: str
    path: str
    lenient: type[Lenient]
    valid: Callable[[Random, str, str], dict]
    # A list is the events of a stream.
    answer: Callable[[Understood, dict], dict | list[dict]]
    # Names that the keys of this test may use there, aliases among them.
    models: tuple[str, ...]
    # Whether a model writes, so that there is a length to bound; and whether tokens are counted at all.
    writes: bool = True
    reads: bool = True


ENDPOINTS = (
    Endpoint(
        "chat.completions",
        "/v1/chat/completions",
        Chat,
        chat,
        chat_answer,
        ("mistral-small-latest", "mistral-small-2603", "codestral-latest", "codestral-2508"),
    ),
    Endpoint("fim.completions", "/v1/fim/completions", Fim, fim, chat_answer, ("codestral-latest", "codestral-2508")),
    Endpoint("embeddings", "/v1/embeddings", Embeddings, embeddings, vectors, ("mistral-embed", "mistral-embed-2312"),
             writes=False),
    Endpoint("moderations", "/v1/moderations", Moderations, moderations_of, judged, (JUDGE,), writes=False),
    Endpoint("chat.moderations", "/v1/chat/moderations", ChatModerations, chat_moderations, judged, (JUDGE,),
             writes=False),
    Endpoint("responses", "/v1/responses", Responses, responses, response,
             ("mistral-small-latest", "mistral-small-2603")),
    Endpoint("audio.speech", "/v1/audio/speech", Speech, speech, sound,
             ("voxtral-mini-tts-latest", "voxtral-mini-tts-2603"), writes=False, reads=False),
    Endpoint("classifications", "/v1/classifications", Classifications, moderations_of, classified, (CLASSIFIER,),
             writes=False),
    Endpoint("chat.classifications", "/v1/chat/classifications", ChatClassifications, chat_classifications, classified,
             (CLASSIFIER,), writes=False),
    Endpoint("conversations", "/v1/conversations", Conversation, conversation, begun,
             ("mistral-small-latest", "mistral-small-2603")),
    Endpoint("ocr", "/v1/ocr", Ocr, ocr, pages, ("mistral-ocr-latest", "mistral-ocr-4-1"), writes=False, reads=False),
)  # fmt: skip
