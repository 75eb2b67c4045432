"""What Mistral's Python client makes of Louver's refusals: its own error classes, with our words in them."""

import json
from unittest.mock import patch

import gateway
from checks import Checks, equal, holds, refused
from gateway import EMBED, LARGE, LONGEST_WAIT, SMALL
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, ResponseValidationError, SDKError
from mistralai.client.utils import BackoffStrategy, RetryConfig

checks = Checks("mistralai, refused")
HELLO = [{"role": "user", "content": "Hello"}]


class Waits(Exception):
    """Stands in for the client's sleep and says how long it would have been."""


def client_of(secret, **options):
    return Mistral(api_key=secret, server_url=gateway.URL, **options)


def calls_of(client, **arguments):
    """One call in each of the ways a chat can be asked for."""
    return {
        "complete": lambda: client.chat.complete(**arguments),
        "complete_async": lambda: client.chat.complete_async(**arguments),
        "stream": lambda: client.chat.stream(**arguments),
        "stream_async": lambda: client.chat.stream_async(**arguments),
    }


team = client_of(gateway.DEV_KEY)


@checks.check("a forbidden model: SDKError 403 with our message, in every way of asking")
async def forbidden():
    for name, call in calls_of(team, model=LARGE, messages=HELLO).items():
        error = await refused(SDKError, call)
        body = json.loads(error.body)
        equal(error.status_code, 403, f"status of {name}")
        equal((body["type"], body["code"], body["param"]), ("model_not_allowed", "model_not_allowed", "model"), name)
        equal(body["message"], gateway.MODEL_NOT_ALLOWED, f"message of {name}")
        holds(gateway.MODEL_NOT_ALLOWED in str(error), "the message is in the error's text")
        equal(error.headers["x-request-id"], body["request_id"], f"request id of {name}")


@checks.check("a forbidden model for embeddings and fim: SDKError 403")
async def forbidden_elsewhere():
    for call in (
        lambda: team.embeddings.create(model=EMBED, inputs=["one"]),
        lambda: team.fim.complete(model="codestral-9999", prompt="def f"),
    ):
        error = await refused(SDKError, call)
        equal((error.status_code, json.loads(error.body)["code"]), (403, "model_not_allowed"), "status and code")


@checks.check("a wrong shape: HTTPValidationError 422 that names the place")
async def wrong_shape():
    for name, call in calls_of(team, model=SMALL, messages=[]).items():
        error = await refused(HTTPValidationError, call)
        equal(error.status_code, 422, f"status of {name}")
        [detail] = error.data.detail
        equal(detail.loc, ["body", "messages"], f"place in {name}")
        equal(detail.msg, "List should have at least 1 item", f"what is wrong in {name}")


@checks.check("a revoked key: SDKError 401, at the very next call")
async def revoked():
    key = gateway.new_key("py-revoked")
    client = client_of(key["key"])
    equal(len(client.chat.complete(model=SMALL, messages=HELLO).choices), 1, "choices before")
    gateway.revoke(key)
    unknown = client_of("lvr_" + "x" * 62)
    for name, call in calls_of(client, model=SMALL, messages=HELLO).items():
        error = await refused(SDKError, call)
        equal((error.status_code, json.loads(error.body)), (401, {"detail": "Unauthorized"}), name)
        other = await refused(SDKError, lambda: unknown.chat.complete(model=SMALL, messages=HELLO))
        equal(other.body, error.body, "an unknown key gets the same answer")


@checks.check("too many requests: SDKError 429 with our message, raised at once")
async def too_many():
    client = client_of(gateway.new_key("py-rpm", rate_limit_rpm=2)["key"])
    for _ in range(2):
        client.chat.complete(model=SMALL, messages=HELLO)
    for name, call in calls_of(client, model=SMALL, messages=HELLO).items():
        error = await refused(SDKError, call)
        body, wait = json.loads(error.body), int(error.headers["retry-after"])
        equal((error.status_code, body["code"]), (429, "rate_limited"), f"status and code of {name}")
        equal(body["message"], gateway.rate_limited(2, wait), f"message of {name}")
        holds(1 <= wait <= LONGEST_WAIT, f"Retry-After of {name}: {wait}")
        equal((body["limit"]["scope"], body["limit"]["limit"], body["limit"]["remaining"]), ("key", 2, 0), "limit")
        remaining = (error.headers["x-ratelimit-limit-req-minute"], error.headers["x-ratelimit-remaining-req-minute"])
        equal(remaining, ("2", "0"), "x-ratelimit headers")


@checks.check("a client told to retry waits for Retry-After")
async def waits():
    backoff = BackoffStrategy(initial_interval=1, max_interval=1, exponent=1.0, max_elapsed_time=3_600_000)
    retries = RetryConfig("backoff", backoff, retry_connection_errors=False)
    key = gateway.new_key("py-waits", rate_limit_rpm=1)["key"]
    client = client_of(key, retry_config=retries)
    client.chat.complete(model=SMALL, messages=HELLO)
    told = int((await refused(SDKError, lambda: client_of(key).models.list())).headers["retry-after"])
    for sleep, call in (
        ("time.sleep", lambda: client.models.list()),
        ("asyncio.sleep", lambda: client.models.list_async()),
    ):
        with patch("mistralai.client.utils.retries." + sleep, side_effect=Waits) as slept:
            await refused(Waits, call)
        [wait] = slept.call_args.args
        # The second may turn between the two calls.
        holds(wait in (told, told - 1), f"it would wait {wait} s; Retry-After was {told}")


@checks.check("upstream's own 429 comes through with its body and Retry-After")
async def upstream_429():
    directions = gateway.steered(fault="status", status=429, retry_after=7)
    for name, call in calls_of(team, model=SMALL, messages=HELLO, metadata=directions).items():
        error = await refused(SDKError, call)
        equal((error.status_code, error.headers.get("retry-after")), (429, "7"), f"status and Retry-After of {name}")
        equal(json.loads(error.body)["object"], "error", f"body of {name}")


@checks.check("a stream that upstream cuts off is an error, not a short answer")
async def cut_off():
    asked = {"model": SMALL, "messages": HELLO, "metadata": gateway.broken_off()}

    async def read_async():
        async with await team.chat.stream_async(**asked) as events:
            return [event async for event in events]

    for read in (lambda: list(team.chat.stream(**asked)), read_async):
        error = await refused(ResponseValidationError, read)
        equal(json.loads(error.body)["data"]["message"], gateway.BROKE_OFF, "message")


checks.run()
