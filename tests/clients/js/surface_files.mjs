// The surface: files.

import assert from "node:assert/strict";
import { noObject, turnedDown } from "./surface.mjs";

const LINE = '{"custom_id": "1", "body": {"messages": [{"role": "user", "content": "Hello"}]}}\n';
const ids = (things) => things.map((thing) => thing.id);

export function add(checks, { client: { files }, key }) {
  const upload = (fileName, purpose) =>
    files.upload({ file: { fileName, content: new TextEncoder().encode(LINE) }, purpose });

  checks.add("files, from upload to delete", async () => {
    const made = await upload("scan.pdf", "ocr");
    assert.deepEqual([made.filename, made.purpose, made.sizeBytes], ["scan.pdf", "ocr", LINE.length]);
    const fileId = made.id;
    const shown = await files.retrieve({ fileId });
    assert.deepEqual([shown.id, shown.deleted, shown.visibility], [fileId, false, "workspace"]);
    assert.equal(await new Response(await files.download({ fileId })).text(), LINE);
    for (const expiry of [undefined, 2]) {
      const { url } = await files.getSignedUrl({ fileId, expiry });
      assert.equal(await (await fetch(url)).text(), LINE);
    }
    const gone = await files.delete({ fileId });
    assert.deepEqual([gone.id, gone.deleted], [fileId, true]);
    await noObject(() => files.retrieve({ fileId }));
    await noObject(() => files.download({ fileId }));
    await noObject(() => files.getSignedUrl({ fileId }));
  });

  checks.add("files.upload of a Blob", async () => {
    const made = await files.upload({ file: new File([LINE], "blob.pdf"), purpose: "ocr" });
    assert.deepEqual([made.filename, made.sizeBytes], ["blob.pdf", LINE.length]);
    await files.delete({ fileId: made.id });
  });

  checks.add("files.list", async () => {
    const made = [];
    for (const [n, [kind, purpose]] of [["jsonl", "batch"], ["pdf", "ocr"], ["pdf", "ocr"]].entries()) {
      made.unshift((await upload(`${key.id} ${n}.${kind}`, purpose)).id);
    }
    const search = key.id;
    const every = await files.list();
    assert.deepEqual(ids(every.data).filter((id) => made.includes(id)), made);
    const scans = await files.list({ search, purpose: "ocr", source: ["upload", "repository"] });
    assert.deepEqual([ids(scans.data), scans.total], [made.slice(0, 2), 2]);
    const kinds = await files.list({ search, sampleType: ["batch_request", "pretrain"] });
    assert.deepEqual(ids(kinds.data), made.slice(2));
    const typed = await files.list({ search, mimetypes: ["application/pdf"], includeTotal: false });
    assert.deepEqual([ids(typed.data), typed.total], [made.slice(0, 2), undefined]);
    assert.deepEqual(ids((await files.list({ search, page: 1, pageSize: 2 })).data), made.slice(2));
    for (const fileId of made) await files.delete({ fileId });
  });

  checks.add("files.upload that only its user could see is refused", async () => {
    const file = { fileName: "a.pdf", content: new Uint8Array(4) };
    await turnedDown(() => files.upload({ file, purpose: "ocr", visibility: "user" }), 422,
      "body.visibility: Input should be 'workspace'", "invalid_request");
  });
}
