// Large folds are built when they are opened: until then what they hold is text to the browser. To
// print, all are. An address may lead to any fold or into one: it is opened, and built if it waits.
"use strict";

function unfold(within) {
  for (const waiting of within.querySelectorAll("noscript")) {
    waiting.insertAdjacentHTML("afterend", waiting.textContent);
    waiting.remove();
  }
}

function openAddress() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (!name) return;
  for (const waiting of document.querySelectorAll("details noscript"))
    if (waiting.textContent.includes(`id="${name}"`)) unfold(waiting.closest("details"));
  const place = document.getElementById(name);
  const closed = "details:not([open])";
  if (!place?.closest(closed)) return; // or the browser has opened it
  for (let fold = place.closest(closed); fold; fold = place.closest(closed)) fold.open = true;
  place.scrollIntoView();
}

document.addEventListener("toggle", ({ target }) => {
  unfold(target);
  markScrolling(); // in reading.js, which has looked already
}, true);
window.addEventListener("beforeprint", () => unfold(document));
window.addEventListener("hashchange", openAddress);
openAddress();
