// The surface: sound, written down whole, streamed and in real time, and spoken.

import assert from "node:assert/strict";
import { RealtimeTranscription } from "@mistralai/mistralai/extra/realtime";
import { RealtimeTranscriptionException } from "@mistralai/mistralai/extra/realtime/errors.js";
import { refused } from "./checks.mjs";
import * as gateway from "./gateway.mjs";
import { eventsOf, noObject } from "./surface.mjs";

const LISTENER = "voxtral-mini-latest";
const REALTIME = "voxtral-mini-transcribe-realtime-latest";
const SPEAKER = "voxtral-mini-tts-latest";
const SECONDS = 2;
const RATE = 16000;

/** A file of silence. */
function sound() {
  const bytes = 2 * RATE * SECONDS;
  const file = Buffer.alloc(44 + bytes);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + bytes, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(2 * RATE, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(bytes, 40);
  return file;
}

/** Two seconds of raw sound, in four pieces. */
async function* pieces() {
  for (let piece = 0; piece < 4; piece += 1) yield new Uint8Array((2 * RATE * SECONDS) / 4);
}

export function add(checks, { client, key }) {
  const { audio, files } = client;
  const file = { fileName: "a.wav", content: sound() };

  checks.add("audio.transcriptions.complete", async () => {
    const answer = await audio.transcriptions.complete({ model: LISTENER, file, language: "en", temperature: 0,
      diarize: true, timestampGranularities: ["segment"], contextBias: ["louver", "slat"] });
    assert.ok(answer.text);
    assert.equal(answer.usage.promptAudioSeconds, SECONDS);
    const far = await audio.transcriptions.complete({ model: LISTENER, fileUrl: "https://example.com/a.mp3" });
    assert.ok(far.text && far.usage.promptAudioSeconds > 0);
  });

  checks.add("audio.transcriptions.complete of a file", async () => {
    const kept = await files.upload({ file, purpose: "audio" });
    const answer = await audio.transcriptions.complete({ model: LISTENER, fileId: kept.id });
    assert.ok(answer.text && answer.usage.promptAudioSeconds > 0);
    await files.delete({ fileId: kept.id });
    await noObject(() => audio.transcriptions.complete({ model: LISTENER, fileId: kept.id }));
  });

  checks.add("audio.transcriptions.stream", async () => {
    const events = await eventsOf(audio.transcriptions.stream({ model: LISTENER, file }));
    const whole = await audio.transcriptions.complete({ model: LISTENER, file });
    const said = events.filter((event) => event.type === "transcription.text.delta").map((event) => event.text);
    assert.deepEqual([said.join(""), events.at(-1).text], [whole.text, whole.text]);
    assert.equal(events.at(-1).type, "transcription.done");
    assert.equal(events.at(-1).usage.promptAudioSeconds, SECONDS);
  });

  checks.add("audio.speech.complete", async () => {
    const asked = { model: SPEAKER, input: "Slats let the air through.", responseFormat: "wav" };
    const answer = await audio.speech.complete(asked);
    const heard = Buffer.from(answer.audioData, "base64");
    assert.ok(heard.length > 100);
    const events = await eventsOf(audio.speech.complete({ ...asked, stream: true }));
    const deltas = events.filter((event) => event.type === "speech.audio.delta");
    assert.deepEqual(Buffer.concat(deltas.map((event) => Buffer.from(event.audioData, "base64"))), heard);
    assert.equal(events.at(-1).type, "speech.audio.done");
    await noObject(() => audio.speech.complete({ ...asked, voiceId: "v" }));
  });

  checks.add("realtime transcription over a WebSocket", async () => {
    const listener = new RealtimeTranscription({ apiKey: key.key, serverURL: gateway.URL });
    const audioFormat = { encoding: "pcm_s16le", sampleRate: RATE };
    const events = [];
    for await (const event of listener.transcribeStream(pieces(), REALTIME, { audioFormat })) events.push(event);
    const said = events.filter((event) => event.type === "transcription.text.delta").map((event) => event.text);
    assert.deepEqual([events.at(-1).type, events.at(-1).text], ["transcription.done", said.join("")]);
    assert.equal(events.at(-1).usage.promptAudioSeconds, SECONDS);
  });

  checks.add("realtime transcription with a model that is not for it", async () => {
    const listener = new RealtimeTranscription({ apiKey: key.key, serverURL: gateway.URL });
    const error = await refused(RealtimeTranscriptionException, () => listener.connect(SPEAKER));
    assert.match(String(error.cause ?? error), /403/);
  });
}
