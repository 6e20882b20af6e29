// Formulas in closed folds wait until the fold is opened: half of a chapter is folded, and a page is
// read sooner without it. What is folded is hidden from screen readers too, until then. To print,
// all are set.
"use strict";

if (window.MathJax) { // a page without formulas loads none
  const settled = new Promise((done) => {
    window.MathJax.startup = {
      pageReady() {
        MathJax.config.startup.elements = waiting(document).filter((formula) => !folded(formula));
        const ready = MathJax.startup.defaultPageReady();
        ready.then(done);
        return ready;
      },
    };
  });

  function folded(formula) {
    return formula.closest("details:not([open]) > :not(summary)") !== null;
  }

  function waiting(within) {
    return [...within.querySelectorAll(".math")].filter(
      (formula) => !formula.querySelector("mjx-container"),
    );
  }

  window.setFormulas = (within) => {
    const open = waiting(within).filter((formula) => !folded(formula));
    return open.length ? MathJax.typesetPromise(open) : Promise.resolve();
  };

  document.addEventListener("toggle", ({ target }) => settled.then(() => setFormulas(target)), true);
  window.addEventListener("beforeprint", () => MathJax.typeset?.(waiting(document)));
}
