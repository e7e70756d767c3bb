"use strict";
/* Flipping variables and linked marks. All numbers are integers in units of 1 / story.unit. */
(() => {
  const story = JSON.parse(document.getElementById("story").textContent);
  const { literals, clauses, becomes, nae, points, k, t, unit, radius, axes } = story;
  const values = [...story.start, false]; // the helper is false
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const put = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  /* ---- exact numbers ---- */
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  const show = (n) => {
    const divisor = gcd(Math.abs(n), unit) || unit;
    const [top, bottom] = [Math.abs(n) / divisor, unit / divisor];
    return (n < 0 ? "−" : "") + top + (bottom === 1 ? "" : "/" + bottom);
  };
  const isTrue = (literal) => values[literal >> 1] === (literal % 2 === 0);
  const relu = (n) => Math.max(0, n);

  /* h_j = 1/2 + <a_j, x>, a_j = -1 at own literals and k - 1 at others; z_j = 1 - t h_j. */
  function pointState(point) {
    const h = [0, 1].map((side) =>
      point.halves.reduce(
        (sum, [literal, halves]) =>
          sum + (unit / 2) * halves * (isTrue(literal) === (side === 0) ? -1 : k - 1),
        unit / 2,
      ),
    );
    const z = h.map((value) => unit - t * value);
    const shift = point.label * t * radius; // where on the ball F is worst
    const output = unit - relu(z[0]) - relu(z[1]);
    const worst = unit - relu(z[0] + shift) - relu(z[1] + shift);
    const margin = point.label * Math.min(...h) - radius;
    return { h, z, output, worst, margin, right: worst * point.label > 0 };
  }
  const clauseTrue = (clause) => clause.some(isTrue);
  const mixed = (clause) => clause.some(isTrue) && !clause.every(isTrue);
  let states = points.map(pointState);

  /* ---- drawing the assignment ---- */
  const bend = (h) => (axes.curved ? Math.sign(h) * Math.sqrt(Math.abs(h)) : h);
  const placeX = (h) => axes.left + axes.scale * bend(h);
  const placeY = (h) => axes.top - axes.scale * bend(h);
  const pixels = (v) => String(Math.floor(v * 100 + 0.5) / 100);

  function drawRow(row, good) {
    row.classList.toggle("good", good);
    row.classList.toggle("bad", !good);
    put(row.querySelector(".mark"), good ? "✓ " + row.dataset.yes : "✗ " + row.dataset.no);
  }

  function drawPoint(row, point, state) {
    row.classList.toggle("good", state.right);
    row.classList.toggle("bad", !state.right);
    put(row.querySelector(".h1"), show(state.h[0]));
    put(row.querySelector(".h2"), show(state.h[1]));
    put(row.querySelector(".margin"), show(state.margin));
    put(row.querySelector(".out"), show(state.output));
    put(row.querySelector(".ball"), (point.label > 0 ? "≥ " : "≤ ") + show(state.worst));
    put(row.querySelector(".mark"), state.right ? "✓ right" : "✗ wrong");
  }

  function drawDot(dot, state) {
    const [h1, h2] = state.h.map((n) => n / unit);
    const r = radius / unit;
    dot.classList.toggle("wrong", !state.right);
    const [left, right] = [placeX(h1 - r), placeX(h1 + r)];
    const [top, bottom] = [placeY(h2 + r), placeY(h2 - r)];
    const set = (element, names) => {
      for (const [name, value] of Object.entries(names)) element.setAttribute(name, pixels(value));
    };
    set(dot.querySelector("rect"), { x: left, y: top, width: right - left, height: bottom - top });
    set(dot.querySelector("circle"), { cx: placeX(h1), cy: placeY(h2) });
  }

  function drawCounts() {
    const places = new Map();
    for (const { h } of states) places.set(h.join(), [h, (places.get(h.join())?.[1] ?? 0) + 1]);
    const texts = [...places.values()].filter(([, n]) => n > 1).map(([h, n]) => {
      const text = document.createElementNS(byId("counts").namespaceURI, "text");
      text.setAttribute("class", "count");
      const above = h[0] < 0; // off the two lines
      const [x, y] = above
        ? [placeX(h[0] / unit), placeY((h[1] + radius) / unit) - 4]
        : [placeX((h[0] + radius) / unit) + 3, placeY(h[1] / unit) + 4];
      text.setAttribute("x", pixels(x));
      text.setAttribute("y", pixels(y));
      if (above) text.setAttribute("text-anchor", "middle");
      text.textContent = "×" + n;
      return text;
    });
    byId("counts").replaceChildren(...texts);
  }

  function drawSides() {
    const chips = all("button.chip").sort((a, b) => a.dataset.l - b.dataset.l);
    for (const chip of chips) byId(isTrue(Number(chip.dataset.l)) ? "own1" : "own2").append(chip);
    for (const list of [byId("own1"), byId("own2")]) {
      all("button", list).forEach((chip, index) => (chip.tabIndex = index ? -1 : 0));
    }
    for (const input of all(".net .input")) {
      const literal = Number(input.dataset.e.slice(2));
      for (const name of ["one", "two"]) {
        const own = isTrue(literal) === (name === "one");
        for (const part of all("." + name, input)) part.classList.toggle("own", own);
        put(input.querySelector(".w." + name), own ? "+" + t : "−" + t * (k - 1));
      }
    }
  }

  const pointRows = all("#points tbody tr");
  const dots = all(".plane .dot");
  function update() {
    states = points.map(pointState);
    for (const chip of all("[data-l]")) {
      const value = isTrue(Number(chip.dataset.l));
      chip.classList.toggle("t", value);
      chip.classList.toggle("f", !value);
    }
    all(".switch").forEach((button, index) => {
      button.setAttribute("aria-pressed", String(values[index]));
      put(button.querySelector("span"), String(values[index]));
    });
    all('[data-e^="c:"]').forEach((row, index) => drawRow(row, clauseTrue(clauses[index])));
    all('[data-e^="n:"]').forEach((row, index) => drawRow(row, mixed(nae[index])));
    points.forEach((point, index) => {
      drawPoint(pointRows[index], point, states[index]);
      drawDot(dots[index], states[index]);
    });
    drawCounts();
    drawSides();
    const right = states.filter((state) => state.right).length;
    put(
      byId("status"),
      `${clauses.filter(clauseTrue).length} of ${clauses.length} clauses true, ` +
        `${right} of ${points.length} balls right`,
    );
    byId("status").classList.toggle("done", right === points.length);
    byId("reset").disabled = story.start.every((value, index) => value === values[index]);
    feed(usual());
  }

  /* ---- the network's numbers at one point ---- */
  const usual = () => {
    const wrong = states.findIndex((state) => !state.right);
    return wrong < 0 ? story.first : wrong;
  };
  function feed(index) {
    const { z, output } = states[index];
    const coordinates = new Map(points[index].halves);
    all(".net .input").forEach((input, literal) => {
      const halves = coordinates.get(literal);
      input.classList.toggle("fed", halves !== undefined);
      put(input.querySelector(".value"), halves === undefined ? "" : halves === 1 ? "½" : "1");
    });
    put(byId("neuron1").querySelector(".value"), show(z[0]));
    put(byId("neuron2").querySelector(".value"), show(z[1]));
    byId("neuron1").classList.toggle("fires", z[0] > 0);
    byId("neuron2").classList.toggle("fires", z[1] > 0);
    put(byId("output").querySelector(".value"), show(output));
    put(
      byId("computed"),
      `At ${points[index].name}: F = 1 − relu(${show(z[0])}) − relu(${show(z[1])}) = ${show(output)}`,
    );
  }

  /* ---- what belongs together: c clause, n not-all-equal clause, p point, l literal, v variable ---- */
  const pointOf = new Map();
  points.forEach((point, index) => {
    if (point.of && !pointOf.has(point.of)) pointOf.set(point.of, index);
  });
  function related(key) {
    const index = Number(key.slice(2));
    const found = new Set([key]);
    const add = (...keys) => keys.forEach((other) => found.add(other));
    const clausesWith = (wanted) =>
      nae.forEach((clause, number) => {
        if (!clause.some(wanted)) return;
        add("n:" + number);
        becomes.forEach((made, row) => made === number && add("c:" + row));
      });
    if (key[0] === "c" && becomes[index] !== null) return related("n:" + becomes[index]);
    if (key[0] === "p" && points[index].of) {
      const of = points[index].of;
      if (of[0] === "n") return related(of);
      add(of, ...points[index].halves.map(([literal]) => "l:" + literal));
    } else if (key[0] === "n") {
      becomes.forEach((made, row) => made === index && add("c:" + row));
      add("p:" + pointOf.get(key), ...nae[index].map((literal) => "l:" + literal));
    } else if (key[0] === "l") {
      add("p:" + pointOf.get(key), "v:" + (index >> 1));
      clausesWith((literal) => literal === index);
    } else if (key[0] === "v") {
      add("p:" + pointOf.get(key), "l:" + 2 * index, "l:" + (2 * index + 1));
      clausesWith((literal) => literal >> 1 === index);
    }
    return found;
  }

  function describePoint(index) {
    const { h, worst, output, right } = states[index];
    const { name, label } = points[index];
    return (
      `Point ${name}, label ${label > 0 ? "+1" : "−1"}: h₁ = ${show(h[0])}, h₂ = ${show(h[1])}, ` +
      `F = ${show(output)}, on its whole ball F ${label > 0 ? "≥" : "≤"} ${show(worst)}: ` +
      (right ? "right." : "wrong.")
    );
  }
  function describe(key) {
    const index = Number(key.slice(2));
    if (key[0] === "c") {
      const found = clauses[index].find(isTrue);
      const why = found === undefined ? "false" : `true, as ${literals[found]} is true`;
      const point = becomes[index] === null ? "It has no point." : describe("n:" + becomes[index]);
      return `Clause ${index + 1} is ${why}. ${point}`;
    }
    if (key[0] === "p") return describePoint(index);
    if (key[0] === "l") {
      const side = isTrue(index) ? "true: half-space 1" : "false: half-space 2";
      return `Literal ${literals[index]} is ${side} excludes its point. ${describePoint(pointOf.get(key))}`;
    }
    if (key[0] === "v") {
      const wrong = clauses.flatMap((clause, row) => (clauseTrue(clause) ? [] : [row + 1]));
      const rest = wrong.length > 12 ? ", ..." : "";
      const list = wrong.length ? "False clauses: " + wrong.slice(0, 12).join(", ") + rest : "All clauses are true";
      return `Variable ${literals[2 * index]} is ${values[index]}. ${list}.`;
    }
    return describePoint(pointOf.get(key));
  }

  /* ---- marks: hover, focus, pin ---- */
  const hint = byId("about").textContent;
  let pinned = null;
  function mark(key, source) {
    const keys = key ? related(key) : new Set();
    for (const element of all("[data-e]")) {
      element.classList.toggle("on", keys.has(element.dataset.e));
    }
    put(byId("about"), key ? describe(key) : hint);
    const at = !key || key[0] === "v" ? undefined
      : key[0] === "p" ? Number(key.slice(2))
      : pointOf.get(key[0] === "c" ? "n:" + becomes[Number(key.slice(2))] : key);
    feed(at ?? usual());
    if (!key) return;
    for (const list of all(".scroll")) {
      const first = list.contains(source) ? null : list.querySelector(".on");
      if (first) reveal(list, first);
    }
  }
  /* Scrolls a list, never the page: the reader's place stays. */
  function reveal(list, element) {
    const [outer, inner] = [list.getBoundingClientRect(), element.getBoundingClientRect()];
    const head = list.querySelector("thead")?.offsetHeight ?? 0;
    if (inner.top < outer.top + head) list.scrollTop -= outer.top + head - inner.top;
    else if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom;
  }
  function pin(key) {
    pinned = key;
    for (const element of all("button[data-e]:not(.switch)")) {
      element.setAttribute("aria-pressed", String(element.dataset.e === key));
    }
  }
  const keyOf = (target) => target.closest?.("[data-e]")?.dataset.e ?? null;
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch") mark(keyOf(event.target) ?? pinned, event.target);
  });
  document.addEventListener("focusin", (event) => mark(keyOf(event.target) ?? pinned, event.target));
  document.addEventListener("focusout", (event) => event.relatedTarget || mark(pinned, event.target));

  function flip(index) {
    values[index] = !values[index];
    update();
    mark("v:" + index, byId("status"));
  }
  function toggle(element) {
    if (element.matches(".switch")) return flip(Number(element.dataset.e.slice(2)));
    pin(pinned === element.dataset.e ? null : element.dataset.e);
    return mark(element.dataset.e, element);
  }
  document.addEventListener("click", (event) => {
    const element = event.target.closest("[data-e]");
    if (element) toggle(element);
  });
  byId("reset").addEventListener("click", () => {
    story.start.forEach((value, index) => (values[index] = value));
    update();
    const focused = document.querySelector(".switch");
    if (focused) focused.focus();
  });

  /* ---- keyboard: one tab stop for each list, arrows inside ---- */
  const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -1e9, End: 1e9 };
  document.addEventListener("keydown", (event) => {
    const element = event.target;
    if (event.key === "Escape") {
      pin(null);
      mark(null);
    }
    if (element.matches("tr[data-e]") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      toggle(element);
    }
    const list = element.closest("[data-rove]");
    if (!list || !(event.key in STEPS) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const items = all("[tabindex]", list);
    const place = items.indexOf(element) + STEPS[event.key];
    const next = items[Math.max(0, Math.min(items.length - 1, place))];
    for (const item of items) item.tabIndex = item === next ? 0 : -1;
    next.focus();
  });

  /* What gets the keyboard's focus must not hide under the panel at the top. */
  const room = () => {
    document.documentElement.style.setProperty("--panel", byId("panel").offsetHeight + "px");
  };
  new ResizeObserver(room).observe(byId("panel"));
  update();
})();
