// A page with chips, links to quotes that stand further down on it, in; each chip shows its quote beside it, out.
// Pointing at a chip or reaching it by keyboard shows; Enter, a click or a touch holds it and moves into it; Escape closes.

const peek = document.createElement("aside");
peek.className = "peek";
peek.hidden = true;
peek.tabIndex = -1;
peek.setAttribute("role", "dialog");

let chip = null; // whose quote is shown
let held = false; // until it is closed, wherever the pointer goes
let waiting = 0;

export function watchQuotes() {
  document.body.append(peek);
  document.addEventListener("pointerover", pointedAt);
  document.addEventListener("focusin", reached);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !peek.hidden) close(true);
  });
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details.quotes")) each.open = true;
  });
}

function pointedAt(event) {
  if (event.pointerType === "touch" || held) return;
  const over = event.target.closest(".chip");
  clearTimeout(waiting);
  if (over) waiting = setTimeout(() => show(over), peek.hidden ? 90 : 0);
  else if (!peek.hidden && !peek.contains(event.target)) waiting = setTimeout(close, 250);
}

function reached(event) {
  if (peek.contains(event.target)) return;
  const on = event.target.closest(".chip");
  if (on && on.matches(":focus-visible")) show(on);
  else if (!peek.hidden && !held) close();
}

function clicked(event) {
  const on = event.target.closest(".chip");
  if (on) {
    event.preventDefault();
    if (!show(on)) return;
    held = true;
    peek.focus({ preventScroll: true });
  } else if (event.target.closest(".peek .close")) {
    close(true);
  } else if (!peek.hidden && !peek.contains(event.target)) {
    close();
  }
}

function show(wanted) {
  const quote = document.getElementById(wanted.hash.slice(1));
  if (!quote) return false;
  if (chip !== wanted) {
    close();
    chip = wanted;
    chip.setAttribute("aria-expanded", "true");
    const card = document.createElement("div");
    card.className = "card";
    card.append(...[...quote.childNodes].map((node) => node.cloneNode(true)));
    const button = document.createElement("button");
    button.type = "button";
    button.className = "close plain";
    button.textContent = "Close";
    peek.replaceChildren(button, card);
    peek.setAttribute("aria-label", wanted.getAttribute("aria-label"));
  }
  peek.hidden = false;
  place();
  return true;
}

function place() {
  const at = chip.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = peek;
  const left = Math.min(Math.max(at.left - 24, 16), document.documentElement.clientWidth - width - 16);
  const below = innerHeight - at.bottom > height + 16 || at.top < height + 16;
  peek.style.left = `${Math.max(left, 16) + scrollX}px`;
  peek.style.top = `${(below ? at.bottom + 8 : at.top - height - 8) + scrollY}px`;
}

function close(back = false) {
  clearTimeout(waiting);
  peek.hidden = true;
  held = false;
  if (!chip) return;
  chip.setAttribute("aria-expanded", "false");
  const from = chip;
  chip = null;
  if (back === true) {
    from.focus({ preventScroll: true });
    if (!peek.hidden) close(); // reaching the chip again is no wish to see it again
  }
}
