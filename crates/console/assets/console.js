// Makes the console quicker to use; every page and action works without it.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (event, selector, act, capture = false) =>
  document.addEventListener(event, (e) => {
    const found = e.target instanceof Element && e.target.closest(selector);
    if (found) act(found, e);
  }, capture);

// Times in the reader's zone, UTC in the title.
const form = (dateStyle, timeStyle) => new Intl.DateTimeFormat(undefined, { dateStyle, timeStyle });
const minuteForm = form("medium", "short");
const forms = { clock: form(undefined, "medium"), exact: form("medium", "medium"), relative: form("medium") };
const relativeForm = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];

const relative = (when) => {
  const seconds = (when - Date.now()) / 1000;
  const step = steps.find(([, size]) => Math.abs(seconds) >= size);
  return step ? relativeForm.format(Math.round(seconds / step[1]), step[0]) : relativeForm.format(0, "second");
};

const localTime = (element) => {
  const written = element.getAttribute("datetime");
  const when = new Date(written);
  if (!written.includes("T") || Number.isNaN(when.valueOf())) return;
  element.title = `${when.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const kind = element.dataset.time;
  const near = Math.abs(when - Date.now()) < 30 * 86400e3;
  if (kind === "relative" && near) element.textContent = relative(when);
  else element.textContent = (forms[kind] ?? minuteForm).format(when);
};

// Copy buttons: data-copy holds the text, or "#id" of the element that shows it.
const copy = async (button) => {
  const source = button.dataset.copy;
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(source.startsWith("#") ? document.querySelector(source).textContent.trim() : source);
    label.textContent = "Copied";
    button.classList.add("copied");
    say("Copied");
  } catch {
    label.textContent = "Press Ctrl+C";
    if (source.startsWith("#")) getSelection().selectAllChildren(document.querySelector(source));
  }
  setTimeout(() => { label.textContent = before; button.classList.remove("copied"); }, 2000);
};

// One polite voice for screen readers.
let voice;
const say = (text) => {
  if (!voice) {
    voice = document.createElement("p");
    voice.className = "sr";
    voice.setAttribute("role", "status");
    document.body.append(voice);
  }
  voice.textContent = text;
};

// Live regions: data-refresh=URL, data-every=seconds; the answer holds an element with the same id.
const swap = (region, text) => {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(region.id);
  if (!fresh) throw new Error("no such region in the answer");
  const opened = all("details[open][id]", region).map((d) => d.id);
  const inside = region.contains(document.activeElement) ? document.activeElement : null;
  region.replaceChildren(...fresh.childNodes);
  opened.forEach((id) => region.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", ""));
  const twin = inside && all("a[href], button, input, [tabindex]", region).find((e) =>
    inside.id ? e.id === inside.id : e.tagName === inside.tagName && e.textContent === inside.textContent);
  twin?.focus({ preventScroll: true });
  enhance(region);
};

// The reader may stop all live regions, and sees when they last came.
let stopped = false;
const stopOrGo = (button) => {
  stopped = !stopped;
  button.setAttribute("aria-pressed", String(!stopped));
};
const showFreshness = (failures) => {
  const at = document.querySelector("[data-live-at]");
  if (!at) return;
  at.closest(".live").classList.toggle("stale", failures > 1);
  if (failures) return;
  at.setAttribute("datetime", new Date().toISOString());
  localTime(at);
};

const busyWith = (region) => {
  const active = document.activeElement;
  return region.contains(active) && active.matches("input, select, textarea");
};

const keepFresh = (region) => {
  const every = Math.max(2, Number(region.dataset.every) || 15) * 1000;
  const address = new URL(region.dataset.refresh, location.href);
  if (address.origin !== location.origin) return;
  let failures = 0;
  const turn = async () => {
    if (!region.isConnected) return;
    if (!stopped && !document.hidden && !busyWith(region)) {
      try {
        const answer = await fetch(address, { headers: { accept: "text/html" }, credentials: "same-origin", redirect: "error" });
        if (!answer.ok) throw new Error(String(answer.status));
        swap(region, await answer.text());
        failures = 0;
      } catch { failures = Math.min(failures + 1, 6); }
      showFreshness(failures);
    }
    setTimeout(turn, every * 2 ** failures);
  };
  setTimeout(turn, every);
};

// A form is sent once; coming back by the history opens it again.
const sendOnce = (form, event) => {
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.hasAttribute("aria-busy")) return event.preventDefault();
  form.setAttribute("aria-busy", "true");
};
const reopen = () => all("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy"));

// data-confirm on a form or its button asks in a dialog; the server then skips its own confirmation page.
const element = (name, text, className = "") => {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
};
const confirmFirst = (form, event) => {
  const source = event.submitter?.dataset.confirm ? event.submitter : form;
  if (!source.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  const dialog = element("dialog", "");
  const title = element("h2", source.dataset.confirmTitle ?? "Are you sure?");
  title.id = "confirm-title";
  dialog.setAttribute("aria-labelledby", title.id);
  const acts = element("form", "", "acts");
  acts.method = "dialog";
  const no = element("button", "Cancel", "btn");
  const yes = element("button", source.dataset.confirmYes ?? event.submitter?.textContent ?? "Confirm", "btn main danger");
  yes.value = "yes";
  acts.append(no, yes);
  dialog.append(title, element("p", source.dataset.confirm), acts);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue !== "yes") return event.submitter?.focus();
    form.dataset.confirmed = "yes";
    const given = element("input", "");
    Object.assign(given, { type: "hidden", name: "confirmed", value: "yes" });
    form.append(given);
    form.requestSubmit(event.submitter);
  });
  dialog.showModal();
};

// The theme changes at once; the form's POST keeps it in a cookie.
const setTheme = async (button, event) => {
  event.preventDefault();
  const theme = button.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  all("[data-theme-form] button").forEach((b) => b.setAttribute("aria-pressed", String(b.value === theme)));
  try {
    await fetch(button.form.action, { method: "POST", body: new URLSearchParams({ theme }), credentials: "same-origin", redirect: "manual" });
  } catch { /* the next page shows the old one */ }
};

// data-auto on a GET form: it sends itself when the reader pauses, and the field keeps its place.
let pause;
const sendSoon = (form, event) => {
  clearTimeout(pause);
  const field = event.target;
  pause = setTimeout(() => {
    if (field.name) sessionStorage.setItem("field", `${location.pathname} ${field.name}`);
    form.requestSubmit();
  }, event.type === "change" ? 0 : 450);
};
const returnToField = () => {
  const [path, name] = (sessionStorage.getItem("field") ?? "").split(" ");
  sessionStorage.removeItem("field");
  const field = path === location.pathname && document.querySelector(`form[data-auto] [name="${CSS.escape(name ?? "")}"]`);
  if (!field) return;
  field.focus();
  if (field.type === "search") field.setSelectionRange(field.value.length, field.value.length);
};

// data-picker: a list of checkboxes with a search field above and a count below.
const narrow = (picker) => {
  const words = picker.querySelector("[type=search]").value.toLowerCase().trim();
  all("li", picker).forEach((li) => { li.hidden = !li.textContent.toLowerCase().includes(words); });
};
const count = (picker) => {
  const place = picker.querySelector("[data-count]");
  if (place) place.textContent = `${all("input:checked", picker).length} selected`;
};

// Keys: "/" goes to the search field, "g" and a letter to a page, Escape closes menus.
let led = false;
const keys = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return closeMenus();
  if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
  if (event.key === "/") {
    const field = document.querySelector("main [type=search]");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  } else if (led) document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click();
  led = event.key === "g";
};
const closeMenus = (except) => all("details.menu[open]").forEach((menu) => {
  if (menu.contains(except ?? null)) return;
  if (!except && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu.open = false;
});

const enhance = (root) => {
  all("time[datetime]", root).forEach(localTime);
  all("[data-copy], [data-js]", root).forEach((e) => { e.hidden = false; });
  all("[data-refresh]", root).forEach(keepFresh);
  all("[data-picker]", root).forEach(count);
};

on("click", "[data-copy]", copy);
on("click", "[data-live]", stopOrGo);
on("click", "[data-theme-form] button", setTheme);
on("submit", "form", confirmFirst);
on("submit", "form", sendOnce);
on("input", "form[data-auto]", sendSoon);
on("change", "form[data-auto]", sendSoon);
on("input", "[data-picker]", (picker, e) => (e.target.type === "search" ? narrow(picker) : count(picker)));
on("keydown", "[data-picker] [type=search]", (field, e) => { if (e.key === "Enter") e.preventDefault(); });
document.addEventListener("keydown", keys);
document.addEventListener("click", (e) => closeMenus(e.target));
addEventListener("pageshow", reopen);
enhance(document);
returnToField();
