"""Every call of Mistral's Python client that Louver serves, made plainly and async."""

import asyncio
import json

import gateway
from checks import Checks, equal, holds, refused
from gateway import CODE, EMBED, LARGE, SMALL, WEATHER, steered
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from pydantic import BaseModel

checks = Checks("mistralai")
client = Mistral(api_key=gateway.ML_KEY, server_url=gateway.URL)
team = Mistral(api_key=gateway.DEV_KEY, server_url=gateway.URL)
HELLO = [{"role": "user", "content": "Say something about louvers."}]
TALK = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Name a colour."},
    {"role": "assistant", "content": "Blue."},
    {"role": "user", "content": [{"type": "text", "text": "Another one, please: "}, {"type": "text", "text": "warm"}]},
]


class Plain:
    """The client's plain methods."""

    name = "plain"

    @staticmethod
    async def call(resource, method, **arguments):
        return getattr(resource, method)(**arguments)

    @staticmethod
    async def stream(resource, **arguments):
        with resource.stream(**arguments) as events:
            return [event.data for event in events]


class Async:
    """The same methods, async."""

    name = "async"

    @staticmethod
    async def call(resource, method, **arguments):
        return await getattr(resource, method + "_async")(**arguments)

    @staticmethod
    async def stream(resource, **arguments):
        async with await resource.stream_async(**arguments) as events:
            return [event.data async for event in events]


MODES = (Plain, Async)


def text_of(events):
    return "".join(event.choices[0].delta.content or "" for event in events)


def adds_up(usage):
    holds(usage.prompt_tokens > 0, f"prompt tokens in {usage}")
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "total tokens")


@checks.both("chat.complete", MODES)
async def chat(mode):
    answer = await mode.call(client.chat, "complete", model=SMALL, messages=HELLO, metadata=steered(tokens=500))
    choice = answer.choices[0]
    equal((choice.message.role, choice.finish_reason), ("assistant", "stop"), "role and finish_reason")
    equal(answer.usage.completion_tokens, 500, "completion tokens")
    holds(len(choice.message.content) > 500, "content is too short")
    adds_up(answer.usage)


@checks.both("chat.complete, max_tokens", MODES)
async def chat_cut(mode):
    answer = await mode.call(client.chat, "complete", model=SMALL, messages=HELLO, max_tokens=5)
    equal(answer.choices[0].finish_reason, "length", "finish_reason")
    equal(answer.usage.completion_tokens, 5, "completion tokens")


@checks.both("chat.complete, several messages and choices", MODES)
async def chat_talk(mode):
    one = await mode.call(client.chat, "complete", model=SMALL, messages=TALK[1:2])
    all_of_it = await mode.call(client.chat, "complete", model=SMALL, messages=TALK, n=2, temperature=0.5)
    equal(len(all_of_it.choices), 2, "choices")
    holds(all_of_it.usage.prompt_tokens > one.usage.prompt_tokens, "a longer prompt has more tokens")


@checks.both("chat.complete, tool call and its result", MODES)
async def chat_tool(mode):
    asked = {"model": SMALL, "tools": [WEATHER]}
    answer = await mode.call(client.chat, "complete", messages=HELLO, tool_choice="any", **asked)
    equal(answer.choices[0].finish_reason, "tool_calls", "finish_reason")
    message = answer.choices[0].message
    [called] = message.tool_calls
    equal(called.function.name, "get_weather", "tool")
    holds(isinstance(json.loads(called.function.arguments)["city"], str), "arguments fit the schema")
    result = {"role": "tool", "tool_call_id": called.id, "name": "get_weather", "content": '{"sky": "clear"}'}
    answer = await mode.call(client.chat, "complete", messages=[*HELLO, message, result], **asked)
    equal(answer.choices[0].finish_reason, "stop", "finish_reason after the tool's result")
    holds(answer.choices[0].message.content, "content after the tool's result")


@checks.both("chat.parse, an answer in a schema", MODES)
async def chat_parse(mode):
    class Place(BaseModel):
        city: str
        people: int

    answer = await mode.call(client.chat, "parse", response_format=Place, model=SMALL, messages=HELLO)
    holds(isinstance(answer.choices[0].message.parsed, Place), "the answer is a Place")


