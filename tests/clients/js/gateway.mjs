// The Louver under test: its addresses and keys, and the admin API as far as these tests need it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

// What Louver says; the tests compare whole sentences, since people search for them.
export const MODEL_NOT_ALLOWED =
  "The model does not exist or this key may not use it; GET /v1/models lists those it may.";
export const NO_SUCH_MODEL = "There is no such model, or this key may not use it.";
export const LONGEST_WAIT = 61;

export const SMALL = "mistral-small-latest";
export const LARGE = "mistral-large-latest";
export const CODE = "codestral-latest";
export const EMBED = "mistral-embed";
export const DIMENSIONS = 1024;

export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const dev = JSON.parse(readFileSync(process.argv[2], "utf8"));

export const URL = dev.api_url;
/** All models of the workspace, and 200 requests a minute. */
export const ML_KEY = dev.workspaces["ml-workspace"].keys["ml-team-key"];
/** The workspace of the keys that `newKey` makes. */
export const WORKSPACE = dev.workspaces.default.uuid;
/** mistral-small and codestral only. */
export const DEV_KEY = dev.workspaces["dev-workspace"].keys["dev-team-key"];

/** Calls the admin API, which must answer 200, and answers its JSON. */
export async function admin(method, path, body) {
  const headers = { Authorization: `Bearer ${dev.admin_key}`, "Content-Type": "application/json" };
  const answer = await fetch(URL + path, { method, headers, body: body && JSON.stringify(body) });
  assert.equal(answer.status, 200, `${method} ${path}`);
  return answer.json();
}

/** Makes a key in the default workspace, which has no limits, and answers it with its secret in `key`. */
export const newKey = (name, rules = {}) => admin("POST", "/v1/api-keys", { name, ...rules });

/** Revokes a key that `newKey` made. */
export const revoke = (key) => admin("DELETE", `/v1/api-keys/${key.id}`);

/** The `metadata` that makes the simulator answer in so many tokens or chunks. */
export const steered = (directions) => ({ simulator: directions });
