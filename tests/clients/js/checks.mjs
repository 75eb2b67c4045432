// Runs checks one after the other, prints each with its outcome and never skips one.

import assert from "node:assert/strict";

export class Checks {
  #client;
  #found = [];

  constructor(client) {
    this.#client = client;
  }

  /** Adds a check: a function, plain or async, that throws when it fails. */
  add(name, check) {
    this.#found.push([name, check]);
  }

  /** Runs all; the process ends with 0 when all passed. */
  async run() {
    let failed = this.#found.length === 0;
    for (const [name, check] of this.#found) {
      try {
        await check();
        console.log(`ok      ${this.#client}: ${name}`);
      } catch (error) {
        failed = true;
        console.log(`not ok  ${this.#client}: ${name}`);
        console.log(String(error.stack).replace(/^/gm, "        "));
      }
    }
    process.exitCode = failed ? 1 : 0;
  }
}

/** Awaits the call, which must throw exactly this class of error, and answers the error. */
export async function refused(kind, call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    assert.equal(error.constructor, kind, `class of ${error.stack}`);
    return error;
  }
  return assert.fail(`wanted ${kind.name}, got the answer ${JSON.stringify(answer)}`);
}
