// Choose an optimizer, and see each of its cells: how far the measured exponent is from the predicted one.
// What was measured stands in the page; a cell of the chapter wrote it.
"use strict";

const LOOKS = { agrees: "atlas-agrees", "cannot tell": "atlas-cannot-tell", disagrees: "atlas-disagrees" };
const ROWS = { width: 358, left: 132, right: 10, top: 8, high: 22, below: 40 };

function marked(svg, verdict, x, y) {
  const look = { class: `atlas-mark ${LOOKS[verdict]}` };
  if (verdict === "disagrees") svg.append(drawn("path", { ...look, d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` }));
  else svg.append(drawn("circle", { ...look, cx: x, cy: y, r: 4 }));
}

function panel(cells, tolerance, [first, last], says) {
  const high = ROWS.top + ROWS.high * cells.length + ROWS.below;
  const svg = drawn("svg", { viewBox: `0 0 ${ROWS.width} ${high}`, role: "img", "aria-label": says });
  const wide = ROWS.width - ROWS.left - ROWS.right;
  const x = (power) => ROWS.left + (wide * (Math.min(Math.max(power, first), last) - first)) / (last - first);
  const text = (words, at, level, anchor) =>
    svg.append(drawn("text", { class: "explorer-text", x: at, y: level, "text-anchor": anchor }, words));
  cells.forEach((cell, row) => {
    const y = ROWS.top + ROWS.high * (row + 0.5);
    const from = x(cell.predicted - tolerance), to = x(cell.predicted + tolerance);
    svg.append(drawn("rect", { class: "atlas-promised", x: from, y: y - 8, width: to - from, height: 16 }));
    svg.append(drawn("path", { class: "explorer-axis", d: `M${x(cell.low)} ${y}H${x(cell.high)}` }));
    marked(svg, cell.verdict, x(cell.estimate), y);
    text(`${cell.role}, ${cell.axis}`, ROWS.left - 8, y + 4, "end");
  });
  const bottom = ROWS.top + ROWS.high * cells.length;
  svg.append(drawn("path", { class: "explorer-axis", d: `M${ROWS.left} ${bottom}H${ROWS.width - ROWS.right}` }));
  for (let power = Math.ceil(first * 2) / 2; power <= last; power += 0.5)
    text(exponentWords(power, 1), x(power), bottom + 16, "middle");
  text("exponent", (ROWS.left + ROWS.width) / 2, high - 6, "middle");
  return svg;
}

function exponentWords(power, digits) {
  return power.toFixed(digits).replace("-", "−");
}

function cellsTable(cells) {
  const head = ["role", "over the", "verdict", "measured", "predicted", "interval"];
  const row = ({ role, axis, predicted, estimate, low, high, verdict }) => [role, axis, verdict,
    exponentWords(estimate, 2), exponentWords(predicted, 1), `${exponentWords(low, 2)} to ${exponentWords(high, 2)}`];
  return element("table", { className: "table" },
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { textContent: text, scope: "col" })))),
    element("tbody", {}, ...cells.map((cell) => element("tr", {}, ...row(cell).map((text) => element("td", { textContent: text }))))));
}

function exploreAtlas(place) {
  const { tolerance, range, verdicts, places, predicted, measured } = JSON.parse(place.querySelector("script").textContent);
  const named = (values) => [...new Set(values)].map((one) => [one, one]);
  const [optimizers, maps, sizes] = [0, 1, 2].map((part) => named(Object.keys(measured).map((key) => key.split("|")[part])));
  const choices = [choice("optimizer", "optimizer", optimizers), choice("maps", "maps a branch, k", maps), choice("size", "size of", sizes)];
  const picture = element("div", { className: "explorer-output" }), said = element("div", { ariaLive: "polite" });
  const cellsOf = (optimizer, k, size) => measured[`${optimizer}|${k}|${size}`].map(([estimate, low, high, verdict], at) => {
    const [role, axis] = places[at];
    return { role, axis, estimate, low, high, verdict: verdicts[verdict], predicted: predicted[`${k}|${size}`][at] };
  });
  const draw = () => {
    const chosen = choices.map((one) => one.querySelector("select").value), cells = cellsOf(...chosen);
    const agree = cells.filter((cell) => cell.verdict === verdicts[0]).length;
    const says = `${chosen[0]}, k = ${chosen[1]}, the ${chosen[2]}: ${agree} of ${cells.length} exponents agree with the prediction.`;
    picture.replaceChildren(panel(cells, tolerance, range, says));
    said.replaceChildren(element("p", { textContent: says }),
      element("div", { className: "pst-scrollable-table-container" }, cellsTable(cells)));
    markScrolling();
  };
  framed(place, choices, [picture, said], draw);
  place.cellsOf = cellsOf;
  draw();
}

document.querySelectorAll(".explorer.atlas").forEach(exploreAtlas);
