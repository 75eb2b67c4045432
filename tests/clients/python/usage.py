"""The usage that Louver reports for one key is what its calls said that they used."""

import time

import gateway
from checks import Checks, equal, holds, refused
from gateway import CODE, EMBED, LARGE, SMALL, steered
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from openai import OpenAI

checks = Checks("usage")
HELLO = [{"role": "user", "content": "Say something about louvers."}]


def counted_calls(secret):
    """Makes one call of each kind and answers the usage that each reported."""
    mistral = Mistral(api_key=secret, server_url=gateway.URL)
    openai = OpenAI(api_key=secret, base_url=gateway.OPENAI_URL, max_retries=0)
    yield mistral.chat.complete(model=SMALL, messages=HELLO, metadata=steered(tokens=500)).usage
    yield mistral.chat.complete(model=SMALL, messages=HELLO, max_tokens=5).usage
    with mistral.chat.stream(model=SMALL, messages=HELLO, metadata=steered(chunks=50)) as events:
        yield list(events)[-1].data.usage
    yield mistral.fim.complete(model=CODE, prompt="def odd(n):").usage
    with mistral.fim.stream(model=CODE, prompt="def odd(n):") as events:
        yield list(events)[-1].data.usage
    yield mistral.embeddings.create(model=EMBED, inputs=["one", "two"]).usage
    yield openai.chat.completions.create(model=SMALL, messages=HELLO).usage
    yield list(openai.chat.completions.create(model=SMALL, messages=HELLO, stream=True))[-1].usage
    yield openai.embeddings.create(model=EMBED, input="one").usage


@checks.check("requests and tokens of a key are those of its calls")
def one_key():
    key = gateway.new_key("usage-of-calls")
    used = list(counted_calls(key["key"]))
    [row] = gateway.usage_of(key, len(used))
    equal((row["key_name"], row["requests"]), ("usage-of-calls", len(used)), "name and requests")
    equal(row["input_tokens"], sum(usage.prompt_tokens for usage in used), "input tokens")
    equal(row["output_tokens"], sum(getattr(usage, "completion_tokens", 0) or 0 for usage in used), "output tokens")
    equal(row["estimated_requests"], 0, "requests whose usage was estimated")
    holds(float(row["cost_usd"]) > 0, f"cost: {row['cost_usd']}")


@checks.check("a refused call is in nobody's usage")
async def refused_calls():
    key = gateway.new_key("usage-of-refusals", allowed_models=[SMALL])
    client = Mistral(api_key=key["key"], server_url=gateway.URL)
    await refused(SDKError, lambda: client.chat.complete(model=LARGE, messages=HELLO))
    usage = client.chat.complete(model=SMALL, messages=HELLO).usage
    [row] = gateway.usage_of(key, 1)
    equal((row["requests"], row["output_tokens"]), (1, usage.completion_tokens), "requests and output tokens")


@checks.check("a key that was used is not among those unused for 30 days")
def last_used():
    key = gateway.used_key("ml-team-key", "ml-workspace")
    month_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2592000))
    holds(key["last_used_at"] > month_ago, f"last use: {key['last_used_at']}")
    unused = gateway.admin("GET", "/v1/api-keys?unused_days=30")["data"]
    holds(all(other["id"] != key["id"] for other in unused), f"the unused keys: {[key['name'] for key in unused]}")


checks.run()
