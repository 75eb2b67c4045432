// Every page that links lead to, in both themes, wide and narrow: nothing that axe finds, nothing that the policy blocks,
// nothing beyond the screen; and once more without a script.
import { call, check, enter, faults, leave, linkOf, louver, open, picture, signIn } from "./house.mjs";

const MOST_PAGES = 120;
// Where a picture must not show what differs each time, or pages are many of one kind.
const shape = (path) => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ID").replace(/\?.*/, "");

for (const [name, workspace] of Object.entries(louver.workspaces)) {
  for (const key of Object.values(workspace.keys)) for (let n = 0; n < 3; n += 1) await call(key, name === "prod-workspace" ? "mistral-large-latest" : "mistral-small-latest");
}

const links = (page) => page.$$eval("a[href^='/console']", (found) => found.map((link) => link.getAttribute("href")));

/** Walks from page to page, one of each shape; answers how many there were. */
const walk = async (page, visit) => {
  const queue = ["/console"];
  const seen = new Set(queue.map(shape));
  let pages = 0;
  while (queue.length && pages < MOST_PAGES) {
    const path = queue.shift();
    const answer = await page.goto(new URL(path, louver.console_url).href);
    if ((answer.headers()["content-type"] ?? "").startsWith("text/html")) {
      pages += 1;
      await visit(path, answer);
      for (const next of await links(page)) {
        const plain = next.split("#")[0];
        if (!plain || seen.has(shape(plain)) || /\.csv|export|assets|\.jsonl/.test(plain)) continue;
        seen.add(shape(plain));
        queue.push(plain);
      }
    }
  }
  return pages;
};

const first = await open();
await enter(first);
await first.context().close();

let shapes = 0;
// Every theme and every width once; pictures are of all four.
const looks = [["light", 1440], ["dark", 390], ...(process.env.PICTURES ? [["light", 390], ["dark", 1440]] : [])];
for (const [colorScheme, width] of looks) {
  const page = await open({ colorScheme, viewport: { width, height: 900 } });
  await signIn(page, "admin@example.com");
  const pages = await walk(page, async (path, answer) => {
    const said = [...(answer.ok() ? [] : [`answers ${answer.status()}`]), ...(await faults(page)), ...page.complaints.splice(0)];
    check(`${shape(path)} ${colorScheme} ${width}`, said.length === 0, said.join("; "));
    await picture(page, `${shape(path).slice(1).replaceAll("/", "-")}-${colorScheme}-${width}`);
  });
  shapes = Math.max(shapes, pages);
  await page.context().close();
}
check("there are pages to walk through", shapes > 10, String(shapes));

const plain = await open({ javaScriptEnabled: false });
await signIn(plain, "admin@example.com");
let broken = "";
const pages = await walk(plain, async (path, answer) => { if (!answer.ok()) broken += ` ${path}: ${answer.status()}`; });
check("the same pages answer without a script", broken === "" && pages === shapes, `${pages} of ${shapes}${broken}`);
await plain.context().close();

// Whoever may do less finds fewer ways, and none that ends at a refusal.
for (const who of ["developer", "analyst", "senior"]) {
  const page = await open();
  await enter(page, linkOf(`${who}@example.com`));
  let ends = "";
  const ways = await walk(page, async (path, answer) => {
    const said = [...(answer.ok() ? [] : [String(answer.status())]), ...(await faults(page)), ...page.complaints.splice(0)];
    if (said.length) ends += ` ${shape(path)}: ${said.join("; ")}`;
  });
  check(`${who} finds ${ways} pages, and each answers`, ends === "" && ways > 2 && ways < shapes, ends);
  const admin = await page.goto(`${louver.console_url}/audit`);
  check(`${who} is refused the audit log`, admin.status() === 403, String(admin.status()));
  await page.context().close();
}
await leave();
