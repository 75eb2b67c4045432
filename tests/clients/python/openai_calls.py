"""The calls of OpenAI's Python client that Louver serves, made plainly and async."""

import inspect
import json

import gateway
from checks import Checks, equal, holds
from gateway import EMBED, LARGE, SMALL, WEATHER, steered
from openai import AsyncOpenAI, OpenAI

checks = Checks("openai")
HELLO = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Say something about louvers."}]


class Plain:
    """The plain client."""

    name = "plain"
    client = OpenAI(api_key=gateway.ML_KEY, base_url=gateway.OPENAI_URL, max_retries=0)
    team = OpenAI(api_key=gateway.DEV_KEY, base_url=gateway.OPENAI_URL, max_retries=0)


class Async:
    """The async client."""

    name = "async"
    client = AsyncOpenAI(api_key=gateway.ML_KEY, base_url=gateway.OPENAI_URL, max_retries=0)
    team = AsyncOpenAI(api_key=gateway.DEV_KEY, base_url=gateway.OPENAI_URL, max_retries=0)


MODES = (Plain, Async)


async def done(outcome):
    """What a call answers, plain or async."""
    return await outcome if inspect.isawaitable(outcome) else outcome


async def events_of(stream):
    """All events of a stream, plain or async."""
    stream = await done(stream)
    return [event async for event in stream] if hasattr(stream, "__aiter__") else list(stream)


@checks.both("chat.completions.create", MODES)
async def chat(mode):
    asked = {"model": SMALL, "messages": HELLO, "extra_body": {"metadata": steered(tokens=300)}}
    answer = await done(mode.client.chat.completions.create(**asked))
    equal((answer.object, answer.choices[0].finish_reason), ("chat.completion", "stop"), "object and finish_reason")
    equal(answer.usage.completion_tokens, 300, "completion tokens")
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 300, "total tokens")
    holds(answer._request_id, "the client finds the request id")


@checks.both("chat.completions.create, tool call", MODES)
async def chat_tool(mode):
    asked = {"model": SMALL, "messages": HELLO, "tools": [WEATHER]}
    answer = await done(mode.client.chat.completions.create(tool_choice="required", **asked))
    [called] = answer.choices[0].message.tool_calls
    equal(called.function.name, "get_weather", "tool")
    holds(isinstance(json.loads(called.function.arguments)["city"], str), "arguments fit the schema")
    result = {"role": "tool", "tool_call_id": called.id, "content": '{"sky": "clear"}'}
    asked["messages"] = [*HELLO, answer.choices[0].message, result]
    answer = await done(mode.client.chat.completions.create(**asked))
    equal(answer.choices[0].finish_reason, "stop", "finish_reason after the tool's result")


@checks.both("chat.completions.create, stream", MODES)
async def chat_stream(mode):
    asked = {"model": SMALL, "messages": HELLO, "extra_body": {"metadata": steered(chunks=50, tokens=200)}}
    events = await events_of(mode.client.chat.completions.create(stream=True, **asked))
    holds(len(events) >= 50, f"{len(events)} events")
    equal(events[-1].choices[0].finish_reason, "stop", "finish_reason of the last event")
    equal(events[-1].usage.completion_tokens, 200, "completion tokens of the last event")
    whole = await done(mode.client.chat.completions.create(**asked))
    text = "".join(event.choices[0].delta.content or "" for event in events)
    equal(text, whole.choices[0].message.content, "text of the stream")


@checks.both("chat.completions.stream", MODES)
async def chat_stream_helper(mode):
    helper = mode.client.chat.completions.stream(model=SMALL, messages=HELLO)
    if hasattr(helper, "__aenter__"):
        async with helper as stream:
            answer = await stream.get_final_completion()
    else:
        with helper as stream:
            answer = stream.get_final_completion()
    equal(answer.choices[0].finish_reason, "stop", "finish_reason")
    holds(answer.choices[0].message.content, "content")


@checks.both("embeddings.create, base64 as by default and float", MODES)
async def embeddings(mode):
    asked = {"model": EMBED, "input": ["one", "two"]}
    packed = await done(mode.client.embeddings.create(**asked))
    plain = await done(mode.client.embeddings.create(encoding_format="float", **asked))
    for a, b in zip(packed.data, plain.data, strict=True):
        equal((a.index, len(a.embedding)), (b.index, gateway.DIMENSIONS), "place and dimensions")
        holds(max(abs(x - y) for x, y in zip(a.embedding, b.embedding, strict=True)) < 1e-6, "the same vector")


@checks.both("models.list and models.retrieve", MODES)
async def models(mode):
    mine = {model.id for model in await events_of(mode.team.models.list())}
    holds(SMALL in mine and LARGE not in mine, f"models of the team: {mine}")
    every = {model.id for model in await events_of(mode.client.models.list())}
    holds(mine < every and LARGE in every, f"all models: {every}")
    equal((await done(mode.client.models.retrieve(LARGE))).id, LARGE, "id")


checks.run()
