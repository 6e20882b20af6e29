// A link to a term, a statement, an equation or a reference shows what it leads to, while the mouse or
// the keyboard is on it. Escape closes it. What is shown was written when the book was built.
"use strict";

{
  const ROOT = new URL(document.documentElement.dataset.content_root, location);
  const WAIT = 250; // milliseconds: passing over a link opens nothing, and the way to the box closes nothing
  const kept = new Map(); // page to a promise of its targets
  const arrived = new Map();
  let box = null;
  let link = null;
  let timer = 0;

  window.previews = (page, targets) => arrived.set(page, targets); // each page's file calls this

  function targetsOf(page) {
    if (!kept.has(page)) {
      const loaded = new Promise((done) => {
        const script = document.createElement("script");
        script.src = new URL(`_static/previews/${page}.js`, ROOT);
        script.onload = () => done(arrived.get(page));
        script.onerror = () => done({}); // nothing on that page is worth it
        document.head.append(script);
      });
      kept.set(page, loaded);
    }
    return kept.get(page);
  }

  function ledTo(anchor) {
    const address = new URL(anchor.href, location);
    const page = address.href.slice(ROOT.href.length).split(".html#")[0];
    return [page, decodeURIComponent(address.hash.slice(1))];
  }

  async function show(anchor) {
    const [page, name] = ledTo(anchor);
    const html = (await targetsOf(page))[name];
    if (!html || link !== anchor) return;
    close();
    link = anchor;
    box = document.createElement("div");
    box.className = "preview bd-content";
    box.id = "preview";
    box.setAttribute("role", "tooltip");
    box.innerHTML = html;
    for (const one of box.querySelectorAll("[id]")) one.removeAttribute("id"); // the page has them
    for (const one of box.querySelectorAll(".headerlink")) one.remove();
    for (const one of box.querySelectorAll("a")) one.replaceWith(...one.childNodes);
    box.addEventListener("mouseenter", () => clearTimeout(timer));
    box.addEventListener("mouseleave", closeSoon);
    document.body.append(box);
    place(anchor);
  }

  function place(anchor) {
    anchor.setAttribute("aria-describedby", box.id);
    const at = anchor.getClientRects()[0];
    const right = document.documentElement.clientWidth - box.offsetWidth - 8;
    const above = at.top - box.offsetHeight - 6;
    const below = at.bottom + 6;
    const fits = below + box.offsetHeight <= window.innerHeight || above < 0;
    box.style.left = `${Math.max(8, Math.min(at.left, right)) + window.scrollX}px`;
    box.style.top = `${(fits ? below : above) + window.scrollY}px`;
  }

  function close() {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    box?.remove();
    box = link = null;
  }

  function closeSoon() {
    clearTimeout(timer);
    timer = setTimeout(close, WAIT);
  }

  function open(anchor, wait) {
    if (link === anchor && box) return clearTimeout(timer);
    close();
    link = anchor;
    timer = setTimeout(() => show(anchor), wait);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const anchor of document.querySelectorAll(".bd-article a.internal[href*='#']")) {
      anchor.addEventListener("mouseenter", () => open(anchor, WAIT));
      anchor.addEventListener("mouseleave", closeSoon);
      anchor.addEventListener("focus", () => open(anchor, 0));
      anchor.addEventListener("blur", closeSoon);
    }
  });
  document.addEventListener("keydown", ({ key }) => key === "Escape" && close());
}
