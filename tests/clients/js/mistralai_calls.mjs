// Every call of Mistral's TypeScript client that Louver serves.

import assert from "node:assert/strict";
import { Mistral } from "@mistralai/mistralai";
import { SDKError } from "@mistralai/mistralai/models/errors";
import { Checks, refused } from "./checks.mjs";
import * as gateway from "./gateway.mjs";

const { SMALL, LARGE, CODE, EMBED, WEATHER, steered } = gateway;
const checks = new Checks("@mistralai/mistralai");
const client = new Mistral({ apiKey: gateway.ML_KEY, serverURL: gateway.URL });
const team = new Mistral({ apiKey: gateway.DEV_KEY, serverURL: gateway.URL });

const hello = [{ role: "user", content: "Say something about louvers." }];
const talk = [
  { role: "system", content: "You are brief." },
  { role: "user", content: "Name a colour." },
  { role: "assistant", content: "Blue." },
  { role: "user", content: [{ type: "text", text: "Another one, please" }] },
];
const fim = { model: CODE, prompt: "def odd(n):\n    return ", suffix: "\n\nprint(odd(3))" };

async function eventsOf(stream) {
  const events = [];
  for await (const event of await stream) events.push(event.data);
  return events;
}

const textOf = (events) => events.map((event) => event.choices[0].delta.content ?? "").join("");

function addsUp(usage) {
  assert.ok(usage.promptTokens > 0);
  assert.equal(usage.totalTokens, usage.promptTokens + usage.completionTokens);
}

checks.add("chat.complete", async () => {
  const answer = await client.chat.complete({ model: SMALL, messages: hello, metadata: steered({ tokens: 500 }) });
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.equal(answer.choices[0].finishReason, "stop");
  assert.equal(answer.usage.completionTokens, 500);
  addsUp(answer.usage);
});

checks.add("chat.complete, maxTokens", async () => {
  const answer = await client.chat.complete({ model: SMALL, messages: hello, maxTokens: 5 });
  assert.equal(answer.choices[0].finishReason, "length");
  assert.equal(answer.usage.completionTokens, 5);
});

checks.add("chat.complete, several messages and choices", async () => {
  const one = await client.chat.complete({ model: SMALL, messages: talk.slice(1, 2) });
  const all = await client.chat.complete({ model: SMALL, messages: talk, n: 2, temperature: 0.5 });
  assert.equal(all.choices.length, 2);
  assert.ok(all.usage.promptTokens > one.usage.promptTokens);
});

checks.add("chat.complete, tool call and its result", async () => {
  const asked = { model: SMALL, tools: [WEATHER] };
  const answer = await client.chat.complete({ ...asked, messages: hello, toolChoice: "any" });
  assert.equal(answer.choices[0].finishReason, "tool_calls");
  const { message } = answer.choices[0];
  assert.equal(message.toolCalls.length, 1);
  const [called] = message.toolCalls;
  assert.equal(called.function.name, "get_weather");
  assert.equal(typeof JSON.parse(called.function.arguments).city, "string");
  const result = { role: "tool", toolCallId: called.id, name: "get_weather", content: '{"sky": "clear"}' };
  const after = await client.chat.complete({ ...asked, messages: [...hello, message, result] });
  assert.equal(after.choices[0].finishReason, "stop");
  assert.ok(after.choices[0].message.content);
});

checks.add("chat.stream", async () => {
  const asked = { model: SMALL, messages: hello, metadata: steered({ chunks: 50, tokens: 200 }) };
  const events = await eventsOf(client.chat.stream(asked));
  assert.ok(events.length >= 50, `${events.length} events`);
  assert.equal(events.at(-1).choices[0].finishReason, "stop");
  assert.equal(events.at(-1).usage.completionTokens, 200);
  addsUp(events.at(-1).usage);
  const whole = await client.chat.complete(asked);
  assert.equal(textOf(events), whole.choices[0].message.content);
});

checks.add("chat.stream, tool call", async () => {
  const asked = { model: SMALL, messages: hello, tools: [WEATHER], toolChoice: "any" };
  const events = await eventsOf(client.chat.stream(asked));
  const calls = events.flatMap((event) => event.choices[0].delta.toolCalls ?? []);
  assert.deepEqual(calls.map((call) => call.function.name).filter(Boolean), ["get_weather"]);
  assert.equal(events.at(-1).choices[0].finishReason, "tool_calls");
});

checks.add("chat.stream, left after one event; the client goes on", async () => {
  const asked = { model: SMALL, messages: hello, metadata: steered({ chunks: 50 }) };
  for await (const event of await client.chat.stream(asked)) {
    assert.ok(event.data.choices.length > 0);
    break;
  }
  assert.equal((await client.chat.complete({ model: SMALL, messages: hello })).choices.length, 1);
});

checks.add("chat.complete, 20 calls at once", async () => {
  const calls = Array.from({ length: 20 }, () => client.chat.complete({ model: SMALL, messages: hello }));
  const texts = new Set((await Promise.all(calls)).map((answer) => answer.choices[0].message.content));
  assert.equal(texts.size, 1);
});

checks.add("fim.complete", async () => {
  const answer = await client.fim.complete(fim);
  assert.ok(answer.choices[0].message.content);
  addsUp(answer.usage);
});

checks.add("fim.stream", async () => {
  const events = await eventsOf(client.fim.stream(fim));
  const whole = await client.fim.complete(fim);
  assert.equal(textOf(events), whole.choices[0].message.content);
  addsUp(events.at(-1).usage);
});

checks.add("embeddings.create", async () => {
  const answer = await client.embeddings.create({ model: EMBED, inputs: ["one", "two", "one"] });
  assert.deepEqual(answer.data.map((item) => item.index), [0, 1, 2]);
  const [one, two, again] = answer.data.map((item) => item.embedding);
  assert.equal(one.length, gateway.DIMENSIONS);
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, two);
  addsUp(answer.usage);
});

checks.add("models.list shows what the key may use", async () => {
  const ids = async (from) => new Set((await from.models.list()).data.map((model) => model.id));
  const every = await ids(client);
  for (const id of [SMALL, LARGE, CODE, EMBED]) assert.ok(every.has(id), id);
  const mine = await ids(team);
  for (const id of [SMALL, CODE]) assert.ok(mine.has(id), id);
  for (const id of mine) assert.match(id, /^(mistral-small|codestral)-(?!embed)/);
});

checks.add("models.retrieve", async () => {
  const model = await client.models.retrieve({ modelId: CODE });
  assert.equal(model.id, CODE);
  assert.ok(model.capabilities.completionFim && model.capabilities.completionChat);
});

checks.add("models.retrieve of a forbidden model is as of an unknown one", async () => {
  for (const modelId of [LARGE, "no-such-model"]) {
    const error = await refused(SDKError, () => team.models.retrieve({ modelId }));
    assert.equal(error.statusCode, 404);
    assert.equal(JSON.parse(error.body).message, gateway.NO_SUCH_MODEL);
  }
});

await checks.run();
