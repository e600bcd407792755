"use strict";
(() => {
  const read = (id, or) => {
    const found = document.getElementById(id);
    return found ? JSON.parse(found.textContent) : or;
  };
  const names = read("variables", []);
  const themes = read("themes", null);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const figures = [...document.querySelectorAll("figure.plot")];
  const states = new Map();
  const live = document.getElementById("live");
  let lit = "";
  let printing = false;

  // figures

  function state(figure) {
    if (!states.has(figure)) {
      const specs = new Map();
      for (const script of figure.querySelectorAll("script.spec")) specs.set(script.dataset.key, script);
      states.set(figure, { specs, parsed: new Map(), key: specs.keys().next().value, order: "", last: Promise.resolve() });
    }
    return states.get(figure);
  }

  function chosen(figure) {
    const s = state(figure);
    if (!s.parsed.has(s.key)) s.parsed.set(s.key, JSON.parse(s.specs.get(s.key).textContent));
    return s.parsed.get(s.key);
  }

  function hasLit(spec) {
    return (spec.params || []).some((p) => p.name === "lit");
  }

  function views(spec) {
    return spec.concat || spec.hconcat || spec.vconcat || spec.layer || (spec.spec ? [spec.spec] : []);
  }

  function sortRows(spec, order) {
    for (const child of views(spec)) sortRows(child, order);
    const y = (spec.encoding || {}).y;
    if (y && y.field === "row") y.sort = order;
  }

  function span(spec) {
    if (spec.hconcat) return spec.hconcat.reduce((sum, child) => sum + span(child), 0);
    if (spec.vconcat || spec.concat) return Math.max(...(spec.vconcat || spec.concat).map(span));
    return (typeof spec.width === "number" ? spec.width : 220) + 50;
  }

  function heads(spec) {
    const own = spec.encoding && spec.encoding.y ? [spec.encoding.y] : [];
    return own.concat(...views(spec).map(heads));
  }

  function narrow(spec, less) {
    if (typeof spec.width === "number") {
      const [old, width] = [spec.width, Math.max(140, spec.width - less)];
      spec.width = width;
      const shift = (view) => {
        for (const channel of ["x", "x2"]) {
          const at = (view.encoding || {})[channel];
          if (at && typeof at.value === "number" && at.value >= old) at.value -= old - width;
        }
        (view.layer || []).forEach(shift);
      };
      shift(spec);
    }
    for (const child of spec.concat || spec.vconcat || spec.hconcat || []) narrow(child, less);
  }

  function fold(spec, room) {
    for (const child of spec.vconcat || []) fold(child, room);
    if (!spec.concat) return;
    const columns = Math.max(1, Math.min(spec.columns || spec.concat.length, Math.floor(room / span(spec))));
    const first = heads(spec.concat[0]);
    spec.concat.forEach((child, i) => {
      const own = heads(child);
      if (columns < spec.columns && i % columns === 0 && own.length === first.length) {
        own.forEach((y, j) => { if ("axis" in first[j]) y.axis = first[j].axis; else delete y.axis; });
      }
    });
    spec.columns = columns;
  }

  function shaped(figure, room, less) {
    const spec = structuredClone(chosen(figure).spec);
    if (figure.dataset.fit !== "none") fold(spec, room);
    if (less) narrow(spec, less);
    for (const param of spec.params || []) if (param.name === "lit") param.value = lit;
    const order = chosen(figure).orders[state(figure).order];
    if (order) sortRows(spec, order);
    return spec;
  }

  async function embed(figure, less) {
    const s = state(figure);
    const box = document.createElement("div");
    figure.querySelector(".drawing").replaceChildren(box);
    const mode = dark.matches && !printing ? "dark" : "light";
    const spec = shaped(figure, s.room, less);
    const drawn = await vegaEmbed(box, spec, {
      mode: "vega-lite", ast: true, actions: false, defaultStyle: false, logLevel: 1,
      renderer: figure.dataset.renderer, config: themes[mode], tooltip: { theme: mode },
    });
    if (s.view) s.view.finalize();
    s.view = figure.riataView = drawn.view;
    figure.dataset.drawn = mode;
    drawn.view.addEventListener("click", (event, item) => clicked(item && item.datum));
    if (hasLit(spec) && drawn.view.signal("lit") !== lit) drawn.view.signal("lit", lit).run();
    const over = box.querySelector("svg, canvas").getBoundingClientRect().width - s.room;
    return over > 2 && figure.dataset.fit === "all" ? over / (spec.columns || 1) : 0;
  }

  async function drawNow(figure) {
    const box = figure.querySelector(".drawing");
    state(figure).room = figure.clientWidth;
    try {
      const over = await embed(figure, 0);
      if (over) await embed(figure, over);
      box.classList.remove("empty");
    } catch (error) {
      box.classList.add("failed");
      box.textContent = `This figure could not be drawn: ${error.message}`;
    }
  }

  function draw(figure) {
    const s = state(figure);
    s.wanted = true;
    s.last = s.last.then(() => drawNow(figure));
    return s.last;
  }

  function redraw() {
    for (const figure of figures) if (state(figure).wanted) draw(figure);
  }

  // what is lit

  function light(name) {
    lit = lit === name ? "" : name;
    for (const chip of document.querySelectorAll("button.variable")) {
      chip.setAttribute("aria-pressed", String(lit !== "" && names[chip.dataset.index] === lit));
    }
    for (const figure of figures) {
      const view = figure.riataView;
      if (view && hasLit(chosen(figure).spec)) view.signal("lit", lit).runAsync();
    }
    live.textContent = lit ? `${lit} is lit` : "";
  }

  function clicked(datum) {
    if (!datum) return;
    const details = typeof datum.key === "string" && document.getElementById(`q-${datum.key}`);
    if (details) {
      details.open = true;
      details.scrollIntoView({ block: "center" });
      details.querySelector("summary").focus({ preventScroll: true });
    } else if (typeof datum.variable === "string" && datum.variable) light(datum.variable);
  }

  // tables

  function sortBy(button) {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const th of head.parentElement.cells) th.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[head.cellIndex].dataset.by;
    const rows = [...body.rows];
    const numeric = rows.every((row) => value(row) === "" || !Number.isNaN(Number(value(row))));
    const compare = (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return down ? compare(y, x) : compare(x, y);
    });
    body.append(...rows);
  }

  function download(name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", read(`csv-${name}`, "")], { type: "text/csv;charset=utf-8" }));
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // paper

  function print(on) {
    if (on === printing) return;
    printing = on;
    for (const details of document.querySelectorAll("details")) {
      if (on) details.dataset.was = details.open ? "open" : "";
      details.open = on || details.dataset.was === "open";
    }
    if (!themes) return;
    if (on) figures.forEach(draw);
    else if (dark.matches) redraw();
  }

  // what is listened to

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches(".variable")) light(names[button.dataset.index]);
    else if (button.matches(".sort")) sortBy(button);
    else if (button.matches(".csv")) download(button.dataset.csv);
    else if (button.matches(".order")) {
      const figure = button.closest("figure");
      for (const other of figure.querySelectorAll(".order")) other.setAttribute("aria-pressed", String(other === button));
      state(figure).order = button.dataset.order;
      draw(figure);
    }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("select.variant")) return;
    const figure = event.target.closest("figure");
    state(figure).key = event.target.value;
    const message = chosen(figure).message;
    figure.querySelector(".message").textContent = message;
    figure.querySelector(".drawing").setAttribute("aria-label", message);
    draw(figure);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && lit) light(lit);
  });
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  paper.addEventListener("change", () => print(paper.matches));
  if (!themes) return;

  dark.addEventListener("change", redraw);
  let timer = 0;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const figure of figures) {
        const s = state(figure);
        if (s.view && !printing && Math.abs(figure.clientWidth - s.room) > 30) draw(figure);
      }
    }, 200);
  });
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      if (!state(entry.target).wanted) draw(entry.target);
    }
  }, { rootMargin: "600px" });
  for (const figure of figures) {
    figure.querySelector(".drawing").classList.add("empty");
    watch.observe(figure);
  }
})();
