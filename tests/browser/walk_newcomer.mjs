// Somebody who has read only the README's first page: from the one-time link to a workspace with a member, a key, a limit that
// is met and raised, usage that arrives, a key that is rotated, and one that is found unused and revoked.
import { call, check, enter, leave, louver, open, picture } from "./house.mjs";

const page = await open();
await enter(page);
check("the one-time link leads into the console", (await page.title()).startsWith("Overview"), await page.title());
const used = await page.goto(louver.console_login_url);
check("and works once", used.status() === 404, String(used.status()));

const go = (path) => page.goto(new URL(path, louver.console_url).href);
const press = (name) => page.getByRole("main").getByRole("button", { name, exact: true }).click();
const shown = async (text) => (await page.getByRole("main").textContent()).includes(text);

await go("/console/workspaces/new");
await page.getByLabel("Name").fill("research");
await press("Create workspace");
await page.waitForURL(/workspaces\/[0-9a-f-]{36}/);
const workspace = new URL(page.url()).pathname.split("/")[3];
check("a workspace is made", await shown("research"), page.url());

await go(`/console/workspaces/${workspace}/members/add`);
await page.getByLabel("developer@example.com").check();
await press("Add members");
check("a member is added", await shown("developer@example.com"), page.url());

await go(`/console/keys/new?workspace=${workspace}`);
await page.getByLabel("Name").fill("first-key");
await page.locator("select[name=workspace_id]").selectOption(workspace);
await page.getByLabel("mistral-small-2603").check();
await press("Create key");
const key = (await page.locator("#secret").textContent()).trim();
check("a key is made, and its secret shown", /^lvr_\w{12}_\w{49}$/.test(key), key.slice(0, 4));
await picture(page, "key-created-light-1440");
await page.reload();
check("loading the page again makes no second key", (await page.locator("#secret").textContent()).trim() === key);

const answer = await call(key);
check("the key calls its model", answer.status === 200, JSON.stringify(answer.body));
check("and no other", (await call(key, "mistral-large-latest")).status === 403);

// What was used is written down in a moment.
let seen = false;
for (let turn = 0; turn < 40 && !seen; turn += 1) {
  await go(`/console/usage?workspace=${workspace}`);
  seen = await shown("mistral-small-2603");
  if (!seen) await page.waitForTimeout(250);
}
check("the call is seen in the usage", seen);

const limit = async (dollars) => {
  await go(`/console/workspaces/${workspace}/limits`);
  await page.locator("[name=monthly_budget_usd]").fill(dollars);
  await press("Save limits");
};
await limit("0.000001");
const refused = await call(key);
check("a monthly limit is set and met", refused.status === 402 || refused.status === 429, JSON.stringify(refused));
await limit("50");
check("and raised", (await call(key)).status === 200);

await go(`/console/keys?q=first-key`);
await page.getByRole("link", { name: "first-key" }).first().click();
const of = new URL(page.url()).pathname;
await go(`${of}/rotate`);
await page.getByRole("main").getByRole("button", { name: /Rotate|Make/ }).first().click();
const next = (await page.locator("#secret").textContent()).trim();
check("the key is rotated, and both secrets work", next !== key && (await call(next)).status === 200 && (await call(key)).status === 200);

await go("/console/keys/unused");
check("unused keys are looked for", (await page.title()).toLowerCase().includes("unused"), await page.title());
await go(of);
await page.getByRole("main").getByRole("button", { name: /^Revoke/ }).first().click();
await page.getByRole("dialog").getByRole("button", { name: /Revoke/ }).click();
await page.waitForURL(/done=revoked/);
check("a key is revoked after a question", (await call(next)).status === 401);

await go("/console");
await page.keyboard.press("Tab");
check("the first thing that a keyboard reaches leads to the content", await page.evaluate(() => document.activeElement.className === "skip"));
check("nothing was blocked and nothing failed", page.complaints.length === 0, page.complaints.join("; "));
await leave();
