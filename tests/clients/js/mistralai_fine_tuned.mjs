// A fine-tuned model with Mistral's TypeScript client: shown, renamed, archived and deleted by its workspace.

import assert from "node:assert/strict";
import { Checks } from "./checks.mjs";
import * as gateway from "./gateway.mjs";
import * as surface from "./surface.mjs";

// The Python client's checks have those before it, since each is deleted.
const modelId = "ft:mistral-small-2603:example-3";
const checks = new Checks("@mistralai/mistralai fine-tuned");
await surface.addModels([{
  id: modelId, aliases: [], family: "tuned", name: modelId, context: 1000, status: "active",
  endpoints: ["chat.completions"], workspace_id: gateway.WORKSPACE,
  prices: [{ effective_from: "2026-01-01T00:00:00Z", input_usd_per_mtok: 1, output_usd_per_mtok: 2,
    usd_per_month_kept: 2 }],
}]);
const recorded = await surface.record("js fine-tuned");
const { models, chat } = recorded.client;

checks.add("models, from retrieve to delete", async () => {
  const shown = await models.retrieve({ modelId });
  assert.deepEqual([shown.id, shown.type, shown.archived], [modelId, "fine-tuned", false]);
  const asked = { model: modelId, messages: [{ role: "user", content: "Hello" }] };
  assert.ok((await chat.complete(asked)).choices[0].message.content);
  const changed = await models.update({ modelId, updateModelRequest: { name: "slats", description: "Knows" } });
  assert.deepEqual([changed.id, changed.name, changed.description], [modelId, "slats", "Knows"]);
  assert.equal((await models.archive({ modelId })).archived, true);
  assert.equal((await models.unarchive({ modelId })).archived, false);
  await surface.turnedDown(() => surface.other().models.delete({ modelId }), 404, gateway.NO_SUCH_MODEL, "not_found");
  const gone = await models.delete({ modelId });
  assert.deepEqual([gone.id, gone.deleted], [modelId, true]);
  await surface.turnedDown(() => chat.complete(asked), 403, gateway.MODEL_NOT_ALLOWED, "model_not_allowed");
});

checks.add("nobody manages the models of everybody", async () => {
  for (const operation of ["delete", "archive", "unarchive"]) {
    const call = () => models[operation]({ modelId: gateway.SMALL });
    await surface.turnedDown(call, 404, gateway.NO_SUCH_MODEL, "not_found");
  }
});

checks.add("every operation of models is called, except the list", () => {
  const every = surface.everyOperation(recorded.client);
  surface.hasCalled(recorded, every.filter((name) => name.startsWith("models.") && name !== "models.list"));
});

await checks.run();
