// What the checks of the whole surface share: a client that notes what was called, and what Louver refuses.

import assert from "node:assert/strict";
import { Mistral } from "@mistralai/mistralai";
import { MistralError, SDKError } from "@mistralai/mistralai/models/errors";
import { refused } from "./checks.mjs";
import * as gateway from "./gateway.mjs";

/** Louver's answer to a path that it does not have, and to objects that are not the key's workspace's. */
const NO_ROUTE = { message: "no Route matched with those values" };
const NO_OBJECT = "There is no such object in the workspace of this key.";
const TOOLS = ["web_search", "code_interpreter", "document_library"];

/** Every namespace of the client with its path, itself excepted. */
export function* resources(resource, path = "") {
  const described = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(resource)));
  for (const [name, { get }] of described) {
    if (!get) continue;
    yield [path + name, resource[name]];
    yield* resources(resource[name], `${path}${name}.`);
  }
}

/** The public methods of a namespace. */
export function operations(resource) {
  const described = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(resource)));
  return described.filter(([name, { value }]) => name !== "constructor" && typeof value === "function")
    .map(([name]) => name);
}

/** All operations that the client knows, as `beta.agents.create`. */
export const everyOperation = (client) =>
  [...resources(client)].flatMap(([path, resource]) => operations(resource).map((name) => `${path}.${name}`));

/** A client with a key of its own, and the names of its operations that were called. */
export async function record(name) {
  const key = await gateway.newKey(`${name} ${process.pid}`);
  const client = new Mistral({ apiKey: key.key, serverURL: gateway.URL });
  const called = new Set();
  for (const [path, resource] of resources(client)) {
    for (const operation of operations(resource)) {
      const method = resource[operation].bind(resource);
      resource[operation] = (...words) => {
        called.add(`${path}.${operation}`);
        return method(...words);
      };
    }
  }
  return { client, called, key };
}

/** Throws unless each of these operations was called. */
export const hasCalled = (recorded, wanted) =>
  assert.deepEqual(wanted.filter((name) => !recorded.called.has(name)), [], "operations that no check calls");

/** The client of a key of another workspace. */
export const other = () => new Mistral({ apiKey: gateway.ML_KEY, serverURL: gateway.URL });

/** Lets the organization's keys use tools, the priority tier and signed URLs, which nobody may by itself. */
export const permit = () =>
  gateway.admin("PATCH", "/v1/gateway/organization", {
    limits: { allowed_tools: TOOLS, allowed_service_tiers: ["priority"], max_signed_url_hours: 24 },
  });

/** Writes models into the catalogue that it does not have yet. */
export async function addModels(models) {
  const { data } = await gateway.admin("GET", "/v1/gateway/models");
  const known = data.map(({ object, unpriced, ...model }) => model);
  const unknown = models.filter((model) => !known.some(({ id }) => id === model.id));
  await gateway.admin("PUT", "/v1/gateway/models", { models: [...known, ...unknown] });
}

/** All events of a stream. */
export async function eventsOf(stream) {
  const events = [];
  for await (const event of await stream) events.push(event.data);
  return events;
}

/** The call is refused by Louver in Mistral's shape, and with Louver's own words. */
export async function turnedDown(call, status, message, code) {
  const error = await refused(SDKError, call);
  const body = JSON.parse(error.body);
  const told = [error.statusCode, body.raw_status_code, body.object, body.message, body.code];
  assert.deepEqual(told, [status, status, "error", message, code]);
  assert.ok(body.request_id);
}

/** The call names something that the key's workspace does not have. */
export const noObject = (call) => turnedDown(call, 404, NO_OBJECT, "not_found");

/** The call goes to a path that Louver does not have. */
export async function noRoute(call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    // Some operations want another body for a 404 than Mistral gives for paths that are not there.
    assert.ok(error instanceof MistralError, String(error.stack));
    assert.deepEqual([error.statusCode, JSON.parse(error.body)], [404, NO_ROUTE]);
    return;
  }
  assert.fail(`wanted a refusal, got ${JSON.stringify(answer)}`);
}

/** Usage has tokens of both kinds, and their sum. */
export function addsUp(usage) {
  assert.ok(usage.promptTokens > 0 && usage.completionTokens > 0, JSON.stringify(usage));
  assert.equal(usage.totalTokens, usage.promptTokens + usage.completionTokens);
}
