// The calculator of the rules page: base values in, numbers for a larger model out.
// All rules come from the page's #calculator-rules, which the solver wrote when the book was built.
"use strict";

const FIELDS = {
  model: { label: "model", kind: "choice", usual: "other" },
  optimizer: { label: "optimizer", kind: "choice", usual: "adamw" },
  k: { label: "maps a branch", kind: "choice", usual: "2" },
  gauge: { label: "multipliers", kind: "choice", usual: "forward" },
  base_width: { label: "base width n", kind: "size", usual: "256" },
  base_depth: { label: "base depth L", kind: "size", usual: "4" },
  width: { label: "target width n", kind: "size", usual: "1024" },
  depth: { label: "target depth L", kind: "size", usual: "16" },
  lr: { label: "base rate η", kind: "number", usual: "2^-9" },
  std: { label: "base std σ", kind: "number", usual: "0.02" },
  decay: { label: "base decay λ", kind: "number", usual: "0.1", zero: true },
  eps: { label: "base ε", kind: "number", usual: "1e-8", zero: true },
};
const GAUGES = { forward: "in the forward pass", folded: "folded into the parameters" };
const MAPS = { 1: "one (k = 1)", 2: "two or more (k ≥ 2)" };

// What somebody typed as a number: 0.001, 1e-3, 2^-9, 2**-9. NaN where it is none.
function parsed(text) {
  const power = text.trim().replace("**", "^").match(/^([0-9.]+)\^(-?[0-9.]+)$/);
  if (power) return Number(power[1]) ** Number(power[2]);
  return text.trim() === "" ? NaN : Number(text.trim().replace("−", "-"));
}

// The first thing that is wrong with what was typed, in words; null where nothing is.
function complaint(state) {
  for (const [name, field] of Object.entries(FIELDS)) {
    const told = String(state[name]), value = parsed(told);
    if (field.kind === "choice") continue;
    if (Number.isNaN(value)) return `${field.label} is “${told}”: give a number, such as ${field.usual}`;
    if (field.kind === "size" && !(Number.isInteger(value) && value >= 1))
      return `${field.label} is ${told}: give a whole number of at least 1`;
    if (field.kind === "number" && value < 0)
      return name === "lr" || name === "eps"
        ? `${field.label} is ${told}: is that a logarithm? Write 2^${told} for ${(2 ** value).toPrecision(3)}`
        : `${field.label} is ${told}: it cannot be negative`;
    if (field.kind === "number" && value === 0 && !field.zero)
      return `${field.label} is 0: nothing would ${name === "lr" ? "learn" : "start"}`;
    if (!Number.isFinite(value) || value > 1e15) return `${field.label} is ${told}: that is too large`;
  }
  return null;
}

// One row a role: [label, optimizer, multiplier, std, rate, decay, ε], null where there is none.
function numbers(rules, state) {
  const rn = parsed(state.width) / parsed(state.base_width);
  const rl = parsed(state.depth) / parsed(state.base_depth);
  const at = (exponents) => (exponents === null ? null : rn ** exponents[0] * rl ** exponents[1]);
  const times = (exponents, base) => (exponents === null ? null : at(exponents) * base);
  return rules.optimizers[state.optimizer].rules[state.k][state.gauge].map((row) => ({
    role: row.role,
    label: row.label,
    optimizer: row.optimizer,
    none: row.none === true,
    multiplier: at(row.multiplier),
    // Gains start at one and biases at zero: σ is that of matrices.
    std: ["input", "hidden", "output"].includes(row.role) && row.init_variance !== null
      ? Math.sqrt(at(row.init_variance)) * parsed(state.std) : null,
    learning_rate: times(row.learning_rate, parsed(state.lr)),
    weight_decay: ["input", "hidden", "output"].includes(row.role)
      ? times(row.weight_decay, parsed(state.decay)) : null,
    epsilon: times(row.epsilon, parsed(state.eps)),
  }));
}

// Worth a word although it is a number.
function remarks(rules, state) {
  const said = [], optimizer = rules.optimizers[state.optimizer];
  const ratio = (a, b) => parsed(state[a]) / parsed(state[b]);
  if (ratio("width", "base_width") < 1 || ratio("depth", "base_depth") < 1)
    said.push("The target is smaller than the base in one size. The rules hold both ways.");
  if (parsed(state.base_width) < 64)
    said.push("A base this narrow is far from the limit that the rules hold in: expect drift.");
  if (optimizer.companion)
    said.push(`${optimizer.title} trains the hidden matrices; ${optimizer.companion} trains the rest.`);
  if (state.k === "1" && state.model !== "other")
    said.push("This model has two maps or more in each branch: k = 1 is not its rule.");
  if (numbers(rules, state).some((row) => row.none))
    said.push("There is no rule where a clamp binds or not, as n and L happen to grow.");
  return said;
}

