// Carry one learning rate to every size: stored mean losses, drawn as the reader asks.
// The losses stand in the page; a cell of the chapter wrote them.
"use strict";

const AXES = { width: ["width", "n"], depth: ["depth", "L"] };
const VIEW = { width: 358, height: 260, left: 34, right: 8, top: 8, bottom: 42 }; // as wide as a phone
const CEILING = 4; // losses above are off the scale

// Where a size trains best, and what a rate costs there; a loss that was not finite is null.
function answers(sizes, rate) {
  return sizes.map(({ size, rates, losses }) => {
    const trained = losses.map((loss) => (loss === null ? Infinity : loss));
    const best = trained.indexOf(Math.min(...trained)), at = rates.indexOf(rate);
    const carried = at < 0 ? null : trained[at];
    return { size, best: rates[best], lowest: trained[best], carried,
      cost: carried === null ? null : carried - trained[best] };
  });
}

function power(rate) {
  return `2${[...String(rate)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("")}`;
}

function spoken(loss) {
  return loss === null ? "not run" : loss > 1000 ? "diverges" : loss.toFixed(loss < 10 ? 3 : 0);
}

// The places of a rate and of a loss, both logarithmic.
function scales(sizes) {
  const rates = sizes.flatMap((one) => one.rates), first = Math.min(...rates), last = Math.max(...rates);
  const lowest = Math.min(...sizes.flatMap((one) => one.losses).filter((loss) => loss !== null));
  const floor = Math.log(lowest / 1.3), wide = VIEW.width - VIEW.left - VIEW.right;
  const high = VIEW.height - VIEW.top - VIEW.bottom, range = Math.log(CEILING) - floor;
  return {
    first, last,
    x: (rate) => VIEW.left + (wide * (rate - first)) / (last - first),
    y: (loss) => VIEW.top + (high * (Math.log(CEILING) - Math.log(Math.min(loss, CEILING)))) / range,
  };
}

function frame(svg, { first, last, x, y }) {
  const bottom = VIEW.height - VIEW.bottom, ink = "explorer-axis";
  svg.append(drawn("path", { class: ink, d: `M${VIEW.left} ${VIEW.top}V${bottom}H${VIEW.width - VIEW.right}` }));
  for (let rate = Math.ceil(first); rate <= last; rate += 2)
    svg.append(drawn("text", { class: "explorer-text", x: x(rate), y: bottom + 18, "text-anchor": "middle" }, power(rate)));
  for (const loss of [0.1, 0.3, 1, 3])
    svg.append(drawn("text", { class: "explorer-text", x: VIEW.left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss));
  const middle = (VIEW.left + VIEW.width) / 2;
  svg.append(drawn("text", { class: "explorer-text", x: middle, y: VIEW.height - 6, "text-anchor": "middle" }, "learning rate η"));
}

function chart(sizes, rate, says) {
  const svg = drawn("svg", { viewBox: `0 0 ${VIEW.width} ${VIEW.height}`, role: "img", "aria-label": says });
  const scale = scales(sizes), { x, y } = scale;
  frame(svg, scale);
  svg.append(drawn("path", { class: "explorer-rate", d: `M${x(rate)} ${VIEW.top}V${VIEW.height - VIEW.bottom}` }));
  sizes.forEach(({ rates, losses }, place) => {
    const points = rates.map((one, i) => [one, losses[i]]).filter(([, loss]) => loss !== null && loss <= CEILING);
    if (!points.length) return;
    const lowest = points.reduce((one, other) => (other[1] < one[1] ? other : one), points[0]);
    svg.append(drawn("path", { class: "explorer-curve", "stroke-width": 1 + (1.5 * place) / Math.max(1, sizes.length - 1),
      d: `M${points.map(([one, loss]) => `${x(one)} ${y(loss)}`).join("L")}` }));
    svg.append(drawn("circle", { class: "explorer-best", cx: x(lowest[0]), cy: y(lowest[1]), r: 3 }));
  });
  return svg;
}

function table(found, symbol) {
  const head = [symbol, "best rate", "loss there", "loss at your rate", "costs"];
  const cells = ({ size, best, lowest, carried, cost }) =>
    [size, power(best), spoken(lowest), spoken(carried), spoken(cost)];
  return element("table", { className: "table" },
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { textContent: text, scope: "col" })))),
    element("tbody", {}, ...found.map((one) => element("tr", {},
      ...cells(one).map((text) => element("td", { textContent: text }))))));
}

// The rate that the smallest size trains best with, from which a reader starts.
function usual(sizes) {
  return answers(sizes.slice(0, 1), 0)[0].best;
}

function choice(name, label, options) {
  return element("label", {}, element("span", { textContent: label }),
    element("select", { name }, ...options.map(([value, text]) => element("option", { value, textContent: text }))));
}

function explore(place) {
  const { titles, curves } = JSON.parse(place.querySelector("script").textContent);
  const axes = [...new Set(curves.map((one) => one.axis))];
  const axis = choice("axis", "grow the", axes.map((one) => [one, AXES[one][0]]));
  const rule = choice("rule", "scaled by", []), slider = element("input", { type: "range", name: "rate", step: 1 });
  const named = element("output", {}), output = element("div", { className: "explorer-output" });
  const form = element("form", { className: "calculator-form" }, axis, rule,
    element("label", {}, element("span", {}, "your rate η = ", named), slider));
  const select = (label) => label.querySelector("select");
  const chosen = () => curves.find((one) => one.axis === select(axis).value && one.rule === select(rule).value);
  const draw = () => {
    const { sizes } = chosen(), rate = Number(slider.value), found = answers(sizes, rate);
    const [word, symbol] = AXES[select(axis).value], last = found[found.length - 1];
    named.textContent = power(rate);
    const says = `Loss against learning rate, a curve a ${word}, thicker for larger ones. At ${word} ${last.size}` +
      ` your rate ends at ${spoken(last.carried)}, the best one at ${spoken(last.lowest)}.`;
    output.replaceChildren(chart(sizes, rate, says),
      element("div", { className: "pst-scrollable-table-container" }, table(found, symbol)));
  };
  const bound = () => {
    const rates = chosen().sizes.flatMap((one) => one.rates);
    Object.assign(slider, { min: Math.min(...rates), max: Math.max(...rates) });
  };
  const offer = () => {
    const before = select(rule).value, there = curves.filter((one) => one.axis === select(axis).value);
    select(rule).replaceChildren(...there.map((one) => element("option", { value: one.rule, textContent: titles[one.rule] })));
    select(rule).value = there.some((one) => one.rule === before) ? before : there[0].rule;
    bound();
    slider.value = usual(chosen().sizes);
  };
  form.addEventListener("input", (event) => {
    if (event.target.name === "axis") offer();
    else bound();
    draw();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  offer();
  place.classList.add("calculator");
  place.append(form, output);
  place.querySelector("p").remove();
  place.answers = (axisName, ruleName, rate) =>
    answers(curves.find((one) => one.axis === axisName && one.rule === ruleName).sizes, rate);
  draw();
}

document.querySelectorAll(".explorer:not(.sums)").forEach(explore);
