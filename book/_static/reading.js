// What scrolls by itself can be reached by keyboard: it is a stop of the tabulator key while, and
// only while, its content is wider than the window leaves room for.
"use strict";

const SCROLLING =
  ".pst-scrollable-table-container, .bd-article figure, .cell_output .text_html, .bd-article div.math";

function markScrolling() {
  for (const element of document.querySelectorAll(SCROLLING)) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

document.addEventListener("DOMContentLoaded", markScrolling);
window.addEventListener("load", markScrolling); // figures have their sizes by now
window.addEventListener("resize", markScrolling);
document.addEventListener("toggle", markScrolling, true); // what was folded