function planLine(rules, state) {
  const model = rules.models[state.model], [n, l] = model.sizes;
  const own = state.model === "other" ? ` --block-depth ${state.k} --branch-ends NAME` : "";
  return `specmup plan --model ${model.model} --base ${n}=${state.base_width},${l}=${state.base_depth}` +
    ` --target ${n}=${state.width},${l}=${state.depth} --optimizer ${state.optimizer}` +
    ` --learning-rate ${parsed(state.lr)} --std ${parsed(state.std)}` +
    ` --weight-decay ${parsed(state.decay)}` +
    (hasEpsilon(rules, state) ? ` --epsilon ${parsed(state.eps)}` : "") +
    ` --gauge ${state.gauge}${own}`;
}

function hasEpsilon(rules, state) {
  return numbers(rules, state).some((row) => row.epsilon !== null);
}

function code(rules, state) {
  const own = state.model === "other" ? `, block_depth=${state.k}, branch_ends=["NAME"]` : "";
  const epsilon = hasEpsilon(rules, state) ? `, epsilon=${parsed(state.eps)}` : "";
  return [
    "from specmup import make_plan", "",
    `plan = make_plan(large, base=small, optimizer="${state.optimizer}", gauge="${state.gauge}",`,
    `                 learning_rate=${parsed(state.lr)}, std=${parsed(state.std)},`,
    `                 weight_decay=${parsed(state.decay)}${epsilon}${own})`,
    "plan.initialise(large, seed=0)",
    "optimizer = plan.optimizer(large)",
  ].join("\n");
}

function shown(value) {
  if (value === null) return "–";
  if (value === 0) return "0";
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4
    ? String(Number(value.toPrecision(4))) : value.toExponential(3).replace("-", "−");
}

// The state in the address, so that a calculation can be passed on.
function fromAddress() {
  const told = new URLSearchParams(location.hash.slice(1)), state = {};
  for (const [name, field] of Object.entries(FIELDS)) state[name] = told.get(name) ?? field.usual;
  return state;
}

function start(place) {
  const rules = JSON.parse(document.getElementById("calculator-rules").textContent), state = fromAddress();
  const choices = {
    model: Object.fromEntries(Object.entries(rules.models).map(([key, m]) => [key, m.title])),
    optimizer: Object.fromEntries(Object.entries(rules.optimizers).map(([key, o]) => [key, o.title])),
    k: MAPS,
    gauge: GAUGES,
  };
  for (const name of Object.keys(choices)) if (!(state[name] in choices[name])) state[name] = FIELDS[name].usual;
  const form = element("form", { className: "calculator-form" });
  const output = element("div", { className: "calculator-output" });
  output.setAttribute("aria-live", "polite");
  for (const [name, field] of Object.entries(FIELDS)) {
    const input = field.kind === "choice"
      ? element("select", { name }, ...Object.entries(choices[name]).map(([value, text]) =>
          element("option", { value, textContent: text })))
      : element("input", { name, type: "text", inputMode: "text", autocomplete: "off", spellcheck: false });
    input.value = state[name];
    form.append(element("label", {}, element("span", { textContent: field.label }), input));
  }
  const draw = () => {
    for (const input of form.elements) state[input.name] = input.value;
    const wrong = complaint(state);
    output.replaceChildren(...(wrong
      ? [element("p", { className: "calculator-wrong", textContent: `${wrong}.` })]
      : result(rules, state)));
  };
  const keep = () => { // what was typed; before that, the address may lead to a place on the page
    const unusual = Object.entries(state).filter(([name, value]) => value !== FIELDS[name].usual);
    const hash = new URLSearchParams(unusual).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };
  form.addEventListener("input", () => {
    draw();
    keep();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  place.replaceChildren(form, output);
  place.calculate = (told) => numbers(rules, { ...fromAddress(), ...told });
  draw();
}

function result(rules, state) {
  const head = ["parameter", "multiplier", "std", "learning rate", "decay", "ε"];
  const columns = ["multiplier", "std", "learning_rate", "weight_decay", "epsilon"];
  const table = element("table", { className: "table" },
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { textContent: text })))),
    element("tbody", {}, ...numbers(rules, state).map((row) => element("tr", {},
      element("td", { textContent: row.label }),
      ...columns.map((column) => element("td", { textContent: row.none ? "no rule" : shown(row[column]) }))))));
  const about = remarks(rules, state).map((text) => element("p", { textContent: text }));
  return [
    element("div", { className: "pst-scrollable-table-container" }, table),
    ...about,
    element("pre", { className: "calculator-code", textContent: code(rules, state) }),
    element("pre", { className: "calculator-code", textContent: planLine(rules, state) }),
  ];
}

const place = document.getElementById("calculator");
if (place) start(place);
