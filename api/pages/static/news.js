// A page of the tape in; the same page as it stands out, whenever a score, a correction or the clock changes it.
// The server draws; here it is only asked again, and what has changed is put in place and shown to have changed.

const LEAST = 1000; // milliseconds between two looks
const SLIDE = 10000; // a window moves though nothing happens
const symbols = document.querySelector("[data-symbols]")?.dataset.symbols ?? "";
let looked = 0;
let waiting = null;
let state = "";

document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
if (symbols) follow(symbols);
setInterval(() => document.visibilityState === "visible" && look(), SLIDE);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());

function follow(symbols) {
  const names = "sentiment_mean_1d,volume_1d";
  const source = new EventSource(`/v1/stream/features?symbols=${encodeURIComponent(symbols)}&names=${names}`);
  source.addEventListener("start", () => say("Live"));
  source.addEventListener("features", (event) => {
    const told = JSON.parse(event.data);
    const mean = told.values.sentiment_mean_1d;
    document.getElementById("told").textContent =
      `${told.symbol}: ${told.values.volume_1d} items in a day` + (mean === null ? "" : `, mean sentiment ${mean.toFixed(2)}`);
    look();
  });
  source.addEventListener("error", () => say("Connection lost, trying again"));
}

function say(words) {
  state = words;
  const place = document.querySelector("[data-words]");
  if (place) place.textContent = words;
  document.querySelector("[data-state]")?.classList.toggle("lost", words !== "Live");
}

/** Ask for the page again, once a second at most: the first time at once, the last time for certain. */
function look() {
  if (waiting) return;
  waiting = setTimeout(async () => {
    looked = performance.now();
    try {
      const response = await fetch(location.href);
      if (response.ok) put(new DOMParser().parseFromString(await response.text(), "text/html"));
    } catch {
      say("Connection lost, trying again");
    } finally {
      waiting = null;
    }
  }, Math.max(0, LEAST - (performance.now() - looked)));
}

function put(page) {
  for (const now of page.querySelectorAll("[data-live]")) {
    const before = document.getElementById(now.id);
    if (!before || before.innerHTML === now.innerHTML) continue;
    const scrolled = before.querySelector(".scroll")?.scrollTop ?? 0;
    const at = before.contains(document.activeElement) ? document.activeElement : null;
    const found = at && path(at, before);
    mark(before, now);
    before.replaceWith(now);
    if (now.querySelector(".scroll")) now.querySelector(".scroll").scrollTop = scrolled;
    if (found) now.querySelector(found)?.focus({ preventScroll: true });
  }
  for (const each of page.querySelectorAll("[data-live]")) {
    if (!document.getElementById(each.id)) return location.reload(); // the first news of all makes new parts
  }
  if (state) say(state);
}

/** Where an element is that has no name, so that who is there by keyboard stays there. */
function path(element, within) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const link = element.closest("[href]");
  return link && within.contains(link) ? `[href="${CSS.escape(link.getAttribute("href"))}"]` : null;
}

/** What is new or says something else is shown as such for a moment. */
function mark(before, now) {
  for (const each of now.querySelectorAll("td[id], dd[id]")) {
    const old = document.getElementById(each.id);
    if (old && old.textContent.trim() !== each.textContent.trim()) each.classList.add("moved");
  }
  for (const each of now.querySelectorAll("li[id]")) if (!document.getElementById(each.id)) each.classList.add("moved");
  for (const each of now.querySelectorAll("tr[data-symbol]")) {
    const old = before.querySelector(`tr[data-symbol="${CSS.escape(each.dataset.symbol)}"]`);
    if (old?.textContent.trim() !== each.textContent.trim()) each.classList.add("moved");
  }
}
