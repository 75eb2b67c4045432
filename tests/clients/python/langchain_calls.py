"""LangChain's chat model and embeddings for Mistral, and what they make of Louver's refusals."""

import json
import logging

import gateway
import httpx
from checks import Checks, equal, holds, refused
from gateway import CODE, LARGE, SMALL, WEATHER
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_mistralai import ChatMistralAI, MistralAIEmbeddings
from tokenizers import Tokenizer, models

# It logs each error that it raises.
logging.getLogger("langchain_mistralai").setLevel(logging.CRITICAL)
checks = Checks("langchain-mistralai")
TALK = [SystemMessage("You are brief."), HumanMessage("A colour?"), AIMessage("Blue."), HumanMessage("Another?")]


def chat_of(secret, model=SMALL, **options):
    return ChatMistralAI(api_key=secret, base_url=gateway.OPENAI_URL, model=model, **options)


chat = chat_of(gateway.ML_KEY)


def is_whole(answer):
    equal(answer.response_metadata["finish_reason"], "stop", "finish_reason")
    holds(answer.content, "content")
    used = answer.usage_metadata
    holds(used["input_tokens"] > 0 and used["output_tokens"] > 0, f"usage: {used}")


@checks.check("invoke")
def invoke():
    is_whole(chat.invoke(TALK))


@checks.check("ainvoke")
async def ainvoke():
    is_whole(await chat.ainvoke(TALK))


def is_streamed(parts):
    whole = chat.invoke(TALK)
    holds(len(parts) > 5, f"{len(parts)} parts")
    equal("".join(part.content for part in parts), whole.content, "text of the stream")
    usages = [part.usage_metadata for part in parts if part.usage_metadata]
    equal(usages, [whole.usage_metadata], "usage of the stream")


@checks.check("stream")
def stream():
    is_streamed(list(chat.stream(TALK)))


@checks.check("astream")
async def astream():
    is_streamed([part async for part in chat.astream(TALK)])


@checks.check("bind_tools, a call and its result")
def tools():
    asking = chat_of(gateway.ML_KEY).bind_tools([WEATHER], tool_choice="any")
    answer = asking.invoke(TALK)
    [called] = answer.tool_calls
    equal(called["name"], "get_weather", "tool")
    holds(isinstance(called["args"]["city"], str), "arguments fit the schema")
    result = ToolMessage('{"sky": "clear"}', tool_call_id=called["id"])
    after = chat_of(gateway.ML_KEY).bind_tools([WEATHER]).invoke([*TALK, answer, result])
    holds(after.content, "content after the tool's result")


@checks.check("with_structured_output")
def structured():
    schema = {**WEATHER["function"]["parameters"], "title": "Place", "description": "A place"}
    answer = chat_of(gateway.ML_KEY).with_structured_output(schema, method="json_schema").invoke(TALK)
    holds(isinstance(answer["city"], str), f"the answer fits the schema: {answer}")


def embedder(secret):
    # A tokenizer of our own, since it would fetch one; it only tells how many texts go into one call.
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    return MistralAIEmbeddings(api_key=secret, endpoint=gateway.OPENAI_URL + "/", tokenizer=tokenizer)


@checks.check("embeddings")
async def embeddings():
    embed = embedder(gateway.ML_KEY)
    vectors = embed.embed_documents(["one", "two", "one"])
    equal([len(vector) for vector in vectors], [gateway.DIMENSIONS] * 3, "dimensions")
    holds(vectors[0] == vectors[2] != vectors[1], "the same text has the same vector")
    equal(await embed.aembed_documents(["one", "two", "one"]), vectors, "async vectors")
    equal(embed.embed_query("two"), vectors[1], "vector of a query")


async def refusal(call, status):
    """The body of the answer that made the client raise its error."""
    error = await refused(httpx.HTTPStatusError, call)
    equal(error.response.status_code, status, "status")
    return json.loads(str(error)[str(error).index("{") :])


def calls_of(model, talk=TALK):
    """One call in each of the ways a chat can be asked for."""

    async def astream():
        return [part async for part in model.astream(talk)]

    return (
        lambda: model.invoke(talk),
        lambda: model.ainvoke(talk),
        lambda: list(model.stream(talk)),
        astream,
    )


@checks.check("a forbidden model: HTTPStatusError 403 with our message")
async def forbidden():
    for call in calls_of(chat_of(gateway.DEV_KEY, LARGE)):
        body = await refusal(call, 403)
        equal((body["message"], body["code"]), (gateway.MODEL_NOT_ALLOWED, "model_not_allowed"), "message and code")


@checks.check("a forbidden model of embeddings: HTTPStatusError 403")
async def forbidden_embeddings():
    error = await refused(httpx.HTTPStatusError, lambda: embedder(gateway.DEV_KEY).embed_query("one"))
    equal((error.response.status_code, error.response.json()["code"]), (403, "model_not_allowed"), "status and code")


@checks.check("a wrong shape: HTTPStatusError 422 that names the field")
async def wrong_shape():
    for call in calls_of(chat_of(gateway.DEV_KEY, CODE, model_kwargs={"shade": 1})):
        body = await refusal(call, 422)
        equal(body["detail"][0]["loc"], ["body", "shade"], "place")


@checks.check("a revoked key: HTTPStatusError 401")
async def revoked():
    key = gateway.new_key("langchain-revoked")
    model = chat_of(key["key"])
    holds(model.invoke(TALK).content, "content before")
    gateway.revoke(key)
    for call in calls_of(model):
        equal(await refusal(call, 401), {"detail": "Unauthorized"}, "body")


@checks.check("too many requests: HTTPStatusError 429 with our message")
async def too_many():
    model = chat_of(gateway.new_key("langchain-rpm", rate_limit_rpm=1)["key"])
    holds(model.invoke(TALK).content, "content before")
    for call in calls_of(model):
        body = await refusal(call, 429)
        holds(body["message"].startswith("Requests rate limit exceeded: the key's limit of 1 "), body["message"])


checks.run()
