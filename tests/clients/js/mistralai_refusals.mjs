// What Mistral's TypeScript client makes of Louver's refusals: its own error classes, with our words in them.

import assert from "node:assert/strict";
import { Mistral } from "@mistralai/mistralai";
import { HTTPValidationError, SDKError } from "@mistralai/mistralai/models/errors";
import { Checks, refused } from "./checks.mjs";
import * as gateway from "./gateway.mjs";

const { SMALL, LARGE, EMBED } = gateway;
const checks = new Checks("@mistralai/mistralai, refused");
const clientOf = (apiKey, options = {}) => new Mistral({ apiKey, serverURL: gateway.URL, ...options });
const team = clientOf(gateway.DEV_KEY);
const messages = [{ role: "user", content: "Hello" }];

/** One call in each of the ways a chat can be asked for. */
const callsOf = (client, asked) => [() => client.chat.complete(asked), () => client.chat.stream(asked)];

checks.add("a forbidden model: SDKError 403 with our message", async () => {
  for (const call of callsOf(team, { model: LARGE, messages })) {
    const error = await refused(SDKError, call);
    const body = JSON.parse(error.body);
    assert.equal(error.statusCode, 403);
    assert.deepEqual([body.type, body.code, body.param], ["model_not_allowed", "model_not_allowed", "model"]);
    assert.equal(body.message, gateway.MODEL_NOT_ALLOWED);
    assert.ok(error.message.includes(gateway.MODEL_NOT_ALLOWED));
    assert.equal(error.headers.get("x-request-id"), body.request_id);
  }
});

checks.add("a forbidden model for embeddings and fim: SDKError 403", async () => {
  for (const call of [
    () => team.embeddings.create({ model: EMBED, inputs: ["one"] }),
    () => team.fim.complete({ model: "codestral-9999", prompt: "def f" }),
  ]) {
    const error = await refused(SDKError, call);
    assert.deepEqual([error.statusCode, JSON.parse(error.body).code], [403, "model_not_allowed"]);
  }
});

checks.add("a wrong shape: HTTPValidationError 422 that names the place", async () => {
  for (const call of callsOf(team, { model: SMALL, messages: [] })) {
    const error = await refused(HTTPValidationError, call);
    assert.equal(error.statusCode, 422);
    assert.equal(error.detail.length, 1);
    assert.deepEqual(error.detail[0].loc, ["body", "messages"]);
    assert.equal(error.detail[0].msg, "List should have at least 1 item");
  }
});

checks.add("a revoked key: SDKError 401, at the very next call", async () => {
  const key = await gateway.newKey("js-revoked");
  const client = clientOf(key.key);
  assert.equal((await client.chat.complete({ model: SMALL, messages })).choices.length, 1);
  await gateway.revoke(key);
  for (const call of callsOf(client, { model: SMALL, messages })) {
    const error = await refused(SDKError, call);
    assert.equal(error.statusCode, 401);
    assert.deepEqual(JSON.parse(error.body), { detail: "Unauthorized" });
  }
});

checks.add("too many requests: SDKError 429 with our message, thrown at once", async () => {
  const client = clientOf((await gateway.newKey("js-rpm", { rate_limit_rpm: 1 })).key);
  await client.chat.complete({ model: SMALL, messages });
  for (const call of callsOf(client, { model: SMALL, messages })) {
    const error = await refused(SDKError, call);
    const body = JSON.parse(error.body);
    const wait = Number(error.headers.get("retry-after"));
    assert.deepEqual([error.statusCode, body.code], [429, "rate_limited"]);
    assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= gateway.LONGEST_WAIT, `Retry-After: ${wait}`);
    assert.equal(
      body.message,
      `Requests rate limit exceeded: the key's limit of 1 requests per minute is used up. Try again in ${wait} s.`,
    );
  }
});

checks.add("a stream that upstream cuts off is an error, not a short answer", async () => {
  const metadata = gateway.steered({ fault: "reset_after", after: 3, chunks: 50 });
  let events = 0;
  await assert.rejects(async () => {
    for await (const _ of await team.chat.stream({ model: SMALL, messages, metadata })) events += 1;
  });
  assert.equal(events, 3, "events before");
});

/** Awaits the call, which must ask for a timer of one of these lengths, and ends it there in place of waiting. */
async function wouldWait(lengths, call) {
  const real = globalThis.setTimeout;
  const asked = [];
  globalThis.setTimeout = (run, delay, ...rest) => {
    if (!lengths.includes(delay)) return real(run, delay, ...rest);
    asked.push(delay);
    throw new Error("this is long enough");
  };
  try {
    await assert.rejects(call);
  } finally {
    globalThis.setTimeout = real;
  }
  assert.equal(asked.length, 1, `timers of ${lengths} ms`);
}

checks.add("a client told to retry waits for Retry-After", async () => {
  const { key } = await gateway.newKey("js-waits", { rate_limit_rpm: 1 });
  await clientOf(key).models.list();
  const told = Number((await refused(SDKError, () => clientOf(key).models.list())).headers.get("retry-after"));
  const backoff = { initialInterval: 1, maxInterval: 120_000, exponent: 1, maxElapsedTime: 5000 };
  const client = clientOf(key, { retryConfig: { strategy: "backoff", backoff, retryConnectionErrors: false } });
  // The second may turn between the two calls.
  await wouldWait([told * 1000, (told - 1) * 1000], () => client.models.list());
});

await checks.run();
