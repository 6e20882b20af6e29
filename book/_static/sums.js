// Add L vectors of length one, from independent to aligned, and see how long their sum is.
// Their directions stand in the page; a cell of the chapter drew them.
"use strict";

const PLANE = { width: 358, height: 190, edge: 12 };

// The places that one sum passes: every vector is √χ of a common one and √(1 − χ) of its own.
function walk(angles, count, share) {
  let [x, y] = [0, 0];
  return [[x, y], ...angles.slice(0, count).map((angle) => {
    x += Math.sqrt(share) + Math.sqrt(1 - share) * Math.cos(angle);
    y += Math.sqrt(1 - share) * Math.sin(angle);
    return [x, y];
  })];
}

function lengths(draws, count, share) {
  const ends = draws.map((angles) => walk(angles, count, share).at(-1));
  const squares = ends.map(([x, y]) => x * x + y * y);
  return {
    each: squares.map(Math.sqrt),
    drawn: Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / squares.length),
    exact: Math.sqrt(count + count * (count - 1) * share),
  };
}

function picture(path, says) {
  const xs = path.map(([x]) => x), ys = path.map(([, y]) => y);
  const wide = Math.max(...xs) - Math.min(...xs), high = Math.max(...ys) - Math.min(...ys);
  const inner = [PLANE.width - 2 * PLANE.edge, PLANE.height - 2 * PLANE.edge];
  const scale = Math.min(inner[0] / Math.max(wide, 1), inner[1] / Math.max(high, 1), 40);
  const place = ([x, y]) => [
    PLANE.width / 2 + scale * (x - (Math.max(...xs) + Math.min(...xs)) / 2),
    PLANE.height / 2 - scale * (y - (Math.max(...ys) + Math.min(...ys)) / 2),
  ].map((one) => one.toFixed(1)).join(" ");
  const svg = drawn("svg", { viewBox: `0 0 ${PLANE.width} ${PLANE.height}`, role: "img", "aria-label": says });
  const [x, y] = place(path.at(-1)).split(" ");
  svg.append(
    drawn("path", { class: "explorer-curve", d: `M${path.map(place).join("L")}` }),
    drawn("path", { class: "explorer-rate", d: `M${place(path[0])}L${x} ${y}` }),
    drawn("circle", { class: "explorer-best", cx: x, cy: y, r: 3.5 }));
  return svg;
}

function addUp(place) {
  const told = JSON.parse(place.querySelector("script").textContent);
  const draws = told.draws.map((turns) => turns.map((turn) => (2 * Math.PI * turn) / told.parts));
  const [counted, count, countNamed] = slider("count", "vectors L = ", 1, draws[0].length);
  const [aligned, share, shareNamed] = slider("share", "aligned share χ = ", 0, 100);
  const again = element("button", { type: "button", textContent: "another draw", className: "sums-again" });
  const output = element("div", { className: "explorer-output", ariaLive: "polite" });
  let turn = 0;
  const draw = () => {
    const [many, part] = [Number(count.value), Number(share.value) / 100];
    const { each, drawn: mean, exact } = lengths(draws, many, part);
    countNamed.textContent = many;
    shareNamed.textContent = part.toFixed(2);
    const rows = [
      ["this sum", each[turn]], [`root mean square of ${draws.length} draws`, mean],
      ["√(L + L(L − 1)χ), the theory", exact], ["√L, all independent", Math.sqrt(many)], ["L, all aligned", many],
    ];
    const says = `${many} vectors, one after another, with an aligned share of ${part.toFixed(2)}. Dashed: their sum, ${each[turn].toFixed(1)} long.`;
    output.replaceChildren(picture(walk(draws[turn], many, part), says),
      element("table", { className: "table" }, element("tbody", {}, ...rows.map(([words, value]) =>
        element("tr", {}, element("th", { textContent: words, scope: "row" }), element("td", { textContent: value.toFixed(1) }))))));
  };
  again.addEventListener("click", () => { turn = (turn + 1) % draws.length; draw(); });
  count.value = draws[0].length;
  share.value = 0;
  framed(place, [counted, aligned, again], [output], draw);
  place.lengths = (many, part) => lengths(draws, many, part);
  draw();
}

document.querySelectorAll(".sums").forEach(addUp);
