// Files chosen or dropped in; how much is sent, how far each job is, and what became of it out.
// The form is sent by the browser itself where there is no script.

const form = document.getElementById("send");
const told = document.getElementById("told");
const followed = new Map(); // a job's id, its stream
const awaited = new Set(); // jobs whose end is to be told

document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
if (form) {
  form.addEventListener("submit", send);
  for (const kind of ["dragover", "dragleave", "drop"]) form.addEventListener(kind, drag);
}
document.getElementById("jobs").addEventListener("submit", cancel);
follow();

function drag(event) {
  event.preventDefault();
  form.classList.toggle("over", event.type === "dragover");
  if (event.type === "drop" && event.dataTransfer.files.length) form.elements.files.files = event.dataTransfer.files;
}

/** By hand, for only so a browser tells how much has gone. */
function send(event) {
  event.preventDefault();
  const sending = document.getElementById("sending");
  const button = form.querySelector("button");
  const request = new XMLHttpRequest();
  request.open("POST", "/v1/documents");
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => (sending.value = loaded / total));
  request.addEventListener("loadend", () => {
    sending.hidden = true;
    button.disabled = false;
    const why = request.status === 202 ? "" : (request.response?.detail ?? "The server cannot be reached. Nothing was brought in.");
    refuse(why);
    if (why) return;
    form.reset();
    told.textContent = "Sent. It is being read.";
    awaited.add(request.response.id);
    look();
  });
  sending.value = 0;
  sending.hidden = false;
  button.disabled = true;
  request.send(new FormData(form));
}

function refuse(why) {
  const place = document.getElementById("refused");
  place.textContent = why;
  place.hidden = !why;
}

async function cancel(event) {
  event.preventDefault();
  await fetch(`/v1/jobs/${event.target.closest("[data-job]").dataset.job}/cancel`, { method: "POST" });
  look();
}

/** Every job that is not over tells how far it is; when it is over, the page is asked what became of its files. */
function follow() {
  for (const place of document.querySelectorAll('[data-over="no"]')) {
    const id = place.dataset.job;
    if (followed.has(id)) continue;
    awaited.add(id);
    const stream = new EventSource(`/v1/jobs/${id}/events`);
    followed.set(id, stream);
    let state = place.querySelector(".badge").textContent;
    stream.addEventListener("job", (event) => {
      const job = JSON.parse(event.data);
      show(job);
      if (job.ended_at) {
        stream.close();
        followed.delete(id);
      }
      if (job.state !== state) look();
      state = job.state;
    });
  }
}

function show({ id, progress }) {
  const place = document.getElementById(`job-${id}`);
  if (!place) return;
  place.querySelector("[data-done]").textContent = progress.done;
  place.querySelector("[data-total]").textContent = progress.total ?? "?";
  const bar = place.querySelector("progress");
  if (bar && progress.total) [bar.max, bar.value] = [progress.total, progress.done];
}

async function look() {
  const response = await fetch(location.href);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const before = document.getElementById("jobs");
  const at = before.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  before.innerHTML = page.getElementById("jobs").innerHTML;
  for (const id of awaited) {
    const over = document.querySelector(`#job-${id}[data-over="yes"] .line`);
    if (over) told.textContent = over.textContent.replace(/\s+/g, " ");
    if (over) awaited.delete(id);
  }
  if (at) before.querySelector(`[href="${CSS.escape(at)}"]`)?.focus();
  follow();
}
