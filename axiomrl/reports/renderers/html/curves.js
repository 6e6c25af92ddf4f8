// Learning curves of an environment: lines with bands, values where the pointer or the slider is,
// and all values as a table. Colours are those of the style sheet (`curve-0` to `curve-7`).

const COLOURS = 8;
const DRAWN_AT_FIRST = 5;
const MARGIN = { top: 28, right: 14, bottom: 40, left: 58 };

/** `groups` are those with a curve: {label, curve}. `onChange` is told when others are drawn. */
function curveFigure({ title, metric, groups, decimals, threshold, onChange }) {
  const slots = new Map(); // what is drawn -> number of its colour
  groups.slice(0, DRAWN_AT_FIRST).forEach((group, place) => slots.set(group, place));
  const id = freshId("curves");
  const picture = drawing("svg", { role: "img", "aria-labelledby": `${id}-text` });
  const description = element("p", { id: `${id}-text`, class: "quiet" });
  const tip = element("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const slider = element("input", {
    type: "range", min: 0, step: 1, id: `${id}-step`, "aria-describedby": `${id}-text`,
  });
  const where = element("output", { for: `${id}-step` });
  const readout = element("div", { class: "readout" });
  const values = foldedAway("All drawn values as a table", () => element("div", {}));
  let steps = [];
  let at = null; // the step that values are shown of; null: the last that most curves reach
  let frame = null; // how values become places, as last drawn

  function drawn() {
    return groups.filter((group) => slots.has(group));
  }

  function styleOf(group) {
    const slot = slots.get(group);
    return `curve-${slot % COLOURS}${slot >= COLOURS ? " dashed" : ""}`;
  }

  function toggle(group) {
    if (slots.has(group)) {
      slots.delete(group);
    } else {
      const taken = new Set(slots.values());
      let slot = 0;
      while (taken.has(slot)) slot += 1;
      slots.set(group, slot);
    }
    refresh();
  }

  function placeToShow() {
    const ends = drawn().map((group) => group.curve.steps.at(-1)).sort((a, b) => b - a);
    return steps.length ? nearest(steps, at ?? ends[Math.floor(ends.length / 2)]) : 0;
  }

  function refresh() {
    const all = new Set(drawn().flatMap((group) => group.curve.steps));
    steps = [...all].sort((a, b) => a - b);
    slider.max = Math.max(steps.length - 1, 0);
    slider.disabled = steps.length < 2;
    draw();
    moveTo(placeToShow(), at === null);
    description.replaceChildren(...describe());
    values.open = false;
    while (values.children.length > 1) values.lastChild.remove();
    onChange();
  }

  function describe() {
    const shown = drawn();
    const ends = shown.map((group) => {
      const last = valuesAt(group, group.curve.steps.at(-1));
      return `${group.label} ends at ${bandText(last)}`;
    });
    const points = new Set(shown.map(({ curve }) => (
      curve.steps.length < curve.points
        ? `${curve.steps.length} of ${integer(curve.points)}`
        : "all"
    )));
    const thinned = [...points].filter((text) => text !== "all");
    const visible = [
      `${shown.length} of ${counted(groups.length, "curve")} drawn`,
      thinned.length ? `${thinned.join(", ")} points of each shown` : null,
      "bands are pointwise 95 % intervals",
    ].filter((part) => part !== null).join(" · ");
    return [visible, element("span", { class: "unseen" }, ` · ${ends.join("; ")}`)];
  }

  function draw() {
    const width = widthOf(picture);
    const height = width < 520 ? 240 : 320;
    const curves = drawn().map((group) => group.curve);
    const [left, right] = rangeOf(curves.flatMap((curve) => curve.steps), 0);
    const heights = curves.flatMap((curve) => [...curve.value, ...curve.low, ...curve.high]);
    const [low, high] = rangeOf([...heights, threshold], 0.04);
    const inner = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    const x = (step) => MARGIN.left + ((step - left) / (right - left || 1)) * inner[0];
    const y = (value) => MARGIN.top + inner[1] - ((value - low) / (high - low)) * inner[1];
    frame = { x, y, width, height };
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    picture.replaceChildren(
      ...axes(frame, [left, right], [low, high], metric),
      ...(threshold === null ? [] : [line("threshold", MARGIN.left, y(threshold), width - MARGIN.right, y(threshold))]),
      ...drawn().flatMap((group) => [bandOf(group), lineOf(group)]),
      drawing("g", { class: "marks" }),
    );
  }

  function bandOf({ curve, ...group }) {
    const places = curve.steps.map((_, place) => place).filter((place) => curve.low[place] !== null);
    const upper = places.map((place) => `${frame.x(curve.steps[place])},${frame.y(curve.high[place])}`);
    const lower = places.map((place) => `${frame.x(curve.steps[place])},${frame.y(curve.low[place])}`);
    const original = groups.find((each) => each.curve === curve);
    return drawing("polygon", {
      class: `band ${styleOf(original)}`, points: [...upper, ...lower.reverse()].join(" "),
    });
  }

  function lineOf(group) {
    const { steps: places, value } = group.curve;
    const points = places
      .map((step, place) => [step, value[place]])
      .filter(([, height]) => height !== null)
      .map(([step, height]) => `${frame.x(step)},${frame.y(height)}`);
    if (points.length === 1) {
      const [cx, cy] = points[0].split(",");
      return drawing("circle", { class: `dot ${styleOf(group)}`, cx, cy, r: 3.5 });
    }
    return drawing("polyline", { class: `curve ${styleOf(group)}`, points: points.join(" ") });
  }

  /** The drawn point of a curve that is nearest to a step; null beyond the curve's ends. */
  function valuesAt(group, step) {
    const { curve } = group;
    const place = nearest(curve.steps, step);
    const isInside = step >= curve.steps[0] && step <= curve.steps.at(-1);
    if (!isInside) return null;
    const pick = (name) => curve[name][place];
    return { step: pick("steps"), value: pick("value"), low: pick("low"), high: pick("high"), n: pick("n") };
  }

  function bandText(found) {
    if (found === null) return "no run";
    const middle = fixed(found.value, decimals);
    return found.low === null
      ? middle
      : `${middle} [${fixed(found.low, decimals)}, ${fixed(found.high, decimals)}]`;
  }

  /** The value, and where it is from if that is another step. */
  function valueText(group, point, step) {
    if (point !== null) {
      return fixed(point.value, decimals) + (point.step === step ? "" : ` at ${integer(point.step)}`);
    }
    const [first, last] = [group.curve.steps[0], group.curve.steps.at(-1)];
    return step < first ? `begins at ${integer(first)}` : `ended at ${integer(last)}`;
  }

  function moveTo(place, isDefault) {
    if (!steps.length) {
      readout.replaceChildren(element("p", { class: "quiet" }, "No curve is drawn."));
      where.textContent = "";
      return;
    }
    const step = steps[place];
    at = isDefault ? null : step;
    slider.value = place;
    where.textContent = `step ${integer(step)}`;
    const found = drawn().map((group) => [group, valuesAt(group, step)]);
    slider.setAttribute("aria-valuetext", [
      `step ${integer(step)}`,
      ...found.map(([group, values_]) => `${group.label} ${bandText(values_)}`),
    ].join("; "));
    readout.replaceChildren(readoutTable(step, found));
    markAt(step, found);
  }

  function markAt(step, found) {
    const x = frame.x(step);
    picture.querySelector(".marks").replaceChildren(
      line("cursor", x, MARGIN.top, x, frame.height - MARGIN.bottom),
      ...found.filter(([, point]) => point !== null && point.value !== null).map(([group, point]) => (
        drawing("circle", {
          class: `dot ${styleOf(group)}`, cx: frame.x(point.step), cy: frame.y(point.value), r: 4,
        })
      )),
    );
  }

  function readoutTable(step, found) {
    const head = ["Curve", metric, "95 % interval", "runs", ""].map((text) => (
      element("th", { scope: "col" }, text || element("span", { class: "unseen" }, "Remove"))
    ));
    const rows = found.map(([group, point]) => element(
      "tr",
      {},
      element("th", { scope: "row" }, element("span", { class: `key ${styleOf(group)}` }), group.label),
      element("td", {}, valueText(group, point, step)),
      element("td", {}, point === null || point.low === null
        ? MISSING
        : `[${fixed(point.low, decimals)}, ${fixed(point.high, decimals)}]`),
      element("td", { "data-label": "runs" }, point === null ? "0" : String(point.n)),
      element("td", {}, button("×", {
        class: "remove", "aria-label": `Do not draw ${group.label}`,
      }, () => toggle(group))),
    ));
    return element(
      "table",
      {},
      element("caption", { class: "unseen" }, `Values at step ${integer(step)}`),
      element("thead", {}, element("tr", {}, head)),
      element("tbody", {}, rows),
    );
  }

  function allValues() {
    const shown = drawn();
    const head = ["step", ...shown.map((group) => group.label)];
    return element(
      "table",
      {},
      element("caption", {}, `${title}: ${metric} with 95 % intervals at every drawn step`),
      element("thead", {}, element("tr", {}, head.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, steps.map((step) => element(
        "tr",
        {},
        element("th", { scope: "row" }, integer(step)),
        shown.map((group) => {
          const place = group.curve.steps.indexOf(step);
          return element("td", {}, place < 0 ? MISSING : bandText(valuesAt(group, step)));
        }),
      ))),
    );
  }

  function follow(event) {
    if (!steps.length || frame === null) return;
    const box = picture.getBoundingClientRect();
    const scaled = ((event.clientX - box.left) / box.width) * frame.width;
    const places = steps.map((step) => frame.x(step));
    const place = nearest(places, scaled);
    moveTo(place, false);
    showTip(places[place] * (box.width / frame.width), steps[place]);
  }

  function showTip(x, step) {
    const lines = drawn().map((group) => element(
      "div",
      {},
      element("span", { class: `key ${styleOf(group)}` }),
      `${group.label} `,
      element("b", {}, bandText(valuesAt(group, step))),
    ));
    tip.replaceChildren(element("div", { class: "quiet" }, `step ${integer(step)}`), ...lines);
    tip.hidden = false;
    const room = picture.parentElement.clientWidth;
    const left = x > room / 2 ? Math.max(x - tip.offsetWidth - 12, 0) : x + 12;
    tip.style.setProperty("left", `${Math.min(left, Math.max(room - tip.offsetWidth, 0))}px`);
  }

  picture.addEventListener("pointermove", follow);
  picture.addEventListener("pointerdown", follow);
  picture.addEventListener("pointerleave", () => { tip.hidden = true; });
  slider.addEventListener("input", () => moveTo(Number(slider.value), false));
  values.addEventListener("toggle", () => {
    if (values.open) values.lastChild.replaceChildren(allValues());
  });
  const node = element(
    "figure",
    { class: "curves" },
    element("figcaption", {}, element("h3", {}, "Learning curves"), description),
    element("div", { class: "canvas" }, picture, tip),
    element(
      "div", { class: "steps" },
      element("label", { for: `${id}-step` }, "Values at"), slider, where,
    ),
    readout,
    values,
  );
  const watcher = new ResizeObserver(() => {
    if (frame.width === widthOf(picture)) return; // as when the watching begins
    draw();
    moveTo(placeToShow(), at === null);
  });
  return {
    node,
    toggle,
    isDrawn: (group) => slots.has(group),
    styleOf: (group) => (slots.has(group) ? styleOf(group) : "off"),
    /** Draw for the first time, once the node stands in the page. */
    start() {
      refresh();
      watcher.observe(picture.parentElement);
    },
  };
}

