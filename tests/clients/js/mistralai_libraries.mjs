// Libraries and their documents with Mistral's TypeScript client.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Checks } from "./checks.mjs";
import * as surface from "./surface.mjs";

const TEXT = "Louvers are slats.\n\nThey let the air through, and keep the rain out.\n";
const checks = new Checks("@mistralai/mistralai libraries");
await surface.permit();
const recorded = await surface.record("js libraries");
const { libraries } = recorded.client.beta;
const { documents } = libraries;
const ids = (things) => things.map((thing) => thing.id);

/** A document, once it is read. */
async function uploaded(libraryId, fileName) {
  const file = { fileName, content: new TextEncoder().encode(TEXT) };
  const made = await documents.upload({ libraryId, requestBody: { file } });
  assert.deepEqual([made.libraryId, made.name, made.size], [libraryId, fileName, TEXT.length]);
  return read({ libraryId, documentId: made.id });
}

/** The document once it is read. */
async function read(one) {
  let status = await documents.status(one);
  for (let times = 0; !["done", "noop"].includes(status.processStatus) && times < 200; times += 1) {
    await setTimeout(100);
    status = await documents.status(one);
  }
  assert.deepEqual([status.documentId, status.processStatus], [one.documentId, "done"]);
  return documents.get(one);
}

checks.add("beta.libraries, from create to delete", async () => {
  const made = await libraries.create({ name: "slats", description: "All about them" });
  assert.deepEqual([made.name, made.description, made.nbDocuments], ["slats", "All about them", 0]);
  const libraryId = made.id;
  assert.equal((await libraries.get({ libraryId })).name, "slats");
  const changed = await libraries.update({ libraryId, updateLibraryRequest: { name: "louvers" } });
  assert.equal(changed.name, "louvers");
  const again = await libraries.librariesUpdateV1({ libraryId, updateLibraryRequest: { name: "blinds" } });
  assert.equal(again.name, "blinds");
  assert.ok(ids((await libraries.list()).data).includes(libraryId));
  await surface.noObject(() => surface.other().beta.libraries.get({ libraryId }));
  await libraries.delete({ libraryId });
  await surface.noObject(() => libraries.get({ libraryId }));
});

checks.add("beta.libraries.documents, from upload to delete", async () => {
  const { id: libraryId } = await libraries.create({ name: "slats" });
  const made = await uploaded(libraryId, "slats.txt");
  assert.ok(made.tokensProcessingTotal > 0);
  const one = { libraryId, documentId: made.id };
  assert.ok((await documents.textContent(one)).text);
  const change = { ...one, updateDocumentRequest: { name: "air.txt", attributes: { team: "ml" } } };
  const changed = await documents.update(change);
  assert.deepEqual([changed.name, changed.attributes], ["air.txt", { team: "ml" }]);
  const named = { ...one, updateDocumentRequest: { name: "rain.txt" } };
  assert.equal((await documents.librariesDocumentsUpdateV1(named)).name, "rain.txt");
  for (const url of [await documents.getSignedUrl(one), await documents.extractedTextSignedUrl(one)]) {
    assert.ok(await (await fetch(url)).text());
  }
  await documents.reprocess(one);
  await read(one);
  await documents.delete(one);
  await surface.noObject(() => documents.get(one));
  await libraries.delete({ libraryId });
});

checks.add("beta.libraries.documents.list", async () => {
  const { id: libraryId } = await libraries.create({ name: "slats" });
  const made = [];
  for (const name of ["a.txt", "b.txt", "c.txt"]) made.unshift((await uploaded(libraryId, name)).id);
  const every = await documents.list({ libraryId });
  assert.deepEqual([ids(every.data), every.pagination.totalItems], [made, 3]);
  const named = await documents.list({ libraryId, sortBy: "name", sortOrder: "asc", pageSize: 2 });
  assert.deepEqual(named.data.map((document) => document.name), ["a.txt", "b.txt"]);
  assert.deepEqual(ids((await documents.list({ libraryId, search: "c.txt" })).data), made.slice(0, 1));
  await libraries.delete({ libraryId });
});

checks.add("every operation of libraries is called, except those that share them", () => {
  const every = surface.everyOperation(recorded.client);
  const wanted = every.filter((name) => name.startsWith("beta.libraries.") && !name.includes(".accesses."));
  surface.hasCalled(recorded, wanted);
});

await checks.run();
