"""What OpenAI's Python client makes of Louver's refusals, and how long it waits before it tries again."""

from contextlib import contextmanager
from unittest.mock import patch

import gateway
import openai
from checks import Checks, equal, holds, refused
from gateway import LARGE, LONGEST_WAIT, SMALL
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

checks = Checks("openai, refused")
CHAT = {"model": SMALL, "messages": [{"role": "user", "content": "Hello"}]}


def client_of(secret, kind=OpenAI, **options):
    return kind(api_key=secret, base_url=gateway.OPENAI_URL, **options)


def calls_of(secret, **arguments):
    """One call in each of the ways a chat can be asked for."""
    plain, other = client_of(secret, max_retries=0), client_of(secret, AsyncOpenAI, max_retries=0)
    return {
        "plain": lambda: plain.chat.completions.create(**arguments),
        "async": lambda: other.chat.completions.create(**arguments),
        "stream": lambda: plain.chat.completions.create(stream=True, **arguments),
        "async stream": lambda: other.chat.completions.create(stream=True, **arguments),
    }


@checks.check("a forbidden model: PermissionDeniedError 403 with our message and code")
async def forbidden():
    for name, call in calls_of(gateway.DEV_KEY, **{**CHAT, "model": LARGE}).items():
        error = await refused(openai.PermissionDeniedError, call)
        said = (error.status_code, error.code, error.type, error.param)
        equal(said, (403, "model_not_allowed", "model_not_allowed", "model"), name)
        equal(error.body["message"], gateway.MODEL_NOT_ALLOWED, f"message of {name}")
        holds(gateway.MODEL_NOT_ALLOWED in error.message, "the message is in the error's text")
        equal(error.request_id, error.body["request_id"], f"request id of {name}")


@checks.check("an unknown or forbidden model to retrieve: NotFoundError 404")
async def not_found():
    client = client_of(gateway.DEV_KEY, max_retries=0)
    for model in (LARGE, "no-such-model"):
        error = await refused(openai.NotFoundError, lambda: client.models.retrieve(model))
        equal(error.body["message"], gateway.NO_SUCH_MODEL, "message")


@checks.check("a wrong shape: UnprocessableEntityError 422 that names the field")
async def wrong_shape():
    for field, arguments in (
        ("messages", {**CHAT, "messages": []}),
        ("temperature", {**CHAT, "temperature": "warm"}),
        ("functions", {**CHAT, "functions": [{"name": "f"}]}),
    ):
        for name, call in calls_of(gateway.DEV_KEY, **arguments).items():
            error = await refused(openai.UnprocessableEntityError, call)
            equal((error.status_code, error.code, error.param), (422, "invalid_request", field), name)
            equal(error.body["detail"][0]["loc"], ["body", field], f"place in {name}")


@checks.check("stream_options, which Mistral does not know: upstream's own 422 comes through")
async def stream_options():
    client = client_of(gateway.DEV_KEY, max_retries=0)
    asked = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    error = await refused(openai.UnprocessableEntityError, lambda: client.chat.completions.create(**asked))
    equal(error.body["message"]["detail"][0]["loc"], ["body", "stream_options"], "place")


@checks.check("a revoked key: AuthenticationError 401, at the very next call")
async def revoked():
    key = gateway.new_key("openai-revoked")
    client = client_of(key["key"], max_retries=0)
    equal(len(client.chat.completions.create(**CHAT).choices), 1, "choices before")
    gateway.revoke(key)
    equal((await refused(openai.AuthenticationError, lambda: client.chat.completions.create(**CHAT))).status_code, 401)
    for call in calls_of(key["key"], **CHAT).values():
        error = await refused(openai.AuthenticationError, call)
        equal(error.body, {"detail": "Unauthorized"}, "body")


@checks.check("too many requests: RateLimitError 429 with our message")
async def too_many():
    secret = gateway.new_key("openai-rpm", rate_limit_rpm=1)["key"]
    client_of(secret).chat.completions.create(**CHAT)
    for name, call in calls_of(secret, **CHAT).items():
        error = await refused(openai.RateLimitError, call)
        equal((error.status_code, error.code), (429, "rate_limited"), name)
        wait = error.response.headers["retry-after"]
        equal(error.body["message"], gateway.rate_limited(1, wait), f"message of {name}")


@checks.check("a stream that upstream cuts off is an error, not a short answer")
def cut_off():
    client = client_of(gateway.DEV_KEY, max_retries=0)
    asked = {**CHAT, "extra_body": {"metadata": gateway.broken_off()}}
    events = []
    try:
        for event in client.chat.completions.create(stream=True, **asked):
            events.append(event)
    except openai.APIError:
        holds(len(events) >= 3, f"the {len(events)} events before")
    else:
        raise AssertionError(f"it ended as if whole, after {len(events)} events")


@contextmanager
def watched(secret, kind):
    """A client that retries once, the answers it got, and the sleeps it asked for in place of sleeping."""
    answers, sleeps = [], []

    async def heard(answer):
        answers.append(answer)

    async def slept(seconds):
        sleeps.append(seconds)

    if kind is OpenAI:
        http, sleep, mock = DefaultHttpxClient(event_hooks={"response": [answers.append]}), "time.sleep", sleeps.append
    else:
        http, sleep, mock = DefaultAsyncHttpxClient(event_hooks={"response": [heard]}), "anyio.sleep", slept
    with patch("openai._base_client." + sleep, mock):
        yield client_of(secret, kind, http_client=http, max_retries=1), answers, sleeps


@checks.check("its one retry waits as long as Retry-After says", OpenAI)
@checks.check("its one retry waits as long as Retry-After says (async)", AsyncOpenAI)
async def waits(kind):
    secret = gateway.new_key("openai-waits", rate_limit_rpm=1)["key"]
    client_of(secret).chat.completions.create(**CHAT)
    with watched(secret, kind) as (client, answers, sleeps):
        await refused(openai.RateLimitError, lambda: client.chat.completions.create(**CHAT))
    equal([answer.status_code for answer in answers], [429, 429], "answers")
    told = int(answers[0].headers["retry-after"])
    holds(1 <= told <= LONGEST_WAIT, f"Retry-After: {told}")
    equal(sleeps, [told], "sleeps")


@checks.check("it does not retry where no waiting helps", OpenAI)
@checks.check("it does not retry where no waiting helps (async)", AsyncOpenAI)
async def gives_up(kind):
    secret = gateway.new_key("openai-never", rate_limit_rpm=0)["key"]
    with watched(secret, kind) as (client, answers, sleeps):
        await refused(openai.RateLimitError, lambda: client.chat.completions.create(**CHAT))
    equal([answer.headers["x-should-retry"] for answer in answers], ["false"], "x-should-retry of the answers")
    holds("retry-after" not in answers[0].headers, "no Retry-After")
    equal(sleeps, [], "sleeps")


checks.run()