function widthOf(picture) {
  return Math.max(picture.parentElement.clientWidth, 240);
}

function line(style, x1, y1, x2, y2) {
  return drawing("line", { class: style, x1, y1, x2, y2 });
}

function axes({ x, y, width, height }, [left, right], [low, high], metric) {
  const bottom = height - MARGIN.bottom;
  const rows = ticksBetween(low, high, 5).flatMap((value) => [
    line("grid", MARGIN.left, y(value), width - MARGIN.right, y(value)),
    drawing("text", { class: "tick", x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, short(value)),
  ]);
  const wanted = Math.max(2, Math.round((width - MARGIN.left) / 110));
  const columns = (right > left ? ticksBetween(left, right, wanted) : [left]).map((step) => (
    drawing("text", { class: "tick", x: x(step), y: bottom + 18, "text-anchor": "middle" }, short(step))
  ));
  return [
    ...rows,
    ...columns,
    drawing("text", { class: "tick", x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "env steps"),
    drawing("text", { class: "tick", x: 2, y: 14 }, metric),
  ];
}

/** The place of the number that is nearest, in ascending numbers. */
function nearest(numbers, wanted) {
  let [low, high] = [0, numbers.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= wanted) low = middle;
    else high = middle;
  }
  return Math.abs(numbers[low] - wanted) <= Math.abs(numbers[high] - wanted) ? low : high;
}
