// Searching as readers spell: μP has many names, and excerpts are words, not TeX and code.
"use strict";

const SPELLINGS = [
  [/\bmu-?p\b|\u00b5p|\bmu-?parametri[sz]ation\b/gi, "μp"],
  [/\bwarm-?up\b/gi, "warm"], // with which both spellings begin
  [/\b(normali|initiali|parametri)z/gi, "$1s"],
  [/\boptimiser/gi, "optimizer"],
];
const LEFT_OUT = ".cell_input, details.hide > summary, script, style, .headerlink, .copybtn";

const parse = Search._parseQuery;
Search._parseQuery = (query) =>
  parse(SPELLINGS.reduce((words, [spelling, ours]) => words.replace(spelling, ours), query));

Search.htmlToText = (html, anchor) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  const main = page.querySelector(".bd-article");
  const found = (anchor && main?.querySelector(anchor)) || main;
  if (!found) return "";
  for (const element of found.querySelectorAll(LEFT_OUT)) element.remove();
  for (const fraction of found.querySelectorAll("mfrac")) fraction.firstElementChild.after("/");
  for (const root of found.querySelectorAll("msqrt")) root.prepend("√");
  return found.textContent.replace(/\s+/g, " ");
};
