// The surface: calls that leave nothing behind - chats, code, vectors, classifiers, documents, models.

import assert from "node:assert/strict";
import { z } from "zod";
import * as gateway from "./gateway.mjs";
import { addModels, addsUp, eventsOf, turnedDown } from "./surface.mjs";

const { SMALL, LARGE, CODE, EMBED, steered } = gateway;
const hello = [{ role: "user", content: "Say something about louvers." }];
const MODERATION = "mistral-moderation-2603";
const OCR = "mistral-ocr-latest";
const CLASSIFIER = "ft:classifier:ministral-3b-2512:example";
const fim = { model: CODE, prompt: "def odd(n):\n    return ", suffix: "\n\nprint(odd(3))" };
const pdf = { type: "document_url", documentUrl: "https://example.com/a.pdf" };
const Place = z.object({ city: z.string(), people: z.number() });

/** The text of a streamed chat. */
const textOf = (events) => events.map((event) => event.choices[0].delta.content ?? "").join("");
const are = (scores) => Object.values(scores).every((score) => score >= 0 && score <= 1);

/** Writes the simulator's classifier into the catalogue, which has none: there are only fine-tuned ones. */
const addClassifier = () => addModels([{
  id: CLASSIFIER, aliases: [], family: "tuned", name: "A classifier", context: 32768, status: "active",
  endpoints: ["classifications", "chat.classifications"],
  prices: [{ effective_from: "2026-01-01T00:00:00Z", input_usd_per_mtok: 0.1, output_usd_per_mtok: 0 }],
}]);

export async function add(checks, { client }) {
  await addClassifier();

  checks.add("chat.complete, everything beside the text", async () => {
    const asked = { temperature: 0.2, topP: 0.9, randomSeed: 7, stop: ["END"], presencePenalty: 0.1,
      frequencyPenalty: 0.1, parallelToolCalls: false, responseFormat: { type: "text" },
      prediction: { type: "content", content: "x" }, serviceTier: "auto", maxTokens: 30 };
    const answer = await client.chat.complete({ model: SMALL, messages: hello, ...asked });
    assert.equal(answer.choices[0].message.role, "assistant");
    addsUp(answer.usage);
  });

  checks.add("chat.parse and chat.parseStream", async () => {
    const asked = { model: SMALL, messages: hello, responseFormat: Place };
    const answer = await client.chat.parse(asked);
    Place.parse(answer.choices[0].message.parsed);
    Place.parse(JSON.parse(textOf(await eventsOf(client.chat.parseStream(asked)))));
  });

  checks.add("chat.stream", async () => {
    const asked = { model: SMALL, messages: hello, metadata: steered({ tokens: 90 }) };
    const whole = await client.chat.complete(asked);
    assert.equal(textOf(await eventsOf(client.chat.stream(asked))), whole.choices[0].message.content);
  });

  checks.add("fim.complete and fim.stream", async () => {
    const whole = await client.fim.complete(fim);
    assert.equal(textOf(await eventsOf(client.fim.stream(fim))), whole.choices[0].message.content);
    addsUp(whole.usage);
  });

  checks.add("embeddings.create", async () => {
    const answer = await client.embeddings.create({ model: EMBED, inputs: ["one", "two"] });
    assert.deepEqual(answer.data.map((item) => item.embedding.length), [gateway.DIMENSIONS, gateway.DIMENSIONS]);
  });

  checks.add("classifiers.moderate and moderateChat", async () => {
    const answer = await client.classifiers.moderate({ model: MODERATION, inputs: ["one", "two"] });
    assert.deepEqual([answer.model, answer.results.length], [MODERATION, 2]);
    assert.ok(are(answer.results[0].categoryScores));
    assert.deepEqual(Object.keys(answer.results[0].categories), Object.keys(answer.results[0].categoryScores));
    const talk = [...hello, { role: "assistant", content: "They have slats." }];
    const one = await client.classifiers.moderateChat({ model: MODERATION, inputs: talk });
    assert.equal(one.results.length, 1);
    const two = await client.classifiers.moderateChat({ model: MODERATION, inputs: [talk, hello] });
    assert.equal(two.results.length, 2);
  });

  checks.add("classifiers.classify and classifyChat", async () => {
    const answer = await client.classifiers.classify({ model: CLASSIFIER, inputs: ["one", "two"] });
    assert.deepEqual([answer.model, answer.results.length], [CLASSIFIER, 2]);
    assert.ok(Object.values(answer.results[0]).every((target) => are(target.scores)));
    const chat = await client.classifiers.classifyChat({ model: CLASSIFIER, input: { messages: hello } });
    assert.equal(chat.results.length, 1);
    await turnedDown(() => client.classifiers.classify({ model: SMALL, inputs: ["one"] }), 403,
      gateway.MODEL_NOT_ALLOWED, "model_not_allowed");
  });

  checks.add("ocr.process", async () => {
    const answer = await client.ocr.process({ model: OCR, document: pdf, pages: [1, 0], includeImageBase64: true });
    assert.deepEqual(answer.pages.map((page) => page.index).sort(), [0, 1]);
    assert.equal(answer.usageInfo.pagesProcessed, 2);
    const schema = { name: "place", schemaDefinition: z.toJSONSchema(Place), strict: true };
    const shape = { type: "json_schema", jsonSchema: schema };
    const noted = await client.ocr.process({ model: OCR, document: pdf, pages: "0-1", bboxAnnotationFormat: shape,
      documentAnnotationFormat: shape });
    Place.parse(JSON.parse(noted.documentAnnotation));
    Place.parse(JSON.parse(noted.pages[0].images[0].imageAnnotation));
  });

  checks.add("models.list and models.retrieve", async () => {
    const ids = async (asked) => (await client.models.list(asked)).data.map((model) => model.id);
    const every = await ids();
    for (const id of [SMALL, LARGE, CODE, EMBED, OCR]) assert.ok(every.includes(id), id);
    assert.deepEqual(await ids({ provider: "mistralai", model: SMALL }), [SMALL]);
    assert.deepEqual(await ids({ provider: "nobody" }), []);
    const model = await client.models.retrieve({ modelId: OCR });
    assert.deepEqual([model.id, model.capabilities.ocr], [OCR, true]);
  });
}
