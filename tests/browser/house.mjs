// A browser on a Louver of its own: signing in, checking pages, and saying what held and what did not.
import { readFileSync, mkdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const louver = JSON.parse(readFileSync(process.argv[2], "utf8"));
export const PASSWORD = "a few words in a row";
const pictures = process.env.PICTURES;

/** Says what held. */
export const check = (name, holds, more = "") => {
  console.log(`${holds ? "ok  " : "not ok  "}${name}${holds || !more ? "" : `: ${more}`}`);
  if (!holds) process.exitCode = 1;
};

/** Chromium; its first start in a new home crashes now and then. */
const launch = async (tries) => {
  try {
    return await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  } catch (error) {
    if (tries <= 1) throw error;
    return launch(tries - 1);
  }
};
const browser = await launch(3);

/** A window; what its pages complain of is kept in `window.complaints`. */
export const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    // A page that is answered with 4xx on purpose is told of by the browser, too.
    if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  return page;
};

/** By the one-time link to a password of one's own and into the console. */
export const enter = async (page, link = louver.console_login_url) => {
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByLabel("The same again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.waitForURL(/\/console/);
};

/** A link that signs somebody in, as a person on the machine makes it. */
export const linkOf = (email) =>
  execFileSync(process.env.LOUVER, ["console-link", "--email", email, "--data-dir", process.env.DATA]).toString().trim().replace(/^https?:\/\/[^/]+/, louver.api_url);

/** Signs in with mail address and password. */
export const signIn = async (page, email) => {
  await page.goto(`${louver.console_url}/sign-in`);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
};

/** What is wrong with a page for people who cannot see or point, or on a narrow screen. */
export const faults = async (page) => {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axeSource });
  const found = await page.evaluate((runOnly) => globalThis.axe.run({ runOnly }), rules);
  await session.detach();
  const said = found.violations.map((one) => `${one.id} at ${one.nodes[0].html.slice(0, 160)}`);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (beyond > 0) said.push(`reaches ${beyond} px beyond the screen`);
  return said;
};

/** Keeps a picture, where pictures are wanted. */
export const picture = async (page, name) => {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
};

/** Calls a model with a key. */
export const call = async (key, model = "mistral-small-latest") => {
  const answer = await fetch(`${louver.api_url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 20, messages: [{ role: "user", content: "Hello" }] }),
  });
  return { status: answer.status, body: await answer.json() };
};

/** Ends the browser; what failed decides how the walk ends. */
export const leave = () => browser.close();
