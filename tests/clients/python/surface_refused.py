"""The surface: what Louver does not have, each with a word why, and that nothing is left over."""

import inspect

from checks import equal, holds
from surface import MODES, every_operation, no_route, operations, resources

BYPASS = "refused by design: "
ADMIN = "admin: "
OTHER = "not Mistral inference: "

# Operations and namespaces that are not served.
NOT_SERVED = {
    "audio.agents": BYPASS + "voice agents speak over a server of their own, past all rules",
    "audio.sessions": BYPASS + "sessions speak over a server of their own, past all rules",
    "audio.voices": BYPASS + "voices belong to the whole account, and cannot be owned by a workspace",
    "realtime.sessions": BYPASS + "makes a credential that is good directly at Mistral",
    "beta.connectors": BYPASS + "calls other services with the credentials of the account",
    "beta.libraries.accesses": BYPASS + "shares with users and organizations of the account",
    "beta.observability": BYPASS + "shows calls of the whole account, and judges run models unmetered",
    "beta.rag": OTHER + "deployments of search indexes",
    "beta.context": OTHER + "search indexes of the account",
    "beta.prompts": OTHER + "a store of prompts",
    "beta.skills": OTHER + "a store of skills",
    "beta.triggers": OTHER + "starts workflows",
    "beta.webhooks": OTHER + "events of the account",
    "workflows": OTHER + "runs programs",
    "events": OTHER + "events of workflows",
    "beta.service_accounts": ADMIN + "accounts of the provider; Louver has its own",
    "beta.users": ADMIN + "who the account's credential stands for",
}
# What calls nothing by itself.
LOCAL = {
    "beta.conversations.run_async": "calls start and append; needs packages that are not installed here",
    "beta.conversations.run_stream_async": "calls start_stream and append_stream; the same",
    "audio.sessions.init": "calls nothing",
    "beta.connectors.mcp_client": "makes a client, calls nothing",
    "beta.connectors.http_client": "makes a client, calls nothing",
}
# Operations that files of their own check.
ELSEWHERE = {
    "batch.jobs": "mistralai_batches.py",
    "beta.libraries": "mistralai_libraries.py",
    "models.delete": "mistralai_fine_tuned.py",
    "models.update": "mistralai_fine_tuned.py",
    "models.archive": "mistralai_fine_tuned.py",
    "models.unarchive": "mistralai_fine_tuned.py",
}


def under(operation, names):
    """The entry that says something of an operation."""
    parts = operation.split(".")
    paths = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((path for path in paths if path in names), None)


def own(operation):
    """The operation itself, whether plain or async."""
    return operation.removesuffix("_async")


def add(checks, recorded):
    """Adds the checks; they come last."""
    client = recorded.client
    every = every_operation(client)
    absent = {operation for operation in every if under(own(operation), NOT_SERVED)}

    for path, resource in resources(client):
        for operation in operations(resource):
            name = f"{path}.{operation}"
            asked = [p for p in inspect.signature(getattr(resource, operation)).parameters.values()
                     if p.default is inspect.Parameter.empty]
            if name in absent and not asked and not operation.endswith("_async") and name not in LOCAL:
                add_absent(checks, resource, operation, name)

    @checks.both("what needs more words is not there either", MODES)
    async def absent_with_words(mode):
        uuid = "01a1ff59-8f29-7533-8840-d561cd8e7ed9"
        share = {"library_id": uuid, "share_with_uuid": uuid, "share_with_type": "User"}
        accesses, connectors = client.beta.libraries.accesses, client.beta.connectors
        for resource, operation, words in [
            (accesses, "list", {"library_id": uuid}),
            (accesses, "update_or_create", {**share, "level": "Viewer"}),
            (accesses, "delete", share),
            (connectors, "call_tool", {"connector_id_or_name": "x", "tool_name": "y"}),
            (client.audio.voices, "create", {"name": "x", "sample_audio": "eA=="}),
            (client.audio.voices, "get", {"voice_id": "x"}),
            (client.audio.voices, "delete", {"voice_id": "x"}),
            (client.workflows, "execute_workflow", {"workflow_identifier": "x"}),
        ]:
            await no_route(lambda: mode.call(resource, operation, **words))

    @checks.check("every operation of the client is called here or has a word why not")
    async def complete():
        served = {operation for operation in every - absent - set(LOCAL) if not under(own(operation), ELSEWHERE)}
        recorded.has_called(served)

    @checks.check("nothing is said of operations that the client does not have")
    async def no_stale_words():
        names = {own(operation) for operation in every}
        for entry in [*NOT_SERVED, *ELSEWHERE, *LOCAL]:
            found = entry in every | names or any(name.startswith(entry + ".") for name in names)
            holds(found, f"{entry} is not there")
        holds(all(why.startswith((BYPASS, ADMIN, OTHER)) for why in NOT_SERVED.values()), "why")
        equal(set(NOT_SERVED) & set(ELSEWHERE), set(), "operations of which two things are said")


def add_absent(checks, resource, operation, name):
    """Adds the check that a path is not there."""

    @checks.both(f"{name} is not there", MODES)
    async def not_there(mode):
        await no_route(lambda: mode.call(resource, operation))
