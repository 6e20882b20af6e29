// What the interactive parts of pages are made of.
"use strict";

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function drawn(tag, attributes, text = "") {
  const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  shape.textContent = text;
  return shape;
}

// A slider with its label, which names the value.
function slider(name, words, first, last) {
  const named = element("output", {});
  const input = element("input", { type: "range", name, min: first, max: last, step: 1 });
  return [element("label", {}, element("span", {}, words, named), input), input, named];
}

function choice(name, label, options) {
  return element("label", {}, element("span", { textContent: label }),
    element("select", { name }, ...options.map(([value, text]) => element("option", { value, textContent: text }))));
}

// A figure that answers: controls, and below them what they show, in place of the words for readers without scripts.
function framed(place, controls, shown, answer) {
  const form = element("form", { className: "calculator-form" }, ...controls);
  form.addEventListener("input", answer);
  form.addEventListener("submit", (event) => event.preventDefault());
  place.classList.add("calculator");
  place.append(form, ...shown);
  place.querySelector("p").remove();
}
