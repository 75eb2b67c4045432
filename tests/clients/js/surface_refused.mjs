// The surface: what Louver does not have, each with a word why, and that nothing is left over.

import assert from "node:assert/strict";
import { everyOperation, hasCalled, noRoute, operations, resources } from "./surface.mjs";

const BYPASS = "refused by design: ";
const ADMIN = "admin: ";
const OTHER = "not Mistral inference: ";

/** Operations and namespaces that are not served. */
const NOT_SERVED = {
  "audio.voices": `${BYPASS}voices belong to the whole account, and cannot be owned by a workspace`,
  "realtime.sessions": `${BYPASS}makes a credential that is good directly at Mistral`,
  "beta.connectors": `${BYPASS}calls other services with the credentials of the account`,
  "beta.libraries.accesses": `${BYPASS}shares with users and organizations of the account`,
  "beta.observability": `${BYPASS}shows calls of the whole account, and judges run models unmetered`,
  "beta.rag": `${OTHER}deployments of search indexes`,
  "beta.prompts": `${OTHER}a store of prompts`,
  "beta.skills": `${OTHER}a store of skills`,
  workflows: `${OTHER}runs programs`,
  events: `${OTHER}events of workflows`,
  "beta.serviceAccounts": `${ADMIN}accounts of the provider; Louver has its own`,
  "beta.users": `${ADMIN}who the account's credential stands for`,
};
/** Operations that files of their own check. */
const ELSEWHERE = {
  "batch.jobs": "mistralai_batches.mjs",
  "beta.libraries": "mistralai_libraries.mjs",
  "models.delete": "mistralai_fine_tuned.mjs",
  "models.update": "mistralai_fine_tuned.mjs",
  "models.archive": "mistralai_fine_tuned.mjs",
  "models.unarchive": "mistralai_fine_tuned.mjs",
};

const uuid = "01a1ff59-8f29-7533-8840-d561cd8e7ed9";
/** What operations are asked with that need words. */
const WORDS = {
  "beta.libraries.accesses.list": { libraryId: uuid },
  "beta.libraries.accesses.updateOrCreate": {
    libraryId: uuid, sharingRequest: { level: "Viewer", shareWithUuid: uuid, shareWithType: "User" },
  },
  "beta.libraries.accesses.delete": {
    libraryId: uuid, sharingDelete: { shareWithUuid: uuid, shareWithType: "User" },
  },
  "beta.connectors.list": undefined,
  "beta.prompts.list": undefined,
  "beta.skills.list": undefined,
  "beta.observability.judges.list": undefined,
  "beta.observability.datasets.list": undefined,
  "audio.voices.list": undefined,
  "audio.voices.get": { voiceId: "x" },
  "audio.voices.delete": { voiceId: "x" },
  "workflows.getWorkflows": {},
};

const isUnder = (name, entries) =>
  Object.keys(entries).some((entry) => name === entry || name.startsWith(`${entry}.`));

export function add(checks, recorded) {
  const every = everyOperation(recorded.client);

  for (const [path, resource] of resources(recorded.client)) {
    for (const operation of operations(resource)) {
      const name = `${path}.${operation}`;
      if (name in WORDS) checks.add(`${name} is not there`, () => noRoute(() => resource[operation](WORDS[name])));
    }
  }

  checks.add("every operation of the client is called here or has a word why not", () => {
    hasCalled(recorded, every.filter((name) => !isUnder(name, NOT_SERVED) && !isUnder(name, ELSEWHERE)));
  });

  checks.add("nothing is said of operations that the client does not have", () => {
    for (const entry of Object.keys({ ...NOT_SERVED, ...ELSEWHERE, ...WORDS })) {
      assert.ok(every.some((name) => isUnder(name, { [entry]: "" })), entry);
    }
    assert.ok(Object.keys(WORDS).every((name) => isUnder(name, NOT_SERVED)));
  });
}
