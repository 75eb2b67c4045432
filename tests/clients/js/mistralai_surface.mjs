// Every operation of Mistral's TypeScript client: those that Louver serves, and that the rest is refused.

import { Checks } from "./checks.mjs";
import * as surface from "./surface.mjs";
import * as agents from "./surface_agents.mjs";
import * as audio from "./surface_audio.mjs";
import * as calls from "./surface_calls.mjs";
import * as files from "./surface_files.mjs";
import * as refused from "./surface_refused.mjs";

const checks = new Checks("@mistralai/mistralai surface");
await surface.permit();
const recorded = await surface.record("js surface");
for (const family of [calls, audio, agents, files, refused]) await family.add(checks, recorded);
await checks.run();
