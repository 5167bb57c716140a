"use strict";
(() => {
  const PAGE = 100, NEAR_PX = 14, POLL_MS = 3000, MOST_STOPS = 250, MOST_ANCESTORS = 40;
  const KINDS = ["front", "ok", "stopped", "infeasible", "failed"];
  const NAMES = { front: "front", ok: "fully trained", stopped: "stopped early", infeasible: "over a limit", failed: "failed" };
  const $ = (id) => document.getElementById(id);
  // The address of SVG's namespace is asked of an element that is there, so that the page holds no address at all.
  const SVG = $("overlay").namespaceURI;

  let run, rowOf, isFront, kept, points = [], places = [], shown = PAGE, opened = null, tag = "", unknown = "";
  const view = { x: "", y: "", logX: null, logY: null, hidden: new Set(), sort: "", down: false };

  // ---- small helpers -------------------------------------------------------------------------------------------

  /** An element; what is text stays text: nothing in this file sets innerHTML. */
  function make(name, attributes = {}, ...children) {
    return filled(document.createElement(name), attributes, children);
  }
  function draw(name, attributes = {}, ...children) {
    return filled(document.createElementNS(SVG, name), attributes, children);
  }
  function filled(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
    return element;
  }
  function button(text, action, attributes = {}) {
    const element = make("button", { type: "button", ...attributes }, text);
    element.addEventListener("click", action);
    return element;
  }
  function figures(value) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value)) return value.toLocaleString("en-US");
    const size = Math.abs(value);
    return size >= 1e-4 && size < 1e6 ? value.toLocaleString("en-US", { maximumSignificantDigits: 4 }) : value.toExponential(2);
  }
  const axis = (column) => run.axes.find((one) => one.column === column);
  const metric = (column, row) => run.values[column][row];
  const statusOf = (row) => run.texts.status[run.columns.status[row]];
  function kindOf(row) {
    const status = statusOf(row);
    return isFront.has(run.columns.candidate[row]) ? "front" : status.startsWith("failed") ? "failed" : status;
  }
  /** The unit in brackets, where the name of the column does not say it. */
  const named = (one) => (one.unit && !one.column.includes(`_${one.unit.toLowerCase()}`) ? `${one.column} (${one.unit})` : one.column);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const seconds = (value) => (value >= 120 ? `${(value / 60).toFixed(1)} min` : `${figures(value)} s`);

  // ---- the data ------------------------------------------------------------------------------------------------

  function load(data) {
    run = data;
    rowOf = new Map(run.columns.candidate.map((candidate, row) => [candidate, row]));
    isFront = new Set(run.front);
    kept = new Set(run.kept);
    if (!axis(view.x)) [view.x, view.y] = preferred();
    if (!view.sort) [view.sort, view.down] = [run.objectives[0], axis(run.objectives[0]).better > 0];
    const name = run.run.split("/").filter(Boolean).pop() || run.run;
    document.title = `${name}: evonas report`;
    $("title").textContent = `evonas: ${run.run}`;
    $("state").textContent = run.state;
    $("summary").replaceChildren(...run.summary.map((text) => make("p", {}, text)));
    showPicks();
    showAxes();
    showLegend();
    showOutcomes();
    refresh();
    if (opened !== null && rowOf.has(opened)) open(opened, false);
  }

  /** Newer data replace what is shown; who reads with the keyboard stays where they were. */
  function reload(data) {
    const places = ["picks", "legend", "overlay", "table", "drawer-body"];
    const place = places.find((id) => $(id).contains(document.activeElement));
    const reachable = () => [...$(place).querySelectorAll("button, input, [tabindex]")];
    const at = place ? reachable().indexOf(document.activeElement) : -1;
    const { candidate } = document.activeElement?.closest("[data-candidate]")?.dataset || {};
    load(data);
    if (!place) return;
    const same = candidate && $(place).querySelector(`button[data-candidate="${candidate}"], tr[data-candidate="${candidate}"] button, circle[data-candidate="${candidate}"]`);
    (same || reachable()[at])?.focus({ preventScroll: true });
  }

  /** Error upwards and cost across, as such plots are read. */
  function preferred() {
    const columns = run.axes.map((one) => one.column);
    const [y, x] = run.objectives.length > 1 ? run.objectives : [run.objectives[0], columns.find((c) => c === "params") || columns[1] || columns[0]];
    return [x, y];
  }

  /** "latency_ms[cpu]<=5 params<20000 relu" -> a test of a row; words are looked for in everything that is text. */
  function tests(text) {
    unknown = "";
    return text.trim().replace(/\s*(<=|>=|==?|<|>)\s*/g, "$1").split(/\s+/).filter(Boolean).map((word) => {
      const [, column, operator, bound] = word.match(/^(.+?)(<=|>=|==?|<|>)(.+)$/) || [];
      const value = column === "candidate" || column === "generation" || column === "epochs"
        ? (row) => run.columns[column][row]
        : Object.hasOwn(run.values, column ?? "") ? (row) => metric(column, row) : null;
      if (value && !Number.isNaN(Number(bound))) return (row) => value(row) !== null && compare(value(row), operator, Number(bound));
      if (column === "status" && operator.startsWith("=")) return (row) => statusOf(row).startsWith(bound);
      if (column && !value) unknown = column;
      const wanted = word.toLowerCase();
      return (row) => textOf(row).includes(wanted);
    });
  }
  function compare(value, operator, bound) {
    return { "<=": value <= bound, ">=": value >= bound, "<": value < bound, ">": value > bound, "=": value === bound, "==": value === bound }[operator];
  }
  function textOf(row) {
    const { texts, columns } = run;
    const arch = JSON.stringify(columns.arch[row]) || "";
    return `${columns.candidate[row]} ${statusOf(row)} ${texts.operator[columns.operator[row]]} ${texts.message[columns.message[row]]} ${arch}`.toLowerCase();
  }

  function refresh() {
    const all = tests($("filter").value);
    const met = run.columns.candidate.map((_, row) => all.every((test) => test(row)));
    drawPlot(met);
    showTable(met);
  }

  // ---- summary, picks, outcomes --------------------------------------------------------------------------------

  function showPicks() {
    const merged = new Map();
    for (const pick of run.picks) {
      merged.set(pick.candidate, [...(merged.get(pick.candidate) || []), pick]);
    }
    const cards = [...merged].map(([candidate, picks]) => button("", () => open(candidate), { class: "pick", "data-candidate": candidate }));
    [...merged].forEach(([candidate, picks], i) => cards[i].append(
      make("b", {}, capital(picks.map((pick) => pick.role).join(" and "))),
      make("span", { class: "quiet" }, `candidate ${candidate}: ${picks.map((pick) => pick.why).join("; ")}`),
      numbers(candidate)));
    $("picks").replaceChildren(...(cards.length ? cards : [make("p", {}, "None yet: the front is empty.")]));
  }
  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  function numbers(candidate) {
    const columns = new Set([...run.objectives, ...["params", "macs"].filter((name) => Object.hasOwn(run.values, name))]);
    const entries = [...columns].map((column) => [column, figures(metric(column, rowOf.get(candidate)))]);
    const row = rowOf.get(candidate), p = run.columns.p_front[row];
    if (tested(row) !== null) entries.push([`test ${run.task.metric}`, figures(tested(row))]);
    return pairs(p === null ? entries : [...entries, ["p(front)", chance(p)]]);
  }
  const chance = (p) => (p === null ? "–" : p.toFixed(2));
  function pairs(entries) {
    return make("dl", {}, ...entries.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  function showOutcomes() {
    $("outcomes").replaceChildren(...run.outcomes.flatMap((outcome) => {
      const head = make("div", {}, `${figures(outcome.count)} ${outcome.name}`);
      if (!outcome.messages.length) return [head];
      const lines = outcome.messages.map((message) => make("li", {}, `${figures(message.count)} × ${message.text}`));
      const more = outcome.kinds - lines.length;
      if (more > 0) lines.push(make("li", { class: "quiet" }, `and ${more} other message${more > 1 ? "s" : ""}`));
      return [head, make("ul", {}, ...lines)];
    }));
    if (!run.outcomes.length) $("outcomes").textContent = "No candidate has been evaluated yet.";
  }

  // ---- the plot ------------------------------------------------------------------------------------------------

  function showAxes() {
    for (const which of ["x", "y"]) {
      const select = $(`axis-${which}`);
      if (select.options.length === run.axes.length) continue;  // somebody may be choosing right now
      select.replaceChildren(...run.axes.map((one) => make("option", { value: one.column }, named(one))));
      select.value = view[which];
    }
  }

  function showLegend() {
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
    run.columns.candidate.forEach((_, row) => { counts[kindOf(row)] += 1; });
    $("legend").replaceChildren(...KINDS.filter((kind) => counts[kind]).map((kind) => {
      const box = make("input", { type: "checkbox" });
      box.checked = !view.hidden.has(kind);
      box.addEventListener("change", () => { view.hidden[box.checked ? "delete" : "add"](kind); refresh(); });
      const mark = make("canvas", { class: "mark", width: 28, height: 28, "aria-hidden": "true" });
      mark.dataset.kind = kind;
      return make("label", {}, box, mark, `${kind === "ok" ? "fully trained, not on the front" : NAMES[kind]} (${figures(counts[kind])})`);
    }));
    paintMarks();
  }
  function paintMarks() {
    for (const mark of document.querySelectorAll(".mark")) {
      const pen = mark.getContext("2d");
      pen.clearRect(0, 0, 28, 28);
      symbol(pen, mark.dataset.kind, 14, 14, 2, colour(mark.dataset.kind));
    }
  }

  /** Each status has its shape: disc, dot, square, cross; so nobody needs the colours. */
  function symbol(pen, kind, x, y, scale, ink) {
    pen.fillStyle = pen.strokeStyle = ink;
    pen.lineWidth = 1.4 * scale;
    pen.beginPath();
    if (kind === "failed") {
      const r = 3 * scale;
      pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x - r, y + r); pen.lineTo(x + r, y - r); pen.stroke();
    } else if (kind === "infeasible") {
      pen.strokeRect(x - 3 * scale, y - 3 * scale, 6 * scale, 6 * scale);
    } else {
      pen.arc(x, y, { front: 5, ok: 3.4, stopped: 2.2 }[kind] * scale, 0, 7); pen.fill();
    }
  }

  function drawPlot(met) {
    points = [];
    run.columns.candidate.forEach((candidate, row) => {
      const x = metric(view.x, row), y = metric(view.y, row), kind = kindOf(row);
      if (x !== null && y !== null && !view.hidden.has(kind)) points.push({ candidate, row, x, y, kind, met: met[row] });
    });
    const box = $("plot").getBoundingClientRect(), frame = { left: 74, right: box.width - 16, top: 14, bottom: box.height - 52 };
    const scales = { x: scale("x", frame.left, frame.right), y: scale("y", frame.bottom, frame.top) };
    for (const point of points) [point.px, point.py] = [scales.x.at(point.x), scales.y.at(point.y)];
    paintCloud(box);
    $("overlay").replaceChildren(...grid(scales, frame), ...bounds(scales, frame), ...frontMarks());
    ring();
    const missing = run.columns.candidate.filter((_, row) => metric(view.x, row) === null || metric(view.y, row) === null).length;
    $("plot-note").textContent = points.length || missing
      ? (missing ? `${figures(missing)} candidates have no ${view.x} or no ${view.y} and are not drawn.` : "") : "Nothing to draw yet.";
  }

  /** A linear or logarithmic axis over what is drawn: at(value) -> px, ticks. */
  function scale(which, from, to) {
    const values = points.map((point) => point[which]);
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    if (!values.length) [low, high] = [0, 1];
    const able = low > 0, choice = view[which === "x" ? "logX" : "logY"];
    const log = able && (choice ?? high / low > 20);
    const tick = $(`log-${which}`);
    tick.checked = log;
    tick.disabled = !able;
    if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) / 2 || 1), high + (Math.abs(high) / 2 || 1)];
    const f = log ? Math.log10 : (value) => value;
    const pad = 0.04 * (f(high) - f(low)), a = f(low) - pad, b = f(high) + pad;
    const inside = (value) => f(value) >= a && f(value) <= b;
    const ticks = (log ? logTicks(10 ** a, 10 ** b) : linearTicks(a, b)).filter(inside);
    return { at: (value) => from + ((to - from) * (f(value) - a)) / (b - a), ticks, inside };
  }
  function linearTicks(a, b) {
    const rough = (b - a) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((one) => one * power >= rough);
    return Array.from({ length: 12 }, (_, i) => Number(((Math.ceil(a / step) + i) * step).toPrecision(10)));
  }
  function logTicks(a, b) {
    const decades = Math.log10(b / a), found = [];
    if (decades < 0.5) return linearTicks(a, b);
    const steps = decades > 6 ? [1] : decades > 2.5 ? [1, 3] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(a)); power <= Math.log10(b); power += decades > 12 ? 3 : 1) {
      for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(6)));
    }
    return found;
  }
  const brief = (value) => (Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3)
    ? value.toExponential().replace("e+", "e") : String(value));

  function paintCloud(box) {
    const ratio = window.devicePixelRatio || 1, canvas = $("cloud");
    canvas.width = box.width * ratio;
    canvas.height = box.height * ratio;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const inks = Object.fromEntries(KINDS.map((kind) => [kind, colour(kind)]));
    for (const kind of ["stopped", "infeasible", "failed", "ok"]) {
      for (const point of points) {
        if (point.kind !== kind) continue;
        pen.globalAlpha = point.met ? 0.75 : 0.12;
        symbol(pen, kind, point.px, point.py, 1, inks[kind]);
      }
    }
  }

  function grid({ x, y }, { left, right, top, bottom }) {
    const found = [];
    let end = -Infinity;
    for (const value of x.ticks) {
      const at = x.at(value), text = brief(value), half = 3.6 * text.length;
      found.push(draw("line", { class: "grid", x1: at, x2: at, y1: top, y2: bottom }));
      if (at - half < end + 8 || at + half > right + 14) continue;
      found.push(draw("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, text));
      end = at + half;
    }
    let above = Infinity;
    for (const value of y.ticks) {
      const at = y.at(value);
      found.push(draw("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }));
      if (at > above - 15) continue;
      found.push(draw("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, brief(value)));
      above = at;
    }
    const middle = (top + bottom) / 2;
    found.push(draw("text", { class: "title", x: (left + right) / 2, y: bottom + 40, "text-anchor": "middle" }, title("x", right - left)));
    found.push(draw("text", { class: "title", transform: `translate(16 ${middle}) rotate(-90)`, "text-anchor": "middle" }, title("y", bottom - top)));
    return found;
  }
  /** On the vertical axis the text is turned: its arrow "left" is down on the screen. room: px. */
  function title(which, room) {
    const one = axis(view[which]), most = Math.floor(room / 7.5) - (one.better ? "← better · ".length : 0);
    const name = named(one).length > most ? `${named(one).slice(0, most - 1)}…` : named(one);
    if (!one.better) return name;
    return one.better < 0 ? `← better · ${name}` : `${name} · better →`;
  }

  function bounds({ x, y }, { left, right, top, bottom }) {
    return run.limits.flatMap((limit) => {
      const text = `limit ${limit.is} ${figures(limit.bound)}`, found = [];
      if (limit.column === view.x && x.inside(limit.bound)) {
        const at = x.at(limit.bound), near = at > (left + right) / 2;
        found.push(draw("line", { class: "bound", x1: at, x2: at, y1: top, y2: bottom }));
        found.push(draw("text", { x: at + (near ? -6 : 6), y: top + 10, "text-anchor": near ? "end" : "start" }, text));
      }
      if (limit.column === view.y && y.inside(limit.bound)) {
        const at = y.at(limit.bound);
        found.push(draw("line", { class: "bound", x1: left, x2: right, y1: at, y2: at }));
        found.push(draw("text", { x: right, y: at - 5, "text-anchor": "end" }, text));
      }
      return found;
    });
  }

  /** The front as marks that the keyboard reaches; a line joins them where the axes are the two objectives of the run. */
  function frontMarks() {
    const members = points.filter((point) => point.kind === "front").sort((a, b) => a.px - b.px || a.py - b.py);
    const marks = members.map((point) => {
      const says = `candidate ${point.candidate}: ${view.x} ${figures(point.x)}, ${view.y} ${figures(point.y)}`;
      const stops = members.length <= MOST_STOPS ? { tabindex: 0, role: "button" } : {};
      return draw("circle", { class: point.met ? "dot" : "dot faint", cx: point.px, cy: point.py, r: 6, "data-candidate": point.candidate, "aria-label": says, ...stops });
    });
    if (run.objectives.length !== 2 || !run.objectives.includes(view.x) || !run.objectives.includes(view.y)) return marks;
    const later = axis(view.x).better > 0;  // with more across the better, the step between two members goes the other way
    const path = members.map((point, i) => (i === 0 ? `M${point.px} ${point.py}`
      : later ? `V${point.py}H${point.px}` : `H${point.px}V${point.py}`)).join("");
    return [draw("path", { class: "steps", d: path }), ...marks];
  }

  function ring() {
    for (const old of document.querySelectorAll(".ring")) old.remove();
    const point = points.find((one) => one.candidate === opened);
    if (point) $("overlay").append(draw("circle", { class: "ring", cx: point.px, cy: point.py, r: 10 }));
  }

  function nearest(event) {
    const box = $("plot").getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = NEAR_PX ** 2;
    for (const point of points) {
      const bonus = point.kind === "front" ? 0.5 : 1;
      const distance = bonus * ((point.px - x) ** 2 + (point.py - y) ** 2);
      if (distance < least) [best, least] = [point, distance];
    }
    return best;
  }
  function hover(event) {
    const point = nearest(event), tip = $("tip");
    tip.hidden = !point;
    $("overlay").style.cursor = point ? "pointer" : "";
    if (!point) return;
    tip.textContent = `candidate ${point.candidate}, ${NAMES[point.kind]}: ${view.x} ${figures(point.x)}, ${view.y} ${figures(point.y)}`;
    const width = $("plot").clientWidth, height = $("plot").clientHeight;
    tip.style.left = `${Math.max(0, Math.min(point.px + 12, width - tip.offsetWidth))}px`;
    tip.style.top = `${point.py + 14 + tip.offsetHeight < height ? point.py + 14 : point.py - 14 - tip.offsetHeight}px`;
  }

  // ---- the table -----------------------------------------------------------------------------------------------

  /** The main metric on the test examples, of a network that was trained to the end. */
  function tested(row) {
    return run.final[run.columns.candidate[row]]?.[`test[${run.task.metric}]`] ?? null;
  }
  function tableColumns() {
    const numbered = [...new Set([...run.objectives, "params", "macs"])].filter((name) => Object.hasOwn(run.values, name));
    return [
      { name: "candidate", of: (row) => run.columns.candidate[row] },
      ...numbered.map((name) => ({ name, better: axis(name).better, of: (row) => metric(name, row) })),
      ...(Object.keys(run.final).length ? [{ name: `test ${run.task.metric}`, better: run.task.direction === "maximize" ? 1 : -1, of: (row) => tested(row) }] : []),
      ...(run.columns.p_front.some((p) => p !== null) ? [{ name: "p(front)", better: 1, of: (row) => run.columns.p_front[row], as: chance }] : []),
      { name: "generation", of: (row) => run.columns.generation[row] || null },
      { name: "epochs", of: (row) => run.columns.epochs[row] },
      { name: "status", text: true, of: (row) => (kindOf(row) === "front" ? "front" : statusOf(row)) },
    ];
  }

  function showTable(met) {
    const only = $("only-front").checked, columns = tableColumns();
    const rows = run.columns.candidate.map((_, row) => row).filter((row) => met[row] && (!only || isFront.has(run.columns.candidate[row])));
    const sorter = columns.find((column) => column.name === view.sort) || columns[0];
    places = sorted(rows, sorter.of, view.down);
    $("table").tHead.replaceChildren(make("tr", {}, ...columns.map(heading)));
    $("table").tBodies[0].replaceChildren(...places.slice(0, shown).map((row) => line(row, columns)));
    const visible = Math.min(shown, places.length);
    $("count").textContent = places.length ? `${figures(visible)} of ${figures(places.length)} shown`
      : unknown ? `there is no column ${unknown}; there are ${run.axes.map((one) => one.column).join(", ")}`
      : $("filter").value.trim() ? `no candidate${only ? " of the front" : ""} meets the filter` : "none yet";
    $("more").hidden = visible === places.length;
  }
  function sorted(rows, of, down) {
    const sign = down ? -1 : 1;
    return rows.sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;  // what is not known comes last
      return (x < y ? -sign : x > y ? sign : 0) || a - b;
    });
  }
  function heading(column) {
    const mine = view.sort === column.name, arrow = mine ? (view.down ? " ▼" : " ▲") : "";
    const sort = button(`${column.name}${arrow}`, () => {
      [view.sort, view.down] = [column.name, mine ? !view.down : column.better > 0];
      refresh();
      [...$("table").tHead.querySelectorAll("button")].find((one) => one.dataset.column === column.name)?.focus();
    }, { "data-column": column.name });
    const order = mine ? (view.down ? "descending" : "ascending") : "none";
    return make("th", { scope: "col", "aria-sort": order, class: column.text ? "text" : "" }, sort);
  }
  function line(row, columns) {
    const candidate = run.columns.candidate[row];
    const cells = columns.slice(1).map((column) => make("td", { class: column.text ? "text" : "" }, (column.as || figures)(column.of(row))));
    const name = make("td", {}, make("button", { type: "button", "aria-label": `open candidate ${candidate}` }, candidate));
    return make("tr", { "data-candidate": candidate, class: candidate === opened ? "open" : "" }, name, ...cells);
  }

  // ---- one candidate -------------------------------------------------------------------------------------------

  let opener = null;
  function open(candidate, focus = true) {
    const row = rowOf.get(candidate);
    if (row === undefined) return;
    opened = candidate;
    if ($("drawer").hidden) opener = document.activeElement;
    const scroll = focus ? 0 : $("drawer").scrollTop;
    $("drawer-title").textContent = `Candidate ${candidate}`;
    $("drawer-body").replaceChildren(...facts(row), ...architecture(row), ...learning(row), ...ancestry(candidate), ...exporting(candidate, row));
    $("drawer").hidden = false;
    $("drawer").scrollTop = scroll;
    if (!document.body.classList.contains("opened")) {
      document.body.classList.add("opened");
      refresh();
    }
    for (const one of document.querySelectorAll("#table tr.open")) one.classList.remove("open");
    document.querySelector(`#table tr[data-candidate="${candidate}"]`)?.classList.add("open");
    ring();
    if (focus) {
      $("drawer-title").focus();
      history.replaceState(null, "", `#candidate-${candidate}`);
    }
  }
  function close() {
    if (opened === null) return;
    const last = opened;
    opened = null;
    $("drawer").hidden = true;
    document.body.classList.remove("opened");
    history.replaceState(null, "", "#");
    refresh();
    const back = opener?.isConnected && opener !== document.body ? opener : document.querySelector(`#table tr[data-candidate="${last}"] button`);
    back?.focus();
  }
  function fromAddress() {
    const [, candidate] = location.hash.match(/^#candidate-(\d+)$/) || [];
    if (candidate !== undefined) open(Number(candidate));
  }

  function facts(row) {
    const { columns, texts } = run, message = texts.message[columns.message[row]];
    const entries = [["status", `${NAMES[kindOf(row)]}${kindOf(row) === "front" ? ", fully trained" : kindOf(row) === "failed" ? ` (${statusOf(row)})` : ""}`]];
    for (const one of run.axes) {
      if (metric(one.column, row) !== null) entries.push([named(one), figures(metric(one.column, row))]);
    }
    entries.push(...certainty(row), ...finished(row));
    entries.push(["generation", columns.generation[row] || "not complete yet"], ["epochs", columns.epochs[row]]);
    entries.push(["training", seconds(columns.train_s[row])], ["measuring", seconds(columns.measure_s[row])]);
    if (columns.usd[row] !== null) entries.push(["cost", "$" + columns.usd[row]]);
    const number = columns.candidate[row], log = run.logged.includes(number) ? [make("p", {}, "What it printed and how it failed:"), make("pre", {}, run.command.log + number)] : [];
    return [message ? make("p", {}, message) : null, ...log, pairs(entries)].filter(Boolean);
  }

  /** What it became where it was trained to the end: each figure with its interval over examples. */
  function finished(row) {
    const final = run.final[run.columns.candidate[row]] || {}, found = [];
    for (const [column, value] of Object.entries(final)) {
      const [, part, name] = column.match(/^(valid|test|latency_ms)\[(.*)\]$/) || [];
      if (part === undefined) continue;
      const [low, high] = [final[`${part.replace("_ms", "")}_low${part === "latency_ms" ? "_ms" : ""}[${name}]`], final[`${part.replace("_ms", "")}_high${part === "latency_ms" ? "_ms" : ""}[${name}]`]];
      const span = low === undefined || low === null ? "" : ` (95 % ${figures(low)} to ${figures(high)})`;
      found.push([`trained to the end: ${part === "latency_ms" ? column : `${part} ${name}`}`, `${figures(value)}${span}`]);
    }
    if (found.length) found.push(["trained to the end with", `${figures(final.epochs)} epochs, ${figures(final.seeds)} seeds`]);
    return found;
  }

  /** How sure its numbers are, and its place on the front. */
  function certainty(row) {
    const candidate = run.columns.candidate[row], p = run.columns.p_front[row], found = [];
    const { intervals, alike } = run.certainty[run.front.indexOf(candidate)] || { intervals: {}, alike: [] };
    for (const [column, [low, high]] of Object.entries(intervals)) {
      if (low !== null) found.push([`95 % of ${column}`, `${figures(low)} to ${figures(high)}`]);
    }
    if (p !== null) found.push(["p(front)", chance(p)]);
    if (alike.length) found.push(["cannot be told from", alike.join(", ")]);
    return found;
  }

  /** Its genes as blocks from input to output, the wider the more channels; whatever has no shape is listed above. */
  function architecture(row) {
    const arch = run.columns.arch[row], head = make("h3", {}, "Architecture");
    if (arch === null) return [head, make("p", { class: "quiet" }, "Left out to keep the page small; in Python, evonas.load(RUN).evaluations has it.")];
    if (typeof arch !== "object") return [head, make("pre", {}, arch)];
    const parts = Object.entries(arch), whole = parts.filter(([, part]) => part !== null && typeof part !== "object");
    const blocks = parts.flatMap(([name, part]) => (part === null || typeof part === "object" ? blocksOf(name, part) : []));
    const task = run.task, net = [end(`input ${task.input}`), ...blocks, end(`output ${task.output}`)];
    const widest = Math.max(1, ...blocks.map((block) => Number(block.dataset.width) || 0));
    for (const block of blocks) {
      const width = Number(block.dataset.width);
      if (width > 0) block.style.width = `${40 + 60 * (Math.log2(1 + width) / Math.log2(1 + widest))}%`;
    }
    const chips = make("div", { class: "chips" }, ...whole.map(([name, part]) => make("span", { class: "chip" }, `${name}: ${part}`)));
    const joined = net.flatMap((block, i) => (i ? [make("div", { class: "flow", "aria-hidden": "true" }, "↓"), block] : [block]));
    return [head, whole.length ? chips : null, make("div", { class: "net" }, ...joined)].filter(Boolean);
  }
  const end = (text) => make("div", { class: "block end" }, text);
  function blocksOf(name, part) {
    if (part === null) return [make("div", { class: "block absent" }, `${name}: absent`)];
    if (Array.isArray(part)) return part.flatMap((one, i) => blocksOf(`${name} ${i + 1}`, one));
    if (typeof part !== "object") return [make("div", { class: "block" }, `${name}: ${part}`)];
    const entries = Object.entries(part);
    if (entries.length && entries.every(([key]) => /^edge_\d+_\d+$/.test(key))) return wiring(name, part);
    return [block(name, part)];
  }
  function block(name, part) {
    const scalars = flat(part), found = new Map(scalars.map(({ name: gene, value }) => [gene, value]));
    const times = found.get("depth") > 1 ? ` × ${found.get("depth")}` : "";
    const kinds = scalars.filter((gene) => gene.name === "kind").map((gene) => gene.value);
    const rest = scalars.filter((gene) => !["kind", "depth"].includes(gene.name));
    const text = rest.map((gene) => `${gene.name} ${{ true: "yes", false: "no" }[gene.value] ?? gene.value}`).join(" · ");
    const made = make("div", { class: "block" }, make("b", {}, `${name}${kinds.length ? `: ${kinds.join(", ")}` : ""}${times}`), text);
    const width = Number(found.get("width") ?? found.get("channels"));
    if (width > 0) made.dataset.width = width;
    return made;
  }
  /** A cell: what each node is made of. */
  function wiring(name, part) {
    const nodes = new Map();
    for (const [key, value] of Object.entries(part)) {
      const [, from, to] = key.split("_");
      nodes.set(to, [...(nodes.get(to) || []), `${value} from ${from}`]);
    }
    return [...nodes].sort(([a], [b]) => a - b).map(([to, edges]) => make("div", { class: "block" }, make("b", {}, `${name}, node ${to}`), edges.join(" + ")));
  }
  function flat(part, path = "", name = "value") {
    if (part === null || typeof part !== "object") return [{ path: path || name, name, value: part === null ? "absent" : part }];
    return Object.entries(part).flatMap(([key, value]) => flat(value, path ? `${path}.${key}` : key, key));
  }

  function learning(row) {
    const curve = run.columns.curve[row], head = make("h3", {}, "Learning curve");
    if (!curve.length) return [head, make("p", { class: "quiet" }, "It was not trained.")];
    const read = (at) => curve.map((_, i) => i).filter((i) => i % 4 === 0).map((i) => [curve[i], curve[i + at]]).filter(([, y]) => y !== null);
    const last = curve[curve.length - 4], name = run.task.metric, better = run.task.direction === "maximize" ? "more" : "less";
    const key = (kind, text) => [make("span", { class: `key ${kind}` }), text];
    return [
      head,
      make("p", { class: "quiet" }, ...key("metric", `${name} in validation (${better} is better)`)),
      chart([["metric", read(3)]], last),
      make("p", { class: "quiet" }, ...key("valid", "loss in validation"), ...key("train", "loss in training")),
      chart([["valid", read(2)], ["train", read(1)]], last),
      make("p", { class: "quiet" }, `Across: epochs.${run.rungs.length ? ` Dashed: the rungs, after epoch ${run.rungs.join(", ")}.` : ""}`),
    ];
  }
  function chart(lines, last) {
    const width = Math.max(260, Math.min(500, window.innerWidth - 44)), right = width - 10;
    const [height, left, top, bottom] = [150, 56, 8, 126];
    const all = lines.flatMap(([, series]) => series.map(([, y]) => y));
    const image = draw("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${figures(all[0] ?? null)} after the first epoch, ${figures(lines[0][1].at(-1)?.[1] ?? null)} after epoch ${last}` });
    let low = Math.min(...all), high = Math.max(...all);
    if (!all.length) return image;
    if (low === high) [low, high] = [low - (Math.abs(low) / 2 || 1), high + (Math.abs(high) / 2 || 1)];
    const x = (epoch) => left + ((right - left) * (epoch - 1)) / Math.max(1, last - 1), y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);
    for (const value of linearTicks(low, high).filter((one) => one >= low && one <= high).filter((_, i, ticks) => ticks.length < 6 || i % 2 === 0)) {
      image.append(draw("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }), draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, brief(value)));
    }
    const stops = [...new Set([1, ...linearTicks(1, Math.max(2, last)).filter((one) => Number.isInteger(one) && one > 1 && one < last * 0.94), last])];
    for (const epoch of stops) image.append(draw("text", { x: x(epoch), y: bottom + 17, "text-anchor": epoch === last && last > 1 ? "end" : "middle" }, epoch));
    for (const rung of run.rungs.filter((one) => one <= last)) image.append(draw("line", { class: "bound", x1: x(rung), x2: x(rung), y1: top, y2: bottom }));
    for (const [kind, series] of lines) {
      if (series.length === 1) image.append(draw("circle", { class: `point ${kind}`, cx: x(series[0][0]), cy: y(series[0][1]), r: 4 }));
      image.append(draw("path", { class: `line ${kind}`, d: series.map(([epoch, value], i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("") }));
    }
    return image;
  }

  /** Ancestors, nearest first: [candidate, how many births away]. */
  function ancestors(candidate) {
    const far = new Map([[candidate, 0]]);
    const waiting = [candidate];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const row = rowOf.get(next);
      for (const parent of row === undefined ? [] : run.columns.parents[row]) {
        if (!far.has(parent)) { far.set(parent, far.get(next) + 1); waiting.push(parent); }
      }
    }
    return [...far].slice(1);
  }
  function ancestry(candidate) {
    const row = rowOf.get(candidate), family = ancestors(candidate), born = run.texts.operator[run.columns.operator[row]];
    const head = [make("h3", {}, "Lineage"), make("p", {}, run.columns.parents[row].length
      ? `Born by ${born} from ${run.columns.parents[row].join(" and ")}.` : `Born as ${born}, without parents.`)];
    const changes = changed(row);
    if (changes) head.push(changes);
    if (!family.length) return head;
    const columns = ["back", "candidate", ...run.objectives, "operator"];
    const rows = family.slice(0, MOST_ANCESTORS).map(([one, back]) => kin(one, back));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...columns.map((name) => make("th", { scope: "col", class: name === "operator" ? "text" : "" }, name)))), make("tbody", {}, ...rows));
    const more = family.length - rows.length;
    return [...head, make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Ancestors" }, table),
      make("p", { class: "quiet" }, `${more > 0 ? `and ${figures(more)} earlier ancestors. ` : ""}back: births between it and the candidate.`)];
  }
  function kin(candidate, back) {
    const row = rowOf.get(candidate), known = row !== undefined;
    const cells = run.objectives.map((name) => make("td", {}, figures(known ? metric(name, row) : null)));
    const operator = known ? run.texts.operator[run.columns.operator[row]] : "not evaluated yet";
    const name = known ? button(candidate, () => open(candidate), { "aria-label": `open candidate ${candidate}` }) : candidate;
    return make("tr", {}, make("td", {}, back), make("td", {}, name), ...cells, make("td", { class: "text" }, operator.replaceAll("+", " + ")));
  }
  /** What it has from neither parent, gene by gene. */
  function changed(row) {
    const genes = (at) => new Map(flat(run.columns.arch[at]).map(({ path, value }) => [path, value]));
    const parents = run.columns.parents[row].map((one) => rowOf.get(one));
    if (!parents.length || [row, ...parents].some((at) => at === undefined || run.columns.arch[at] === null)) return null;
    const before = parents.map(genes);
    const fresh = [...genes(row)].filter(([key, value]) => before.every((one) => one.get(key) !== value));
    return make("p", { class: "quiet" }, fresh.length ? `New in it: ${fresh.map(([key, value]) => `${key} = ${value}`).join(", ")}.` : "All its genes are of its parents.");
  }

  function exporting(candidate, row) {
    const head = make("h3", {}, "Export");
    if (!kept.has(candidate)) {
      const why = statusOf(row) === "ok" ? "they were removed when it left the front" : "it was not fully trained";
      return [head, make("p", { class: "quiet" }, `Its weights are not kept: ${why}. A run keeps those of its front.`)];
    }
    const line = run.command.before + candidate + run.command.after, copied = make("span", { class: "quiet", role: "status" });
    const copy = button("copy", () => navigator.clipboard?.writeText(line).then(() => { copied.textContent = " copied"; }, () => { copied.textContent = " select it by hand"; }));
    return [head, make("pre", { id: "command" }, line), make("p", {}, navigator.clipboard ? copy : null, copied),
      make("p", { class: "quiet" }, run.command.note)];
  }

  // ---- what people do ------------------------------------------------------------------------------------------

  function listen() {
    for (const which of ["x", "y"]) {
      const key = which === "x" ? "logX" : "logY";
      $(`axis-${which}`).addEventListener("change", (event) => { view[which] = event.target.value; view[key] = null; refresh(); });
      $(`log-${which}`).addEventListener("change", (event) => { view[key] = event.target.checked; refresh(); });
    }
    $("filter").addEventListener("input", () => { shown = PAGE; refresh(); });
    $("only-front").addEventListener("change", () => { shown = PAGE; refresh(); });
    $("more").addEventListener("click", () => { shown += 5 * PAGE; refresh(); });
    $("table").tBodies[0].addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row) open(Number(row.dataset.candidate));
    });
    $("overlay").addEventListener("click", (event) => { const point = nearest(event); if (point) open(point.candidate); });
    $("overlay").addEventListener("keydown", (event) => {
      const { candidate } = event.target.dataset;
      if (candidate && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); open(Number(candidate)); }
    });
    $("overlay").addEventListener("pointermove", hover);
    $("overlay").addEventListener("pointerleave", () => { $("tip").hidden = true; });
    $("close").addEventListener("click", close);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    window.addEventListener("hashchange", fromAddress);
    window.addEventListener("resize", refresh);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paintMarks(); refresh(); });
  }

  async function follow() {
    try {
      const answer = await fetch("/data", { headers: tag ? { "If-None-Match": tag } : {} });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag");
        reload(await answer.json());
      } else if (answer.status === 503) $("state").textContent = `${run.state}; cannot be read now: ${await answer.json()}`;
      else $("state").textContent = run.state;
    } catch {
      $("state").textContent = `${run.state}; evonas report --watch has ended, this is the last that was seen`;
    }
    setTimeout(follow, POLL_MS);
  }

  listen();
  load(JSON.parse($("data").textContent));
  $("filter-help").textContent = `Conditions such as ${run.objectives[0]}<0.1, status=failed or generation>=3, and words, e.g. of an architecture; all must hold. They apply to the plot too.`;
  fromAddress();
  if (document.documentElement.dataset.follow === "yes") setTimeout(follow, POLL_MS);
})();
