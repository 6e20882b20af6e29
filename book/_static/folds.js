// Large folds are built when they are opened: until then what they hold is text to the browser. To
// print, all are.
"use strict";

function unfold(within) {
  for (const waiting of within.querySelectorAll("noscript")) {
    waiting.insertAdjacentHTML("afterend", waiting.textContent);
    waiting.remove();
  }
}

document.addEventListener("toggle", ({ target }) => {
  unfold(target);
  markScrolling(); // in reading.js, which has looked already
}, true);
window.addEventListener("beforeprint", () => unfold(document));
