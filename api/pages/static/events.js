// A request for server-sent events in; the events, one by one, out: {name, data, id}. A stream that breaks is read on.

const TRIES = 3; // of reading on

export async function* eventsOf(address, request, signal) {
  let last = null;
  for (let tries = 0; ; ) {
    try {
      const headers = { ...request.headers, Accept: "text/event-stream" };
      if (last) headers["Last-Event-ID"] = last;
      const response = await fetch(address, { ...request, headers, signal });
      if (!response.ok) throw await response.json();
      for await (const event of blocksOf(response.body)) {
        tries = 0;
        last = event.id ?? last;
        yield event;
        if (event.name === "done" || event.name === "error") return;
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof TypeError)) throw error; // of a connection it is a TypeError
      if (!last || tries === TRIES) throw error;
    }
    if (!last || tries++ === TRIES) return;
    await new Promise((go) => setTimeout(go, 400 * tries));
  }
}

async function* blocksOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    held += value ?? "";
    const blocks = held.split(/\r?\n\r?\n/);
    held = blocks.pop();
    for (const block of blocks) {
      const event = eventIn(block);
      if (event) yield event;
    }
    if (done) return;
  }
}

function eventIn(block) {
  const event = { name: "message", id: undefined };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) event.name = line.slice(6).trim();
    if (line.startsWith("id:")) event.id = line.slice(3).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { ...event, data: JSON.parse(data.join("\n")) } : null; // a comment keeps the connection alive
}
