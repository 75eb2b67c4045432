// The surface: agents with their versions, and conversations.

import assert from "node:assert/strict";
import * as gateway from "./gateway.mjs";
import { addsUp, eventsOf, noObject, other, turnedDown } from "./surface.mjs";

const { SMALL, LARGE, WEATHER } = gateway;
const NOT_ALLOWED = 'Tools of the type "image_generation" are not allowed for this key; functions are.';
const hello = [{ role: "user", content: "Hello" }];
const ids = (things) => things.map((thing) => thing.id);

/** The text of a streamed turn. */
const said = (events) =>
  events.filter((event) => event.type === "message.output.delta").map((event) => event.content).join("");

/** The conversation of a streamed turn, which must have its begin, a text and its end. */
function whole(events) {
  assert.equal(events[0].type, "conversation.response.started");
  assert.equal(events.at(-1).type, "conversation.response.done");
  assert.ok(said(events));
  addsUp(events.at(-1).usage);
  return events[0].conversationId;
}

export function add(checks, { client }) {
  addAgents(checks, client, client.beta.agents);
  addConversations(checks, client, client.beta.conversations);
}

function addAgents(checks, client, agents) {
  checks.add("beta.agents, from create to delete", async () => {
    const made = await agents.create({ model: SMALL, name: "guide", instructions: "Be brief.", tools: [WEATHER],
      description: "Knows the way", metadata: { team: "js" }, completionArgs: { temperature: 0.3, maxTokens: 50 },
      versionMessage: "the first" });
    assert.deepEqual([made.name, made.version, made.metadata], ["guide", 0, { team: "js" }]);
    const agentId = made.id;
    const shown = await agents.get({ agentId });
    assert.deepEqual([shown.id, shown.instructions, shown.completionArgs.maxTokens], [agentId, "Be brief.", 50]);
    const change = { model: LARGE, name: "pilot", tools: [], instructions: "Be kind.", versionMessage: "the second" };
    const changed = await agents.update({ agentId, updateAgentRequest: change });
    assert.deepEqual([changed.version, changed.name, changed.instructions], [1, "pilot", "Be kind."]);
    assert.equal((await agents.get({ agentId, agentVersion: 0 })).name, "guide");
    assert.deepEqual((await agents.listVersions({ agentId })).map((version) => version.version), [1, 0]);
    assert.equal((await agents.getVersion({ agentId, version: "0" })).instructions, "Be brief.");
    assert.equal((await agents.updateVersion({ agentId, version: 0 })).version, 0);
    await agents.delete({ agentId });
    await noObject(() => agents.get({ agentId }));
  });

  checks.add("beta.agents, aliases of versions", async () => {
    const { id: agentId } = await agents.create({ model: SMALL, name: "guide" });
    await agents.update({ agentId, updateAgentRequest: { instructions: "Be kind." } });
    const named = await agents.createVersionAlias({ agentId, alias: "prod", version: 0 });
    assert.deepEqual([named.alias, named.version], ["prod", 0]);
    assert.deepEqual((await agents.listVersionAliases({ agentId })).map((alias) => alias.alias), ["prod"]);
    assert.equal((await agents.get({ agentId, agentVersion: "prod" })).version, 0);
    await agents.deleteVersionAlias({ agentId, alias: "prod" });
    assert.deepEqual(await agents.listVersionAliases({ agentId }), []);
    await agents.delete({ agentId });
  });

  checks.add("beta.agents.list and listPages", async () => {
    const metadata = { team: "js lists" };
    const made = [];
    for (const name of ["n0", "n1", "n2"]) made.unshift((await agents.create({ model: SMALL, name, metadata })).id);
    const every = ids(await agents.list());
    assert.deepEqual(every.filter((id) => made.includes(id)), made);
    const mine = await agents.list({ metadata, sources: ["api", "playground"], deploymentChat: false });
    assert.deepEqual(ids(mine), made);
    assert.deepEqual(ids(await agents.list({ metadata, name: "n1", search: "n" })), [made[1]]);
    assert.deepEqual(ids(await agents.list({ metadata, page: 1, pageSize: 2 })), made.slice(2));
    const pages = [];
    for await (const page of await agents.listPages({ metadata, pageSize: 2 })) pages.push(ids(page.result.data));
    assert.deepEqual(pages, [made.slice(0, 2), made.slice(2)]);
    for (const agentId of made) await agents.delete({ agentId });
  });

  checks.add("agents.complete and agents.stream", async () => {
    const agent = await agents.create({ model: SMALL, name: "guide", instructions: "Be brief." });
    const asked = { agentId: agent.id, messages: hello, maxTokens: 30 };
    const answer = await client.agents.complete(asked);
    assert.equal(answer.model, agent.model);
    addsUp(answer.usage);
    const events = await eventsOf(client.agents.stream(asked));
    const text = events.map((event) => event.choices[0].delta.content ?? "").join("");
    assert.equal(text, answer.choices[0].message.content);
    addsUp(events.at(-1).usage);
    await noObject(() => other().beta.agents.get({ agentId: agent.id }));
    await noObject(() => other().agents.complete(asked));
    await agents.delete({ agentId: agent.id });
    await noObject(() => client.agents.complete(asked));
  });
}

