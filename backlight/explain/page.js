"use strict";
(() => {
  const record = JSON.parse(document.getElementById("record").textContent);
  const { steps, edges } = record;
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);

  // -- Small tools ---------------------------------------------------------------------------------------------------

  /** Make an element; text is always set as text, never as markup. */
  function h(tag, attributes = {}, ...children) {
    const svg = ["svg", "rect", "polyline", "line", "text", "circle"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
    }
    node.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }
  const both = (en, zh) => [h("span", { lang: "en" }, en), h("span", { lang: "zh" }, zh)];
  const said = (text) => both(text.en, text.zh);
  const read = (number) => (typeof number === "string" ? Number(number) : number);

  /** A number with few significant digits, written as Python's %g does, with a proper minus sign. */
  function format(value, digits = 4) {
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "string" && Number.isNaN(Number(value)) && value !== "NaN") return value;
    const number = read(value);
    if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "−∞";
    if (number === 0) return "0";
    const [mantissa, exponent] = number.toExponential(digits - 1).split("e").map(Number);
    let text;
    if (exponent < -4 || exponent >= digits) {
      text = `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    } else {
      text = number.toFixed(Math.max(0, digits - 1 - exponent));
      if (text.includes(".")) text = text.replace(/0+$/, "").replace(/\.$/, "");
    }
    return text.replaceAll("-", "−");
  }

  const array = (k) => (k === null || k === undefined ? null : Array.isArray(k) ? array(k[0]) : record.arrays[k]);
  const size = (a) => a.data.length;

  function range(a) {
    if (size(a) === 0) return "[]";
    if (size(a) === 1) return format(a.data[0]);
    let low = Infinity, high = -Infinity;
    for (const entry of a.data) { const v = Number(entry); if (v < low) low = v; if (v > high) high = v; }
    return low > high ? "NaN" : low === high ? format(low) : `${format(low)} … ${format(high)}`;
  }
  const shapeText = (shape) => (shape && shape.length ? shape.join(" × ") : "");

  // -- Heat maps -----------------------------------------------------------------------------------------------------

  const maps = [];
  function paint({ canvas, a, rows, columns, chosen }) {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [pos, neg, ink] = [colour("--pos"), colour("--neg"), colour("--ink")];
    const cell = Math.max(1, Math.min(26, Math.floor(640 / columns)));
    canvas.width = columns * cell;
    canvas.height = rows * cell;
    const pen = canvas.getContext("2d");
    let largest = 0;
    for (const entry of a.data) { const v = Math.abs(Number(entry)); if (Number.isFinite(v) && v > largest) largest = v; }
    a.data.forEach((entry, k) => {
      const v = Number(entry);
      pen.globalAlpha = Number.isFinite(v) ? (largest ? Math.abs(v) / largest : 0) : 1;
      pen.fillStyle = Number.isNaN(v) ? ink : v < 0 ? neg : pos;
      pen.fillRect((k % columns) * cell, Math.floor(k / columns) * cell, cell, cell);
    });
    if (chosen >= 0) {
      pen.globalAlpha = 1;
      pen.strokeStyle = ink;
      const width = Math.max(2, cell / 4); // around the cell, so that it is seen where cells are small
      pen.lineWidth = width;
      pen.strokeRect((chosen % columns) * cell - width / 2, Math.floor(chosen / columns) * cell - width / 2, cell + width, cell + width);
    }
  }

  function position(k, shape) {
    const index = [];
    for (const length of [...shape].reverse()) { index.unshift(k % length); k = Math.floor(k / length); }
    return `[${index.join(", ")}]`;
  }

  /** An array as a picture that can be read cell by cell, with the mouse or the arrow keys. */
  function heatMap(title, k, start = -1) {
    const a = array(k);
    if (!a) return null;
    const head = h("div", { class: "title" }, title, shapeText(a.shape) ? `  ${shapeText(a.shape)}` : "");
    if (size(a) === 1) return h("div", { class: "map" }, head, h("div", { class: "scalar" }, format(a.data[0], 6)));
    if (size(a) === 0) return h("div", { class: "map" }, head, h("div", { class: "scalar" }, "[]"));
    const wide = a.shape[a.shape.length - 1];
    const line = a.shape.length < 2 || size(a) === wide;
    const columns = line ? Math.min(wide, wide > 40 ? Math.ceil(Math.sqrt(wide)) : 16) : wide;
    const rows = Math.ceil(size(a) / columns);
    const readout = h("div", { class: "readout" });
    const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": `${title.textContent || title}: ${range(a)}` });
    const map = { canvas, a, rows, columns, chosen: start };
    const show = (at) => {
      map.chosen = at;
      readout.textContent = at >= 0 ? `${position(at, a.shape)} = ${format(a.data[at], 6)}` : range(a);
      paint(map);
    };
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns)));
      const row = Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows)));
      return Math.min(size(a) - 1, row * columns + column);
    };
    canvas.addEventListener("pointermove", (event) => show(at(event)));
    canvas.addEventListener("pointerdown", (event) => show(at(event)));
    canvas.addEventListener("pointerleave", () => show(start));
    canvas.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (!move) return;
      event.preventDefault();
      event.stopPropagation();
      show(Math.min(size(a) - 1, Math.max(0, (map.chosen < 0 ? 0 : map.chosen) + (map.chosen < 0 ? 0 : move))));
    });
    show(start);
    maps.push(map);
    return h("figure", { class: "map" }, head, canvas, readout, numbers(a));
  }

  function numbers(a) {
    const wide = a.shape.length > 1 ? a.shape[a.shape.length - 1] : Math.min(8, size(a));
    const shown = Math.min(size(a), 1024);
    const details = h("details", {}, h("summary", {}, both("numbers", "数字")));
    details.addEventListener("toggle", () => {
      if (details.childElementCount > 1) return;
      const rows = [];
      for (let k = 0; k < shown; k += wide) {
        rows.push(h("tr", {}, a.data.slice(k, Math.min(k + wide, shown)).map((v) => h("td", {}, format(v)))));
      }
      const rest = size(a) - shown;
      details.append(h("div", { class: "numbers", tabindex: "0" }, h("table", {}, h("tbody", {}, rows)),
        rest ? h("p", {}, both(`and ${rest} more`, `另有 ${rest} 个`)) : null));
    });
    return details;
  }

  // -- The pictures around the graph ---------------------------------------------------------------------------------

  function picture({ pixels, caption }) {
    const a = array(pixels), [rows, columns] = a.shape;
    const cells = a.data.map((v, k) => h("rect", { x: k % columns, y: Math.floor(k / columns), width: 1.02, height: 1.02, "fill-opacity": v }));
    return h("div", { class: "panel" }, h("h2", {}, both("The image", "图像")),
      h("svg", { class: "digit", viewBox: `0 0 ${columns} ${rows}`, role: "img", "aria-label": caption.en }, cells), h("p", { class: "note" }, said(caption)));
  }

  function bars({ names, before, after, truth, caption }) {
    const percent = (share) => `${(100 * share).toFixed(share > 0.0995 ? 0 : 1)} %`;
    const rows = names.flatMap((name, k) => [
      h("b", { class: k === truth ? "truth" : "" }, k === truth ? `✓ ${name}` : name),
      h("span", { class: "track" }, h("i", { style: `width:${100 * before[k]}%` }), h("i", { style: `width:${100 * after[k]}%` })),
      h("span", { class: "share" }, `${percent(before[k])} → ${percent(after[k])}`)]);
    return h("div", { class: "panel" }, h("h2", {}, both("What the network believes", "网络的判断")), h("div", { class: "bars" }, rows), h("p", { class: "note" }, said(caption)));
  }

  function curve({ loss, accuracy, caption }) {
    const [width, height, left, right, top, bottom] = [360, 190, 8, 40, 14, 22];
    const at = (k) => left + (loss.length > 1 ? k / (loss.length - 1) : 0.5) * (width - left - right);
    const scale = (values, low, high) => values.map((v, k) => `${at(k).toFixed(1)},${(top + (1 - (v - low) / (high - low || 1)) * (height - top - bottom)).toFixed(1)}`);
    const lines = [["loss", scale(loss, 0, Math.max(...loss)), format(loss.at(-1), 2)], ["accuracy", scale(accuracy, 0, 1), `${(100 * accuracy.at(-1)).toFixed(1)} %`]];
    const heights = lines.map(([, points]) => Number(points.at(-1).split(",")[1]));
    const above = heights[0] < heights[1] ? 0 : 1; // the two last numbers never stand on each other
    heights[1 - above] = Math.max(heights[1 - above], heights[above] + 14);
    return h("div", { class: "panel" }, h("h2", {}, both("How it learnt", "学习过程")),
      h("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": caption.en },
        [0, 0.5, 1].map((y) => h("line", { class: "axis", x1: left, x2: width - right, y1: top + y * (height - top - bottom), y2: top + y * (height - top - bottom) })),
        lines.map(([name, points, last], k) => [h("polyline", { class: name, points: points.join(" ") }),
          points.length === 1 ? h("circle", { class: name, r: 3, cx: points[0].split(",")[0], cy: points[0].split(",")[1] }) : null,
          h("text", { class: name, x: width - right + 5, y: heights[k] + 4 }, last)]),
        loss.length > 1 ? h("text", { x: left, y: height - 4 }, "1") : null, h("text", { x: width - right, y: height - 4, "text-anchor": "end" }, String(loss.length))),
      h("p", { class: "key" }, h("span", { class: "swatch back", style: "margin:0" }), both("training loss", "训练损失"), h("span", { class: "swatch" }), both("held-out accuracy", "留出集准确率")),
      h("p", { class: "note" }, said(caption)));
  }

  const { story } = record;
  $("story").append(...[story.picture && picture(story.picture), story.bars && bars(story.bars), story.curve && curve(story.curve)].filter(Boolean));

  // -- The inspector -------------------------------------------------------------------------------------------------

  const lossName = steps[record.loss].label;
  const target = (step) => `∂${lossName}/∂${step.label}`;
  const go = (k, text) => h("button", { type: "button", onclick: () => choose({ step: k }) }, text || steps[k].label);
  const place = (source) => (source ? `${source.file}:${source.line}` : "");

  function passing(k) {
    const edge = edges[k], y = steps[edge.step], x = steps[edge.to];
    const name = y.inputs.length > 1 ? `x${edge.input + 1}` : "x";
    const number = typeof edge.local === "number" && size(record.arrays[edge.local]) === 1;
    const rule = edge.local === null
      ? h("div", { class: "line" }, h("em", {}, "g"), " ↦ ", edge.rule)
      : h("div", { class: "line" }, `∂y/∂${name} = ${edge.rule}`);
    return h("div", { class: "passing", "data-edge": k },
      h("div", { class: "chips" }, both("from", "来自"), go(edge.step), y.formula ? h("code", {}, `y = ${y.operation}(${y.inputs.map((_, i) => (y.inputs.length > 1 ? `x${i + 1}` : "x")).join(", ")}),  ${name} = ${x.label}`) : null),
      y.why ? h("p", { class: "why" }, said(y.why)) : null,
      rule,
      h("div", { class: "maps" },
        heatMap(h("span", {}, both("arriving g = ", "传入 g = "), target(y)), edge.gradient),
        edge.local === null ? null : heatMap(h("span", {}, `∂y/∂${name}`, number ? "" : both(" (local)", "（局部）")), edge.local),
        heatMap(h("b", {}, both("contribution", "贡献")), edge.contribution)));
  }

  function inspect(k, chosenEdge) {
    maps.length = 0;
    const step = steps[k];
    const coming = edges.map((edge, i) => i).filter((i) => edges[i].to === k);
    const leaving = edges.map((edge, i) => i).filter((i) => edges[i].step === k);
    const read = [...new Set(steps.map((s, i) => i).filter((i) => steps[i].inputs.includes(k)))];
    $("inspector").replaceChildren(...h("div", {},
      h("div", { class: "top" }, h("h2", {}, step.label), h("span", { class: "meta" }, [step.operation, shapeText(step.shape), step.dtype].filter(Boolean).join("  ·  "))),
      step.formula ? h("div", { class: "formula" }, `${step.label} = ${step.formula}`) : null,
      step.source ? h("p", { class: "where" }, place(step.source), "  ", h("code", {}, step.statement)) : null,
      step.scope.length ? h("p", { class: "where" }, step.scope.join(" › ")) : null,
      step.inputs.length ? h("div", { class: "chips" }, both("made from", "由此得出"), step.inputs.map((i) => go(i))) : null,
      read.length ? h("div", { class: "chips", style: "margin-top:6px" }, both("used by", "用于"), read.map((i) => go(i))) : null,
      h("h3", {}, both("Its value, and what the loss thinks of it", "它的值，以及损失对它的看法")),
      h("div", { class: "maps" }, heatMap(h("span", {}, both("value", "值")), step.value, marked(k)),
        step.gradient === null ? null : heatMap(h("span", {}, both("gradient ", "梯度 "), h("b", {}, target(step))), step.gradient, marked(k))),
      coming.length ? h("h3", {}, coming.length > 1 ? both(`${coming.length} contributions arrive and are added up`, `${coming.length} 份贡献到达并相加`) : both("How its gradient came about", "它的梯度从何而来")) : null,
      coming.map(passing),
      coming.length > 1 ? h("div", { class: "sum" }, h("div", { class: "maps" }, heatMap(h("span", {}, both("sum of the contributions = ", "各份贡献之和 = "), h("b", {}, target(step))), step.gradient))) : null,
      k === record.loss ? h("p", { class: "why" }, both("The loss moves one to one with itself, so the walk back starts with 1.", "损失对自身的变化率是 1，反向传播由此开始。")) : null,
      step.gradient === null && k !== record.loss ? h("p", { class: "note" }, both("No gradient was asked of this value.", "没有要求计算它的梯度。")) : null,
      leaving.length ? h("div", { class: "chips", style: "margin-top:14px" }, both("and passes its gradient back to", "并把梯度传回给"), [...new Set(leaving.map((i) => edges[i].to))].map((i) => go(i))) : null).childNodes);
    for (const box of $("inspector").querySelectorAll(".passing")) box.classList.toggle("on", Number(box.dataset.edge) === chosenEdge);
  }

  /** The cell that the derivation is about is outlined where it occurs. */
  function marked(k) {
    const d = record.derivation;
    if (!d || steps[k].label !== d.label) return -1;
    return d.index.reduce((flat, i, axis) => flat * steps[k].shape[axis] + i, 0);
  }

  // -- Choosing, stepping, playing -----------------------------------------------------------------------------------

  let current = { step: record.loss, edge: -1 };
  function choose({ step, edge = -1 }, scroll = true) {
    current = { step, edge };
    inspect(step, edge);
    for (const node of document.querySelectorAll(".node")) node.classList.toggle("on", Number(node.dataset.step) === step);
    for (const node of document.querySelectorAll(".back-edge")) node.classList.toggle("on", Number(node.dataset.edge) === edge);
    for (const row of document.querySelectorAll("#edges tbody tr")) row.classList.toggle("on", Number(row.dataset.edge) === edge);
    const source = edge >= 0 ? steps[edges[edge].step].source : steps[step].source;
    for (const row of document.querySelectorAll(".file .row")) row.classList.toggle("on", !!source && row.dataset.place === place(source));
    $("position").textContent = edge >= 0 ? `${edge + 1} / ${edges.length}   ${steps[edges[edge].step].label} → ${steps[edges[edge].to].label}` : `${edges.length} ${root.lang === "zh" ? "步" : "steps"}`;
    const panel = $("inspector");
    const box = edge >= 0 && panel.querySelector(".passing.on");
    panel.scrollTop = box && coming(step) > 1 ? box.offsetTop - panel.offsetTop - 60 : 0;
    if (scale !== null) reveal(document.querySelector(edge >= 0 ? `.back-edge[data-edge="${edge}"]` : `.node[data-step="${step}"]`));
    if (scroll && getComputedStyle(panel).position === "static") panel.scrollIntoView({ block: "start", behavior: "smooth" });
  }
  const coming = (step) => edges.filter((edge) => edge.to === step).length;

  let timer = 0;
  function stop() { clearInterval(timer); timer = 0; label(); }
  function label() { $("play").replaceChildren(...(timer ? both("Pause", "暂停") : both("Walk the gradient back", "逐步反传"))); }
  function go_to(k) {
    const edge = Math.min(edges.length - 1, Math.max(0, k));
    if (edges.length) choose({ step: edges[edge].to, edge }, false);
  }
  $("previous").addEventListener("click", () => { stop(); go_to(current.edge - 1); });
  $("next").addEventListener("click", () => { stop(); go_to(current.edge + 1); });
  $("play").addEventListener("click", () => {
    if (timer) return stop();
    go_to(current.edge + 1 >= edges.length ? 0 : current.edge + 1);
    timer = setInterval(() => (current.edge + 1 >= edges.length ? stop() : go_to(current.edge + 1)), 1600);
    label();
  });

  // -- Zoom and pan --------------------------------------------------------------------------------------------------

  const canvas = $("graph"), drawing = canvas.querySelector("svg");
  const natural = drawing.viewBox.baseVal.width;
  let scale = null; // null: as wide as its column, at most its natural size
  const shown = () => drawing.getBoundingClientRect().width / natural;

  /** Zoom by a factor and keep the point under the pointer (or the middle) where it is. */
  function zoom(factor, event) {
    const frame = canvas.getBoundingClientRect();
    const x = event ? event.clientX - frame.left : frame.width / 2, y = event ? event.clientY - frame.top : Math.min(frame.height, innerHeight) / 2;
    const before = drawing.getBoundingClientRect();
    const [atX, atY] = [(frame.left + x - before.left) / before.width, (frame.top + y - before.top) / before.height];
    scale = factor === null ? null : Math.min(4, Math.max(0.25, shown() * factor));
    canvas.classList.toggle("zoomed", scale !== null);
    drawing.style.width = scale === null ? "" : `${natural * scale}px`;
    const after = drawing.getBoundingClientRect();
    canvas.scrollLeft = after.left + canvas.scrollLeft - frame.left + atX * after.width - x;
    canvas.scrollTop = after.top + canvas.scrollTop - canvas.getBoundingClientRect().top + atY * after.height - y;
    size_label();
  }
  function size_label() { $("zoom-fit").textContent = `${Math.round(100 * shown())} %`; }
  function reveal(part) {
    const box = part && part.getBoundingClientRect(), frame = canvas.getBoundingClientRect();
    if (!box || (box.top >= frame.top && box.bottom <= frame.bottom && box.left >= frame.left && box.right <= frame.right)) return;
    canvas.scrollBy({ left: (box.left + box.right - frame.left - frame.right) / 2, top: (box.top + box.bottom - frame.top - frame.bottom) / 2, behavior: "smooth" });
  }
  $("zoom-in").addEventListener("click", () => zoom(1.25));
  $("zoom-out").addEventListener("click", () => zoom(0.8));
  $("zoom-fit").addEventListener("click", () => zoom(null));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), event);
  }, { passive: false });
  let held = null, dragged = false;
  canvas.addEventListener("pointerdown", (event) => {
    dragged = false;
    if (scale !== null && event.button === 0 && event.pointerType === "mouse") held = { x: event.clientX, y: event.clientY, left: canvas.scrollLeft, top: canvas.scrollTop };
  });
  addEventListener("pointermove", (event) => {
    if (!held || (!dragged && Math.hypot(event.clientX - held.x, event.clientY - held.y) < 5)) return;
    dragged = true;
    canvas.classList.add("dragged");
    canvas.scrollTo(held.left + held.x - event.clientX, held.top + held.y - event.clientY);
  });
  addEventListener("pointerup", () => { held = null; canvas.classList.remove("dragged"); });
  addEventListener("resize", size_label);

  function pick(target) {
    const edge = target.closest("[data-edge]"), node = target.closest("[data-step]");
    stop();
    if (edge) choose({ step: edges[edge.dataset.edge].to, edge: Number(edge.dataset.edge) });
    else if (node) choose({ step: Number(node.dataset.step) });
  }
  $("graph").addEventListener("click", (event) => { if (!dragged && event.target.closest(".node, .back-edge")) pick(event.target); });
  $("graph").addEventListener("keydown", (event) => {
    if (["Enter", " "].includes(event.key) && event.target.closest(".node, .back-edge")) { event.preventDefault(); pick(event.target); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("canvas, summary, .numbers, pre, .scroll, .inspector")) return;
    const button = event.target.closest("button, a, [role=button]");
    const act = {
      ArrowRight: () => $("next").click(), ArrowLeft: () => $("previous").click(),
      "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => zoom(null),
      " ": button ? null : () => $("play").click(), Escape: stop,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // -- Table, derivation, code ---------------------------------------------------------------------------------------

  const heads = [["from y to x", "从 y 到 x"], ["value y", "值 y"], ["local ∂y/∂x", "局部导数 ∂y/∂x"], ["incoming g", "传入梯度 g"], ["contribution to x", "对 x 的贡献"], ["source", "源代码行"]];
  const text = (k) => (Array.isArray(k) ? k.map((one) => range(record.arrays[one])).join("; ") : range(record.arrays[k]));
  $("edges").append(
    h("thead", {}, h("tr", {}, heads.map(([en, zh]) => h("th", { scope: "col" }, both(en, zh))))),
    h("tbody", {}, edges.map((edge, k) => {
      const y = steps[edge.step], x = steps[edge.to];
      const open = () => { stop(); choose({ step: edge.to, edge: k }, false); document.querySelector(".stage").scrollIntoView({ block: "start", behavior: "smooth" }); };
      return h("tr", { "data-edge": k, tabindex: "0", onclick: open, onkeydown: (event) => { if (event.key === "Enter") open(); } },
        h("td", {}, h("b", {}, y.label), " → ", x.label), h("td", {}, text(y.value)), h("td", { class: "local" }, edge.local === null ? `g ↦ ${edge.rule}` : [edge.rule === text(edge.local) ? null : h("small", {}, edge.rule), text(edge.local)]),
        h("td", {}, text(edge.gradient)), h("td", { class: "back" }, text(edge.contribution)), h("td", {}, place(y.source)));
    })));

  function derivationLine({ role, en }) {
    if (role === "term") {
      const [equation, symbols] = en.split("   ⟵ ");
      return h("div", { class: role }, equation, "  ", h("span", {}, symbols || ""));
    }
    if (role === "numbers") {
      const cut = en.lastIndexOf(" = ");
      return h("div", { class: role }, en.slice(0, cut + 3), h("b", {}, en.slice(cut + 3)));
    }
    return h("div", { class: role }, en);
  }

  const d = record.derivation;
  if (d) {
    const name = `${d.label}[${d.index.join(", ")}]`;
    const groups = [];
    for (const line of d.lines) {
      if (line.role === "head") groups.push({ head: line.en, whys: [], lines: [] });
      else if (line.role === "why") groups.at(-1).whys.push(line);
      else groups.at(-1).lines.push(line);
    }
    $("derivation").append(
      h("p", { class: "note" }, both(`Of all entries of ${d.label}, ${name} has the largest gradient. Every line uses only numbers that stand above it, or that the forward pass left behind.`, `${d.label} 的所有元素中，${name} 的梯度最大。每一行只用到上方已得出的数，或前向计算留下的数。`)),
      ...groups.map(({ head, whys, lines }) => {
        const [label, source] = head.split("   ");
        return h("div", { class: "step-of" },
          h("div", {}, h("div", { class: "head" }, go(steps.findIndex((step) => step.label === label), label), h("small", { class: "mono" }, source || "")), whys.map((why) => h("p", { class: "why" }, said(why)))),
          h("div", { class: "lines" }, lines.map(derivationLine)));
      }),
      h("p", { class: "verdict" }, both("If ", "若 "), h("b", {}, name), both(" grew by a tiny ε, the loss would change by ", " 增大一个微小的 ε，损失将变化 "), h("b", {}, `${format(d.value, 6)} · ε`), both(".", "。")));
  } else $("derivation-panel").remove();

  $("code").append(...Object.entries(record.code).map(([file, lines]) =>
    h("div", { class: "file" }, h("p", { class: "where" }, file),
      h("pre", { tabindex: "0" }, lines.map(([k, line], i) => [
        i && lines[i - 1][0] !== k - 1 ? h("span", { class: "row" }, h("i", {}, "⋯")) : null,
        h("span", { class: "row", "data-place": `${file}:${k}` }, h("i", {}, String(k)), line || " ")])))));

  // -- Language and theme --------------------------------------------------------------------------------------------

  const themes = { "": ["◐ auto", "◐ 自动"], light: ["☀ light", "☀ 浅色"], dark: ["☾ dark", "☾ 深色"] };
  function theme(name) {
    if (name) root.dataset.theme = name; else delete root.dataset.theme;
    $("theme").replaceChildren(...both(...themes[name]));
    maps.forEach(paint);
  }
  $("theme").addEventListener("click", () => {
    const names = Object.keys(themes);
    theme(names[(names.indexOf(root.dataset.theme || "") + 1) % names.length]);
  });
  $("language").addEventListener("click", () => {
    root.lang = root.lang === "zh" ? "en" : "zh";
    choose(current, false);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => maps.forEach(paint));
  const wanted = new URLSearchParams(location.search);
  if (["en", "zh"].includes(wanted.get("lang"))) root.lang = wanted.get("lang");
  theme(["light", "dark"].includes(wanted.get("theme")) ? wanted.get("theme") : "");
  label();
  size_label();
  choose({ step: d ? steps.findIndex((step) => step.label === d.label) : record.loss }, false);
})();
