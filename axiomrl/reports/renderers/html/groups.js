// The leaderboard of one environment: ranked groups with interval bars, what opens below a group
// (its settings against the others', its runs), and the groups that have no rank.

const SETTINGS_AT_ONCE = 12;

/** The bar of a group on the environment's scale: interval, score, and one dot per run. */
function barOf(each, scores, [low, high], ticks) {
  const at = (value) => `${((value - low) / (high - low)) * 100}%`;
  const bar = element("div", { class: "bar", "aria-hidden": "true" });
  const put = (style, left, right) => {
    const mark = element("span", { class: style });
    mark.style.setProperty("left", at(left));
    if (right !== undefined) {
      mark.style.setProperty("width", `${((right - left) / (high - low)) * 100}%`);
    }
    bar.append(mark);
  };
  ticks.forEach((tick) => put("rule", tick));
  if (each.ci_low !== null) put("whisker", each.ci_low, each.ci_high);
  scores.forEach((score) => put("run", score));
  put(each.ci_low === null ? "point hollow" : "point", each.estimate);
  return bar;
}

/** The scale below the bars. */
function scaleRow(columns, [low, high], ticks) {
  const scale = element("div", { class: "scale" });
  ticks.forEach((tick) => {
    const label = element("span", {}, short(tick));
    label.style.setProperty("left", `${((tick - low) / (high - low)) * 100}%`);
    scale.append(label);
  });
  const cells = columns.map((column) => element(
    "td", { class: column.kind, role: "cell" }, column.isBar ? scale : null,
  ));
  return element("tr", { class: "scale-row", "aria-hidden": "true", role: "row" }, cells);
}

function rankBadge(each) {
  return element("span", { class: each.rank === 1 ? "badge first" : "badge" }, String(each.rank));
}

/** The columns of a leaderboard; those that nobody asked for are left out. */
function boardColumns({ decimals, groups, scale, ticks, scoresOf, swatch, statistic }) {
  const number = (title, key, help, text = (value) => fixed(value, decimals)) => ({
    title, kind: "number", help,
    value: (each) => each[key] ?? null,
    cell: (each) => text(each[key] ?? null),
  });
  const columns = [
    { title: "Rank", kind: "rank", isPlace: true, help: "1 + how many are surely better", value: (each) => each.rank, cell: rankBadge },
    { title: "Places", kind: "places", isPlace: true, help: "Where it stands in 95 % of the resamples", value: (each) => each.rank_low + each.rank_high / 1e6, cell: placesText },
    { title: "Group", kind: "name", value: (each) => each.group, cell: (each) => [swatch(each), element("span", { class: "label" }, each.group)] },
    number("Seeds", "n_seeds", "Distinct seeds of the runs that count", integer),
    { ...number("Score", "estimate", `${statistic} over the runs`), style: "score" },
    { title: "95 % interval", kind: "interval", isBar: true, help: "Sorted by its lower end; dots are runs", value: (each) => each.ci_low, cell: (each) => [barOf(each, scoresOf(each), scale, ticks), element("span", { class: "range" }, intervalText(each, decimals))] },
    number("std", "std", "Sample standard deviation over the runs"),
  ];
  if (groups.some((each) => typeof each.normalized === "number")) {
    columns.push(number("Normalised", "normalized", "0: random, 1: human or reference", (value) => fixed(value, 2)));
  }
  if (groups.some((each) => each.baseline !== undefined)) {
    columns.push({
      title: "Difference", kind: "number", help: "Against the baseline", value: (each) => each.difference ?? null,
      cell: (each) => differenceText(each, decimals),
    });
    columns.push(number("P(better)", "probability_of_improvement", "Than a run of the baseline", (value) => fixed(value, 2)));
  }
  if (groups.some((each) => each.n_reached !== undefined)) {
    columns.push(number("Steps to it", "time_to_threshold", "Until half of the runs reached the threshold", integer));
    columns.push(number("Time to it", "time_to_threshold_s", "The same in training time", clock));
  }
  return columns;
}

function differenceText(each, decimals) {
  if (each.difference === undefined) return MISSING;
  const middle = signed(each.difference, decimals);
  return each.difference_low === null
    ? middle
    : `${middle} [${signed(each.difference_low, decimals)}, ${signed(each.difference_high, decimals)}]`;
}

