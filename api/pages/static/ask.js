// The form of a question in; its answer, step by step and sentence by sentence as the server tells them, out.
// The stream shows what is known so far; the whole answer then comes as the server shows all answers.

import { showCopies, watchCopies } from "./copy.js";
import { eventsOf } from "./events.js";
import { watchQuotes } from "./quotes.js";

const form = document.getElementById("ask");
const turns = document.getElementById("turns");
const send = document.getElementById("send");
const question = document.getElementById("question");
const FILTERS = ["doc_type", "authority", "cfr_section", "release", "agency", "company", "form"];
const STEPS = JSON.parse(turns.dataset.steps);
let asking = null; // what stops it

watchQuotes();
watchCopies();
fold(document);
if (matchMedia("(max-width: 62rem)").matches) document.getElementById("threads").open = false;
addEventListener("popstate", () => location.reload());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (asking) asking.abort();
  else if (question.value.trim()) ask();
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
document.addEventListener("click", (event) => {
  const example = event.target.closest("[data-question]");
  if (!example || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  question.value = example.dataset.question;
  form.elements.as_of.value = example.dataset.asOf;
  if (!asking) ask();
});

async function ask() {
  const wanted = { question: question.value.trim(), filters: {}, thread: form.elements.thread.value || "new" };
  if (form.elements.as_of.value) wanted.as_of = form.elements.as_of.value;
  for (const name of FILTERS) if (form.elements[name].value) wanted.filters[name] = form.elements[name].value;
  const shown = begin(wanted.question);
  asking = new AbortController();
  send.textContent = "Stop";
  try {
    const { thread, turn } = await stream(wanted, shown, asking.signal);
    await finish(thread, turn, shown);
    goOn(thread, wanted.question);
  } catch (error) {
    fail(error, shown);
  } finally {
    asking = null;
    send.textContent = "Ask";
    shown.stop();
  }
}

/** What only who begins needs makes room for an answer. */
function begun(yes) {
  for (const each of document.querySelectorAll(".opening, .beginning")) each.hidden = yes;
}

/** A place for the answer, which says what is being done. */
function begin(words) {
  begun(true);
  const turn = make("article", "turn");
  turn.append(make("h2", "asked", words));
  const working = make("div", "working");
  const now = make("p", "now");
  const time = make("span", "time");
  const doing = make("span", "", "Reading the rulebook …");
  doing.setAttribute("role", "status");
  now.append(make("span", "pulse"), doing, time);
  const steps = make("ol");
  working.append(now, steps);
  const said = make("div", "said");
  turn.append(working, said);
  turns.append(turn);
  turn.scrollIntoView({ block: "start" });
  const began = performance.now();
  const ticking = setInterval(() => (time.textContent = seconds(performance.now() - began)), 100);
  return { turn, working, doing, steps, said, stop: () => clearInterval(ticking) };
}

/** Which turn of which conversation the answer became; steps and sentences are shown as they come. */
async function stream(wanted, shown, signal) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) };
  for await (const { name, data, id } of eventsOf("/v1/ask", request, signal)) {
    shown.id = id?.slice(0, id.lastIndexOf("-")) ?? shown.id;
    if (name === "error") throw data;
    if (name === "done") return data;
    if (name === "step") showStep(data, shown);
    if (name === "sentence") showSentence(data, shown);
  }
  throw { title: "The answer broke off", detail: "The connection ended before the answer did. Ask again." };
}

function showStep(step, { steps, doing }) {
  const line = make("li", "arrive");
  line.append(make("span", "", STEPS[step.name] ?? step.name), make("span", "muted", step.detail), make("span", "time", seconds(step.milliseconds)));
  steps.append(line);
  doing.textContent = "Working …";
}

function showSentence(sentence, { said }) {
  const line = make("p", "arrive");
  if (sentence.lead_in) line.append(make("span", "lead-in", sentence.lead_in), " ");
  line.append(sentence.verbatim ? make("q", "", sentence.text) : sentence.text, " ");
  for (const number of sentence.citations) line.append(make("span", "chip", number));
  said.append(line);
}

/** The whole turn in place of what was streamed; who follows by keyboard or by ear is led to it. */
async function finish(thread, number, shown) {
  const response = await fetch(`/threads/${encodeURIComponent(thread)}/${number}`);
  if (!response.ok) throw { title: "The answer cannot be shown", detail: `The server said ${response.status}.` };
  const piece = document.createRange().createContextualFragment(await response.text());
  fold(piece);
  showCopies(piece);
  shown.turn.replaceWith(piece);
  const turn = document.getElementById(`turn-${number}`);
  turn.querySelector(".asked").focus({ preventScroll: true });
  turn.scrollIntoView({ block: "start" });
}

/** What is asked next goes on with this conversation, and the address is its own. */
function goOn(thread, words) {
  question.value = "";
  question.placeholder = "And from when?";
  form.querySelector("label").textContent = "Follow up";
  if (form.elements.thread.value) return;
  form.elements.thread.value = thread;
  const address = `/threads/${encodeURIComponent(thread)}`;
  history.pushState({ thread }, "", address);
  document.title = document.title.replace(/^.*(?= · )/, words);
  const whole = document.getElementById("whole");
  whole.hidden = false;
  for (const link of whole.querySelectorAll("[download]")) link.href = `/v1${address}${link.dataset.part}`;
  document.getElementById("forget").action = `${address}/delete`;
  list(address, words);
}

/** The conversation, at the head of those at the side. */
function list(address, words) {
  const threads = document.getElementById("threads");
  const link = make("a", "", words);
  link.href = address;
  link.setAttribute("aria-current", "page");
  const line = make("li");
  line.append(link);
  threads.querySelector("ol").prepend(line);
  threads.hidden = false;
  document.getElementById("around").classList.add("with-threads");
}

function fail(error, shown) {
  const stopped = error.name === "AbortError";
  if (stopped && shown.id) fetch(`/v1/ask/${shown.id}`, { method: "DELETE" });
  const told = stopped
    ? { title: "Stopped", detail: "Nothing was answered." }
    : error.detail
      ? error
      : { title: "The server cannot be reached", detail: "It may have been stopped. Your question is still in the box." };
  const box = make("div", stopped ? "note" : "failed");
  const line = make("p");
  line.append(make("strong", "", `${told.title}. `), told.detail);
  if (told.status === 401) {
    const login = make("a", "", "Log in");
    login.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    line.append(" ", login);
  }
  box.append(line);
  box.setAttribute("role", "alert");
  if (!turns.querySelector(".turn[id]")) begun(false);
  shown.working.replaceWith(box);
  shown.said.remove();
}

/** Quotes stand under an answer for who has no script; with it they open from their chips. */
function fold(within) {
  for (const each of within.querySelectorAll("details.quotes")) each.open = false;
}

function make(tag, of = "", words = "") {
  const made = document.createElement(tag);
  if (of) made.className = of;
  made.textContent = words;
  return made;
}

function seconds(milliseconds) {
  return milliseconds >= 100 ? `${(milliseconds / 1000).toFixed(1)} s` : `${milliseconds.toFixed(0)} ms`;
}
