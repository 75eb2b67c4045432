"""What the checks of the whole surface share: a client that notes what was called, its two modes, refusals."""

import inspect
import json
import os

import gateway
from checks import equal, holds, refused
from mistralai.client import Mistral
from mistralai.client.basesdk import BaseSDK
from mistralai.client.errors import MistralError, SDKError

# Louver's answer to a path that it does not have, and to objects that are not the key's workspace's.
NO_ROUTE = {"message": "no Route matched with those values"}
NO_OBJECT = "There is no such object in the workspace of this key."
TOOLS = ["web_search", "code_interpreter", "document_library"]


def resources(resource, path=""):
    """Every namespace of the client with its path, itself excepted."""
    own = {name for name, value in vars(resource).items() if isinstance(value, BaseSDK)}
    for name in sorted((own | set(getattr(type(resource), "_sub_sdk_map", {}))) - {"parent_ref"}):
        child = getattr(resource, name)
        yield f"{path}{name}", child
        yield from resources(child, f"{path}{name}.")


def operations(resource):
    """The public methods of a namespace."""
    known = set(dir(BaseSDK))
    return [name for name, what in vars(type(resource)).items()
            if inspect.isfunction(what) and not name.startswith("_") and name not in known]


def every_operation(client):
    """All operations that the client knows, as `beta.agents.create`."""
    return {f"{path}.{name}" for path, resource in resources(client) for name in operations(resource)}


class Recorded:
    """A client for a key of its own, which notes each of its methods that is called."""

    def __init__(self, name, **rules):
        self.key = gateway.new_key(f"{name} {os.getpid()}", **rules)
        self.client = Mistral(api_key=self.key["key"], server_url=gateway.URL)
        self.called = set()
        for path, resource in resources(self.client):
            for operation in operations(resource):
                setattr(resource, operation, self._noted(f"{path}.{operation}", getattr(resource, operation)))

    def _noted(self, name, method):
        def call(*arguments, **named):
            self.called.add(name)
            return method(*arguments, **named)

        call.__signature__ = inspect.signature(method)
        return call

    def has_called(self, wanted):
        """Raises unless each of these operations was called."""
        equal(sorted(set(wanted) - self.called), [], "operations that no check calls")


def permit():
    """Lets the organization's keys use tools, the priority tier and signed URLs, which nobody may by itself."""
    limits = {"allowed_tools": TOOLS, "allowed_service_tiers": ["priority"], "max_signed_url_hours": 24}
    gateway.admin("PATCH", "/v1/gateway/organization", {"limits": limits})


def add_models(models):
    """Writes models into the catalogue that it does not have yet."""
    catalogue = gateway.admin("GET", "/v1/gateway/models")["data"]
    known = [{name: value for name, value in model.items() if name not in ("object", "unpriced")}
             for model in catalogue]
    ids = {model["id"] for model in known}
    gateway.admin("PUT", "/v1/gateway/models", {"models": known + [new for new in models if new["id"] not in ids]})


class Plain:
    """The client's plain methods."""

    name = "plain"

    @staticmethod
    async def call(resource, method, **arguments):
        return getattr(resource, method)(**arguments)

    @staticmethod
    async def stream(resource, method="stream", **arguments):
        with getattr(resource, method)(**arguments) as events:
            return [event.data for event in events]

    @staticmethod
    async def content(response):
        return response.read()


class Async:
    """The same methods, async."""

    name = "async"

    @staticmethod
    async def call(resource, method, **arguments):
        return await getattr(resource, method + "_async")(**arguments)

    @staticmethod
    async def stream(resource, method="stream", **arguments):
        async with await getattr(resource, method + "_async")(**arguments) as events:
            return [event.data async for event in events]

    @staticmethod
    async def content(response):
        return await response.aread()


MODES = (Plain, Async)


async def turned_down(call, status, message, code):
    """The call is refused by Louver in Mistral's shape, and with Louver's own words."""
    error = await refused(SDKError, call)
    body = json.loads(error.body)
    told = (error.status_code, body.get("raw_status_code"), body.get("object"), body["message"], body.get("code"))
    equal(told, (status, status, "error", message, code), "refusal")
    holds(body["request_id"], "the refusal names the request")
    return body


async def no_object(call):
    """The call names something that the key's workspace does not have."""
    await turned_down(call, 404, NO_OBJECT, "not_found")


async def no_route(call):
    """The call goes to a path that Louver does not have."""
    try:
        answer = await call()
    except MistralError as error:
        # Some operations want another body for a 404 than Mistral gives for paths that are not there.
        equal((error.status_code, json.loads(error.body)), (404, NO_ROUTE), "answer of a path that is not there")
    else:
        raise AssertionError(f"wanted a refusal, got {answer!r}")


def adds_up(usage):
    """Usage has tokens of both kinds, and their sum."""
    holds(usage.prompt_tokens > 0 and usage.completion_tokens > 0, f"tokens in {usage}")
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "total tokens")
