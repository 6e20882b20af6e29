// Choose a point of the plane of exponents, and see which demands hold there, measured and by the sums.
// All that is said stands in the page; a cell of the chapter wrote it.
"use strict";

const GRID = { left: 46, top: 6, wide: 50, high: 28, below: 40 };

function planeOf(points, look, columns, rows, chosen, choose) {
  const wide = GRID.left + GRID.wide * columns.length + 6, high = GRID.top + GRID.high * rows.length + GRID.below;
  const says = `The plane of exponents. Chosen: a = ${chosen.a}, γ = ${chosen.gamma}, ${chosen.found}.`;
  const svg = drawn("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": says });
  const x = (a) => GRID.left + GRID.wide * columns.indexOf(a), y = (gamma) => GRID.top + GRID.high * rows.indexOf(gamma);
  const text = (words, at, level, anchor = "middle") =>
    svg.append(drawn("text", { class: "explorer-text", x: at, y: level, "text-anchor": anchor }, words));
  for (const one of points) {
    const [letter, tint] = look[one.found];
    const cell = drawn("rect", { class: "plane-cell", x: x(one.a), y: y(one.gamma), width: GRID.wide, height: GRID.high, fill: tint });
    cell.addEventListener("click", () => choose(one));
    svg.append(cell);
    text(letter, x(one.a) + GRID.wide / 2, y(one.gamma) + GRID.high / 2 + 4);
  }
  svg.append(drawn("rect", { class: "plane-chosen", x: x(chosen.a), y: y(chosen.gamma), width: GRID.wide, height: GRID.high }));
  for (const a of columns) text(a, x(a) + GRID.wide / 2, high - GRID.below + 16);
  for (const gamma of rows) text(gamma, GRID.left - 6, y(gamma) + GRID.high / 2 + 4, "end");
  text("a, of the multiplier", GRID.left + (GRID.wide * columns.length) / 2, high - 6);
  text("γ", 8, GRID.top + (GRID.high * rows.length) / 2);
  return svg;
}

function demands({ sizes }, names, depths) {
  const head = ["demand", "exponent", "by the sums", ...depths.map((depth) => `${depth} blocks`)];
  return element("table", { className: "table" },
    element("thead", {}, element("tr", {}, element("td", {}), ...head.map((text) => element("th", { textContent: text, scope: "col" })))),
    element("tbody", {}, ...sizes.map((row, place) => element("tr", {},
      element("th", { textContent: names[place], scope: "row" }), ...row.map((text) => element("td", { textContent: text }))))));
}

function explorePlane(place) {
  const { depths, sizes, look, points, begin } = JSON.parse(place.querySelector("script").textContent);
  const columns = [...new Set(points.map((one) => one.a))], upwards = [...new Set(points.map((one) => one.gamma))];
  const rows = [...upwards].reverse();
  const [multiplier, a, aNamed] = slider("a", "multiplier: a = ", 0, columns.length - 1);
  const [update, gamma, gammaNamed] = slider("gamma", "update: γ = ", 0, upwards.length - 1);
  const picture = element("div", { className: "explorer-output" }), said = element("div", { ariaLive: "polite" });
  const choose = (one) => {
    a.value = columns.indexOf(one.a);
    gamma.value = upwards.indexOf(one.gamma);
    draw();
  };
  const draw = () => {
    const chosen = points.find((one) => one.a === columns[a.value] && one.gamma === upwards[gamma.value]);
    [aNamed.textContent, gammaNamed.textContent] = [chosen.a, chosen.gamma];
    a.setAttribute("aria-valuetext", chosen.a);
    gamma.setAttribute("aria-valuetext", chosen.gamma);
    picture.replaceChildren(planeOf(points, look, columns, rows, chosen, choose));
    said.replaceChildren(element("p", {}, "Measured: ", element("strong", { textContent: chosen.found })),
      element("div", { className: "pst-scrollable-table-container" }, demands(chosen, sizes, depths)));
    markScrolling();
  };
  framed(place, [multiplier, update], [picture, said], draw);
  choose(points[begin]);
}

document.querySelectorAll(".plane").forEach(explorePlane);
