"""Fine-tuned models with Mistral's Python client: shown, renamed, archived and deleted by their workspace."""

import gateway
import surface
from checks import Checks, equal, holds
from surface import MODES, turned_down

checks = Checks("mistralai fine-tuned")
# Of the simulator's fine-tuned models one for each mode, since each is deleted.
MODELS = {mode.name: f"ft:mistral-small-2603:example-{number}" for number, mode in enumerate(MODES, 1)}
PRICE = {"effective_from": "2026-01-01T00:00:00Z", "input_usd_per_mtok": 1, "output_usd_per_mtok": 2,
         "usd_per_month_kept": 2}
surface.add_models([
    {"id": id, "aliases": [], "family": "tuned", "name": id, "context": 1000, "status": "active", "prices": [PRICE],
     "endpoints": ["chat.completions"], "workspace_id": gateway.WORKSPACE} for id in MODELS.values()
])
recorded = surface.Recorded("fine-tuned")
client = recorded.client


@checks.both("models, from retrieve to delete", MODES)
async def live(mode):
    one = {"model_id": MODELS[mode.name]}
    shown = await mode.call(client.models, "retrieve", **one)
    equal((shown.id, shown.type, shown.archived), (one["model_id"], "fine-tuned", False), "model")
    chat = {"model": one["model_id"], "messages": [{"role": "user", "content": "Hello"}]}
    holds((await mode.call(client.chat, "complete", **chat)).choices[0].message.content, "it answers")
    changed = await mode.call(client.models, "update", name="slats", description="Knows louvers", **one)
    equal((changed.id, changed.name, changed.description), (one["model_id"], "slats", "Knows louvers"), "change")
    archived = await mode.call(client.models, "archive", **one)
    equal((archived.id, archived.archived), (one["model_id"], True), "archived")
    back = await mode.call(client.models, "unarchive", **one)
    equal((back.id, back.archived), (one["model_id"], False), "brought back")
    gone = await mode.call(client.models, "delete", **one)
    equal((gone.id, gone.deleted), (one["model_id"], True), "deleted")
    await turned_down(lambda: mode.call(client.chat, "complete", **chat),
                      403, gateway.MODEL_NOT_ALLOWED, "model_not_allowed")


@checks.both("nobody manages the models of others, or those of everybody", MODES)
async def foreign(mode):
    other = type(client)(api_key=gateway.ML_KEY, server_url=gateway.URL)
    for resource, id in ((other.models, MODELS[mode.name]), (client.models, gateway.SMALL)):
        for operation in ("delete", "archive", "unarchive"):
            await turned_down(lambda: mode.call(resource, operation, model_id=id), 404, gateway.NO_SUCH_MODEL,
                              "not_found")
        await turned_down(lambda: mode.call(resource, "update", model_id=id, name="mine"), 404,
                          gateway.NO_SUCH_MODEL, "not_found")


@checks.check("every operation of models is called, except the list")
async def complete():
    every = surface.every_operation(client)
    recorded.has_called({name for name in every if name.startswith("models.") and "list" not in name})


checks.run()
