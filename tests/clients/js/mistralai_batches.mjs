// Batch jobs with Mistral's TypeScript client: inline and by file, from begin to end.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Checks } from "./checks.mjs";
import * as gateway from "./gateway.mjs";
import * as surface from "./surface.mjs";

const { SMALL, LARGE } = gateway;
const CHAT = "/v1/chat/completions";
const RUNNING = ["QUEUED", "RUNNING", "CANCELLATION_REQUESTED"];
const checks = new Checks("@mistralai/mistralai batches");
await surface.permit();
const recorded = await surface.record("js batches");
const { files, batch: { jobs } } = recorded.client;
const ids = (things) => things.map((thing) => thing.id);

/** One line of a batch. */
const asked = (customId) => ({ customId, body: { messages: [{ role: "user", content: "Hello" }], max_tokens: 20 } });
const inline = (model) => jobs.create({ endpoint: CHAT, requests: [asked("a"), asked("b")], model });

/** The job once it is over. */
async function ended(job) {
  let now = job;
  for (let times = 0; RUNNING.includes(now.status) && times < 300; times += 1) {
    await setTimeout(100);
    now = await jobs.get({ jobId: job.id });
  }
  return now;
}

checks.add("batch.jobs with a file, from upload to the answers", async () => {
  const lines = ["0", "1", "2"].map(asked).map(({ customId, body }) => JSON.stringify({ custom_id: customId, body }));
  const content = new TextEncoder().encode(`${lines.join("\n")}\n`);
  const kept = await files.upload({ file: { fileName: "lines.jsonl", content }, purpose: "batch" });
  const made = await jobs.create({ endpoint: CHAT, inputFiles: [kept.id], model: SMALL, timeoutHours: 2,
    metadata: { team: "js" } });
  assert.deepEqual([made.inputFiles, made.endpoint, made.metadata], [[kept.id], CHAT, { team: "js" }]);
  const job = await ended(made);
  assert.deepEqual([job.status, job.totalRequests, job.succeededRequests], ["SUCCESS", 3, 3]);
  const text = await new Response(await files.download({ fileId: job.outputFile })).text();
  const answers = text.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(answers.map((answer) => answer.custom_id).sort(), ["0", "1", "2"]);
  for (const { response } of answers) {
    assert.equal(response.status_code, 200);
    assert.ok(response.body.usage.completion_tokens <= 20);
  }
});

checks.add("batch.jobs with requests in the body", async () => {
  const job = await ended(await inline(SMALL));
  assert.deepEqual([job.status, job.succeededRequests], ["SUCCESS", 2]);
  const { outputs } = await jobs.get({ jobId: job.id, inline: true });
  assert.deepEqual(outputs.map((output) => output.custom_id).sort(), ["a", "b"]);
});

checks.add("batch.jobs.list", async () => {
  const made = [];
  for (const model of [SMALL, SMALL, LARGE]) made.unshift(await inline(model));
  for (const job of made) await ended(job);
  const every = await jobs.list();
  assert.deepEqual(ids(every.data).filter((id) => ids(made).includes(id)), ids(made));
  const mine = await jobs.list({ createdByMe: true, status: ["SUCCESS", "QUEUED"], pageSize: 2 });
  assert.deepEqual(ids(mine.data), ids(made.slice(0, 2)));
  const oldest = await jobs.list({ orderBy: "created" });
  assert.deepEqual(ids(oldest.data).filter((id) => ids(made).includes(id)), ids(made).reverse());
  assert.deepEqual((await jobs.list({ status: ["FAILED"] })).data, []);
});

checks.add("batch.jobs.cancel", async () => {
  const told = await jobs.cancel({ jobId: (await inline(SMALL)).id });
  assert.ok(["CANCELLED", "SUCCESS"].includes((await ended(told)).status));
});

checks.add("batch.jobs that are not the key's, and what is not there", async () => {
  const { id: jobId } = await inline(SMALL);
  await surface.noObject(() => surface.other().batch.jobs.get({ jobId }));
  await surface.noObject(() => surface.other().batch.jobs.cancel({ jobId }));
  // What is gone can no longer be settled.
  await surface.turnedDown(() => jobs.delete({ jobId }), 405, "This path answers to GET.", "method_not_allowed");
  await surface.turnedDown(() => inline("nope"), 403, gateway.MODEL_NOT_ALLOWED, "model_not_allowed");
});

checks.add("every operation of batch jobs is called", () => {
  const every = surface.everyOperation(recorded.client);
  surface.hasCalled(recorded, every.filter((name) => name.startsWith("batch.")));
});

await checks.run();
