// Carry one learning rate to every size: stored mean losses, drawn as the reader asks.
// The losses stand in the page; a cell of the chapter wrote them.
"use strict";

const AXES = { width: ["width", "n"], depth: ["depth", "L"] };
const VIEW = { width: 358, height: 260, left: 34, right: 8, top: 8, bottom: 42 }; // as wide as a phone

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
function scales(sizes, ceiling) {
  const rates = sizes.flatMap((one) => one.rates), first = Math.min(...rates), last = Math.max(...rates);
  const lowest = Math.min(...sizes.flatMap((one) => one.losses).filter((loss) => loss !== null));
  const floor = Math.log(lowest / 1.3), wide = VIEW.width - VIEW.left - VIEW.right;
  const high = VIEW.height - VIEW.top - VIEW.bottom, range = Math.log(ceiling) - floor;
  return {
    first, last,
    x: (rate) => VIEW.left + (wide * (rate - first)) / (last - first),
    y: (loss) => VIEW.top + (high * (Math.log(ceiling) - Math.log(Math.min(loss, ceiling)))) / range,
  };
}

function frame(svg, { first, last, x, y }, losses) {
  const bottom = VIEW.height - VIEW.bottom, ink = "explorer-axis";
  svg.append(drawn("path", { class: ink, d: `M${VIEW.left} ${VIEW.top}V${bottom}H${VIEW.width - VIEW.right}` }));
  for (let rate = Math.ceil(first); rate <= last; rate += 2)
    svg.append(drawn("text", { class: "explorer-text", x: x(rate), y: bottom + 18, "text-anchor": "middle" }, power(rate)));
  for (const loss of losses.slice(0, -1))
    svg.append(drawn("text", { class: "explorer-text", x: VIEW.left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss));
  const middle = (VIEW.left + VIEW.width) / 2;
  svg.append(drawn("text", { class: "explorer-text", x: middle, y: VIEW.height - 6, "text-anchor": "middle" }, "learning rate η"));
}

function chart(sizes, rate, losses, says) {
  const svg = drawn("svg", { viewBox: `0 0 ${VIEW.width} ${VIEW.height}`, role: "img", "aria-label": says });
  const ceiling = losses.at(-1), scale = scales(sizes, ceiling), { x, y } = scale;
  frame(svg, scale, losses);
  svg.append(drawn("path", { class: "explorer-rate", d: `M${x(rate)} ${VIEW.top}V${VIEW.height - VIEW.bottom}` }));
  sizes.forEach((of, place) => {
    const points = of.rates.map((one, i) => [one, of.losses[i]]).filter(([, loss]) => loss !== null && loss <= ceiling);
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

// The rate that the base trains best with, from which a reader starts.
function usual(sizes, base) {
  const tuned = sizes.find((one) => one.size === base) ?? sizes[0];
  return answers([tuned], 0)[0].best;
}

function explore(place) {
  const { titles, bases, losses, curves } = JSON.parse(place.querySelector("script").textContent);
  const named = (values) => [...new Set(values)].map((one) => [one, one]);
  const kind = choice("kind", "optimizer", named(curves.map((one) => one.kind)));
  const axis = choice("axis", "grow the", []), rule = choice("rule", "scaled by", []);
  const [label, rated, shown] = slider("rate", "your rate η = ", 0, 0);
  const output = element("div", { className: "explorer-output" });
  const select = (of) => of.querySelector("select");
  const kinds = select(kind).options.length > 1 ? [kind] : [];
  const alike = (...names) => curves.filter((one) => names.every((name) => one[name] === select({ kind, axis, rule }[name]).value));
  const chosen = () => alike("kind", "axis", "rule")[0];
  const draw = () => {
    const { sizes } = chosen(), rate = Number(rated.value), found = answers(sizes, rate);
    const [word, symbol] = AXES[select(axis).value], last = found[found.length - 1];
    shown.textContent = power(rate);
    const says = `Loss against learning rate, a curve a ${word}, thicker for larger ones. At ${word} ${last.size}` +
      ` your rate ends at ${spoken(last.carried)}, the best one at ${spoken(last.lowest)}.`;
    output.replaceChildren(chart(sizes, rate, losses, says),
      element("div", { className: "pst-scrollable-table-container" }, table(found, symbol)));
  };
  const bound = () => {
    const rates = chosen().sizes.flatMap((one) => one.rates);
    Object.assign(rated, { min: Math.min(...rates), max: Math.max(...rates) });
  };
  const offer = (of, values, texts) => { // what there is, and of it what was chosen before
    const before = select(of).value;
    select(of).replaceChildren(...[...new Set(values)].map((value) => element("option", { value, textContent: texts(value) })));
    select(of).value = values.includes(before) ? before : values[0];
  };
  const offerAll = () => {
    offer(axis, alike("kind").map((one) => one.axis), (name) => AXES[name][0]);
    offer(rule, alike("kind", "axis").map((one) => one.rule), (name) => titles[name]);
    bound();
    rated.value = usual(chosen().sizes, bases[select(axis).value]);
  };
  offerAll();
  framed(place, [...kinds, axis, rule, label], [output], (event) => {
    if (event.target.name === "rate" || event.target.name === "rule") bound();
    else offerAll();
    draw();
  });
  place.answers = (axisName, ruleName, rate, kindName = "") => answers(curves.find((one) =>
    one.kind === kindName && one.axis === axisName && one.rule === ruleName).sizes, rate);
  draw();
}

document.querySelectorAll(".explorer:not(.sums, .plane, .atlas)").forEach(explore);