@checks.both("chat.stream", MODES)
async def chat_stream(mode):
    asked = {"model": SMALL, "messages": HELLO}
    directions = steered(chunks=50, tokens=200)
    events = await mode.stream(client.chat, metadata=directions, **asked)
    holds(len(events) >= 50, f"{len(events)} events")
    equal(events[-1].choices[0].finish_reason, "stop", "finish_reason of the last event")
    equal(events[-1].usage.completion_tokens, 200, "completion tokens of the last event")
    adds_up(events[-1].usage)
    whole = await mode.call(client.chat, "complete", metadata=directions, **asked)
    equal(text_of(events), whole.choices[0].message.content, "text of the stream")


@checks.both("chat.stream, tool call", MODES)
async def chat_stream_tool(mode):
    events = await mode.stream(client.chat, model=SMALL, messages=HELLO, tools=[WEATHER], tool_choice="any")
    names = [c.function.name for e in events for c in e.choices[0].delta.tool_calls or [] if c.function.name]
    equal(names, ["get_weather"], "tools")
    equal(events[-1].choices[0].finish_reason, "tool_calls", "finish_reason")


@checks.check("chat.stream, left after one event; the client goes on")
async def chat_stream_left():
    with client.chat.stream(model=SMALL, messages=HELLO, metadata=steered(chunks=50)) as events:
        holds(next(iter(events)).data.choices, "a first event")
    equal(len(client.chat.complete(model=SMALL, messages=HELLO).choices), 1, "choices")


@checks.check("chat.complete, 20 calls at once")
async def chat_many():
    calls = (client.chat.complete_async(model=SMALL, messages=HELLO) for _ in range(20))
    texts = {answer.choices[0].message.content for answer in await asyncio.gather(*calls)}
    equal(len(texts), 1, "different answers to one question")


FIM = {"model": CODE, "prompt": "def odd(n):\n    return ", "suffix": "\n\nprint(odd(3))"}


@checks.both("fim.complete", MODES)
async def fim(mode):
    answer = await mode.call(client.fim, "complete", **FIM)
    holds(answer.choices[0].message.content, "content")
    adds_up(answer.usage)


@checks.both("fim.stream", MODES)
async def fim_stream(mode):
    events = await mode.stream(client.fim, **FIM)
    whole = await mode.call(client.fim, "complete", **FIM)
    equal(text_of(events), whole.choices[0].message.content, "text of the stream")
    adds_up(events[-1].usage)


@checks.both("embeddings.create", MODES)
async def embeddings(mode):
    answer = await mode.call(client.embeddings, "create", model=EMBED, inputs=["one", "two", "one"])
    equal([item.index for item in answer.data], [0, 1, 2], "places")
    vectors = [item.embedding for item in answer.data]
    equal({len(vector) for vector in vectors}, {gateway.DIMENSIONS}, "dimensions")
    holds(vectors[0] == vectors[2] != vectors[1], "the same text has the same vector")
    adds_up(answer.usage)


@checks.both("models.list shows what the key may use", MODES)
async def models_list(mode):
    every = {model.id for model in (await mode.call(client.models, "list")).data}
    holds({SMALL, LARGE, CODE, EMBED} <= every, f"all models: {every}")
    mine = {model.id for model in (await mode.call(team.models, "list")).data}
    holds({SMALL, CODE} <= mine, f"models of the team: {mine}")
    others = {id for id in mine if not id.startswith(("mistral-small", "codestral-")) or "embed" in id}
    equal(others, set(), "other models")


@checks.both("models.retrieve", MODES)
async def models_retrieve(mode):
    model = await mode.call(client.models, "retrieve", model_id=CODE)
    equal(model.id, CODE, "id")
    holds(model.capabilities.completion_fim and model.capabilities.completion_chat, "its capabilities")


@checks.both("models.retrieve of a forbidden model is as of an unknown one", MODES)
async def models_retrieve_forbidden(mode):
    bodies = []
    for name in (LARGE, "no-such-model"):
        error = await refused(SDKError, lambda: mode.call(team.models, "retrieve", model_id=name))
        equal(error.status_code, 404, "status")
        bodies.append({**json.loads(error.body), "request_id": None})
    equal(bodies[0], bodies[1], "bodies")
    equal(bodies[0]["message"], gateway.NO_SUCH_MODEL, "message")


checks.run()
