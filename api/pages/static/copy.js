// A page with buttons that name a hidden text in; they copy it, and say so, out.

export function watchCopies() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const said = button.textContent;
    button.textContent = (await copied(document.getElementById(button.dataset.copy))) ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = said), 1600);
  });
  showCopies(document);
}

/** Buttons that would do nothing without script are hidden until it runs. */
export function showCopies(within) {
  for (const button of within.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text.value);
    return true;
  } catch {
    text.hidden = false; // where the clipboard is closed to pages: by selection
    text.select();
    const done = document.execCommand("copy");
    text.hidden = true;
    return done;
  }
}