function addConversations(checks, client, talks) {
  checks.add("beta.conversations, from start to delete", async () => {
    const begun = await talks.start({ model: SMALL, inputs: "Hello", name: "n", description: "d",
      instructions: "Be brief.", metadata: { team: "js" }, completionArgs: { temperature: 0.3, maxTokens: 20 } });
    const { conversationId } = begun;
    assert.deepEqual([begun.outputs.at(-1).type, begun.outputs.at(-1).role], ["message.output", "assistant"]);
    addsUp(begun.usage);
    const more = await talks.append({ conversationId, conversationAppendRequest: { inputs: hello } });
    assert.equal(more.conversationId, conversationId);
    assert.ok(more.usage.promptTokens > begun.usage.promptTokens);
    const shown = await talks.get({ conversationId });
    assert.deepEqual([shown.id, shown.name, shown.metadata], [conversationId, "n", { team: "js" }]);
    const { entries } = await talks.getHistory({ conversationId });
    const turn = ["message.input", "message.output"];
    assert.deepEqual(entries.map((entry) => entry.type), [...turn, ...turn]);
    const { messages } = await talks.getMessages({ conversationId });
    assert.deepEqual([messages[0].content, messages[2].content], ["Hello", "Hello"]);
    const restart = { fromEntryId: entries[1].id, inputs: "No." };
    const again = await talks.restart({ conversationId, conversationRestartRequest: restart });
    assert.notEqual(again.conversationId, conversationId);
    assert.ok(ids(await talks.list({ metadata: { team: "js" } })).includes(conversationId));
    assert.deepEqual(await talks.list({ metadata: { team: "nobody" } }), []);
    await noObject(() => other().beta.conversations.get({ conversationId }));
    await talks.delete({ conversationId });
    const left = ids(await talks.list());
    assert.deepEqual([left.includes(again.conversationId), left.includes(conversationId)], [true, false]);
    await noObject(() => talks.append({ conversationId, conversationAppendRequest: { inputs: "x" } }));
  });

  checks.add("beta.conversations, streams", async () => {
    const events = await eventsOf(talks.startStream({ model: SMALL, inputs: "Hello" }));
    const conversationId = whole(events);
    const append = { conversationId, conversationAppendStreamRequest: { inputs: "And then?" } };
    assert.equal(whole(await eventsOf(talks.appendStream(append))), conversationId);
    const { entries } = await talks.getHistory({ conversationId });
    assert.equal(entries[1].content, said(events));
    const restart = { fromEntryId: entries[0].id, inputs: "No." };
    const again = talks.restartStream({ conversationId, conversationRestartStreamRequest: restart });
    assert.notEqual(whole(await eventsOf(again)), conversationId);
  });

  checks.add("beta.conversations with an agent and with tools", async () => {
    const agent = await client.beta.agents.create({ model: SMALL, name: "guide" });
    const spoke = await talks.start({ agentId: agent.id, agentVersion: 0, inputs: "Hello" });
    assert.equal(spoke.outputs.at(-1).agentId, agent.id);
    await client.beta.agents.delete({ agentId: agent.id });
    const begun = await talks.start({ model: SMALL, inputs: "Hello", tools: [{ type: "web_search" }] });
    assert.equal(begun.outputs[0].type, "tool.execution");
    assert.deepEqual(Object.keys(begun.usage.connectors), ["web_search"]);
    const forced = { model: SMALL, inputs: "Hello", tools: [WEATHER], completionArgs: { toolChoice: "any" } };
    const { conversationId, outputs } = await talks.start(forced);
    const call = outputs.find((output) => output.type === "function.call");
    assert.equal(call.name, "get_weather");
    const result = { type: "function.result", toolCallId: call.toolCallId, result: '{"sky": "clear"}' };
    const append = { inputs: [result], completionArgs: { toolChoice: "auto" } };
    const after = await talks.append({ conversationId, conversationAppendRequest: append });
    assert.equal(after.outputs.at(-1).type, "message.output");
    const drawn = { model: SMALL, inputs: "x", tools: [{ type: "image_generation" }] };
    await turnedDown(() => talks.start(drawn), 403, NOT_ALLOWED, "tool_not_allowed");
  });
}