/** The settings of a group that others of its environment do not share; many are folded away. */
function settingsPart(own, values) {
  const count = Object.keys(own).length;
  if (!count) {
    return element("p", { class: "quiet" }, "No setting tells this group from the others here.");
  }
  const title = `Settings in which the groups of this environment differ: ${count}`;
  return foldedAway(title, () => settingsTable(own, values), count <= SETTINGS_AT_ONCE);
}

function settingsTable(own, values) {
  const names = Object.keys(own);
  const others = (name) => {
    const rest = values[name].filter(([value]) => value !== own[name]);
    const texts = rest.slice(0, 5).map(([value, count]) => (
      `${settingText(value)}${count > 1 ? ` (${count} groups)` : ""}`
    ));
    if (rest.length > 5) texts.push(`${rest.length - 5} more`);
    return texts.join(", ");
  };
  return element(
    "table",
    { class: "settings" },
    element("caption", { class: "unseen" }, "Settings of this group, and of the others"),
    element("thead", {}, element("tr", {}, ["Setting", "This group", "Others"].map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, names.map((name) => element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      element("td", {}, settingText(own[name])),
      element("td", { class: "quiet" }, others(name)),
    ))),
  );
}

function settingText(value) {
  return value === null ? "not set" : value === "" ? "(empty)" : value;
}

function unlikeText(settings) {
  const parts = Object.entries(settings).map(([name, value]) => `${name} = ${settingText(value)}`);
  return parts.join(", ");
}

/** Columns of runs: {row, details} each, `row` of the leaderboard, `details` of the page. */
function runColumns(decimalsOf, isWhole) {
  const columns = [
    { title: "Run", kind: "name", value: ({ row }) => row.run, cell: ({ row }) => element("span", { class: "label mono" }, row.run) },
    { title: "Seed", kind: "number", isPlace: true, value: ({ row }) => row.seed, cell: ({ row }) => String(row.seed ?? MISSING) },
    { title: "Score", kind: "number", value: ({ row }) => row.score ?? null, cell: ({ row }) => fixed(row.score ?? null, decimalsOf(row)) },
    { title: "Best", kind: "number", help: "Best value of the metric that its checkpoints follow", value: ({ row }) => row.best_metric_value, cell: ({ row }) => fixed(row.best_metric_value, decimalsOf(row)) },
    { title: "Env steps", kind: "number", value: ({ row }) => row.env_steps, cell: ({ row }) => integer(row.env_steps) },
    { title: "Time", kind: "number", value: ({ row }) => row.duration_s, cell: ({ row }) => clock(row.duration_s) },
    { title: "Status", kind: "text", value: ({ row }) => row.status, cell: ({ row }) => row.status },
    { title: "Notes", kind: "text wide-text", value: runNote, cell: runNote },
  ];
  if (isWhole) {
    columns.splice(1, 0,
      { title: "Group", kind: "text", value: ({ row }) => row.group, cell: ({ row }) => row.group },
      { title: "Environment", kind: "text", value: ({ row }) => row.env_id, cell: ({ row }) => row.env_id ?? MISSING });
  }
  return columns;
}

function runNote({ row, details }) {
  const notes = [];
  if (row.superseded) notes.push(`superseded: ${row.superseded}`);
  if (row.reason) notes.push(row.reason);
  const unlike = unlikeText(details.settings);
  if (unlike) notes.push(`unlike its group: ${unlike}`);
  return notes.length ? notes.join("; ") : "settings as its group";
}

/** What opens below a run: where it is, and what its files held when this page was made. */
function runDetail({ row, details }) {
  const digests = Object.entries(details.sha256).map(([name, digest]) => (
    [`SHA-256 of ${name}`, element("span", { class: "mono" }, digest ?? "not there")]
  ));
  return termList([
    ["Directory", element("span", { class: "mono" }, row.directory)],
    ["Run id", element("span", { class: "mono" }, row.run_id ?? MISSING)],
    ["Made", row.created_at_utc ?? MISSING],
    ...digests,
  ]);
}
