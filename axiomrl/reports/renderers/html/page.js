// Puts the page together from the data.

const DATA = JSON.parse(document.getElementById("axiomrl-data").textContent);
const BOARD = DATA.leaderboard;
const byId = (id) => document.getElementById(id);
const keyOf = (each) => JSON.stringify([each.env_id, each.group]);
const DETAILS = new Map(DATA.groups.map((each) => [keyOf(each), each]));
const ROWS = new Map(BOARD.runs.map((row) => [row.directory, row]));
const nameOf = (envId) => envId ?? "no environment";

/** The runs of a group, those that count first. */
function runsOf(each) {
  return DETAILS.get(keyOf(each)).runs.map((details) => ({ row: ROWS.get(details.directory), details }));
}

function environmentCard(environment) {
  const envId = environment.env_id;
  const isHere = (each) => each.env_id === envId;
  const groups = BOARD.groups.filter(isHere);
  const unranked = BOARD.unranked.filter(isHere);
  const { decimals } = environment;
  const scoresOf = (each) => runsOf(each).map(({ row }) => row.score ?? null).filter((score) => score !== null);
  const scale = rangeOf(groups.flatMap((each) => [each.ci_low, each.ci_high, each.estimate, ...scoresOf(each)]), 0.03);
  const ticks = ticksBetween(...scale, 4);
  const swatches = new Map();
  const withCurve = groups
    .map((each) => ({ key: keyOf(each), label: each.group, curve: DETAILS.get(keyOf(each)).curve }))
    .filter((each) => each.curve !== null);
  const curveOf = new Map(withCurve.map((each) => [each.key, each]));
  const figure = withCurve.length ? curveFigure({
    title: nameOf(envId), metric: BOARD.metric, groups: withCurve, decimals,
    threshold: BOARD.threshold, onChange: paintSwatches,
  }) : null;

  function paint(swatch, curve) {
    swatch.className = `swatch ${figure.styleOf(curve)}`;
    swatch.setAttribute("aria-pressed", String(figure.isDrawn(curve)));
  }

  function paintSwatches() {
    for (const [key, swatch] of swatches) paint(swatch, curveOf.get(key));
  }

  function swatch(each) {
    const curve = curveOf.get(keyOf(each));
    if (curve === undefined) return null;
    const made = button("", {
      "aria-label": `Draw the curve of ${each.group}`, title: "Draw its curve",
    }, () => figure.toggle(curve));
    swatches.set(keyOf(each), made);
    paint(made, curve);
    return made;
  }

  function detail(each) {
    const { settings } = DETAILS.get(keyOf(each));
    const runs = sortableTable({
      caption: `Runs of ${each.group}`, columns: runColumns(() => decimals, false),
      rows: runsOf(each), sortedBy: "Seed", style: "runs", detail: runDetail, name: ({ row }) => row.run,
    });
    return element("div", {},
      element("p", { class: "quiet" }, identity(each)),
      runs.node,
      settingsPart(settings, environment.settings));
  }

  const columns = boardColumns({ decimals, groups, scale, ticks, scoresOf, swatch, statistic: BOARD.statistic });
  const sortedBy = DATA.recipe.question.sort_by === "rank" && !DATA.recipe.question.descending ? "Rank" : null;
  const ranked = groups.length ? sortableTable({
    caption: `Ranked groups of ${nameOf(envId)}`, columns, rows: groups, detail,
    name: (each) => each.group, sortedBy, foot: scaleRow(columns, scale, ticks), style: "board", hasTitle: true,
  }) : null;
  const others = unranked.length ? sortableTable({
    caption: `Not ranked in ${nameOf(envId)}`, rows: unranked, detail, name: (each) => each.group,
    columns: [
      { title: "Group", kind: "name", value: (each) => each.group, cell: (each) => element("span", { class: "label" }, each.group) },
      { title: "Runs", kind: "number", value: (each) => each.n_runs, cell: (each) => integer(each.n_runs) },
      { title: "Why it is not ranked", kind: "text wide-text", value: (each) => each.reason, cell: (each) => each.reason },
    ], style: "unranked",
  }) : null;
  const id = freshId("environment");
  const section = element("section", { class: "card", "aria-labelledby": id },
    element("div", { class: "heading" },
      element("h2", { id }, nameOf(envId)),
      element("p", { class: "quiet" }, `${counted(groups.length + environment.hidden, "group")} ranked`)),
    ranked ? ranked.node : element("p", { class: "quiet" }, "No group is ranked here."),
    environment.notes.length ? element("ul", { class: "notes" }, environment.notes.map((text) => element("li", {}, text))) : null,
    others ? others.node : null,
    figure ? figure.node : null);
  return {
    section,
    start: () => figure && figure.start(),
    total: groups.length + unranked.length,
    show(predicate) {
      const shown = (ranked ? ranked.show(predicate) : 0) + (others ? others.show(predicate) : 0);
      section.hidden = shown === 0 && groups.length + unranked.length > 0;
      return shown;
    },
  };
}

function identity(each) {
  const parts = [
    each.algo, each.env_id, each.config_hash && `configuration ${each.config_hash}`,
    `seeds ${each.seeds.length ? each.seeds.join(", ") : "not known"}`,
    each.n_superseded ? counted(each.n_superseded, "superseded run") : null,
  ];
  return parts.filter(Boolean).join(" · ");
}

function suiteCard(suite) {
  const scale = rangeOf(suite.entrants.flatMap((each) => [each.ci_low, each.ci_high, each.estimate]), 0.03);
  const ticks = suite.entrants.length ? ticksBetween(...scale, 4) : [];
  const columns = boardColumns({
    decimals: 3, groups: [], scale, ticks, scoresOf: () => [], swatch: () => null, statistic: BOARD.statistic,
  }).filter((column) => column.title !== "std");
  const rows = suite.entrants.map((each) => ({ ...each, group: each.entrant }));
  const id = freshId("suite");
  return element("section", { class: "card", "aria-labelledby": id },
    element("div", { class: "heading" },
      element("h2", { id }, `Suite ${suite.suite}`),
      element("p", { class: "quiet" }, `${BOARD.statistic} of normalised scores over ${counted(suite.env_ids.length, "environment")}`)),
    element("p", { class: "quiet" }, suite.env_ids.join(", ")),
    rows.length ? sortableTable({
      caption: `Entrants of suite ${suite.suite}`, columns, rows, sortedBy: "Rank",
      foot: scaleRow(columns, scale, ticks), style: "board", hasTitle: true,
    }).node : element("p", { class: "quiet" }, "No entrant is ranked."),
    suite.unranked.length ? element("ul", { class: "notes" }, suite.unranked.map((each) => (
      element("li", {}, `not ranked: ${each.entrant} (${each.reason})`)))) : null);
}

function runsPart() {
  const runs = DATA.groups.flatMap((each) => runsOf(each));
  const decimals = new Map(DATA.environments.map((each) => [each.env_id, each.decimals]));
  const superseded = runs.filter(({ row }) => row.superseded);
  const count = counted(runs.length - superseded.length, "run");
  const title = superseded.length ? `${count} and ${integer(superseded.length)} superseded` : count;
  return foldedAway(`All runs: ${title}`, () => sortableTable({
    caption: "All runs, those of a group together", columns: runColumns((row) => decimals.get(row.env_id) ?? 2, true),
    rows: runs, sortedBy: null, style: "runs", hasTitle: true, detail: runDetail, name: ({ row }) => row.run,
  }).node);
}

function problemsPart() {
  const problems = [...BOARD.problems, ...DATA.problems];
  if (!problems.length) return element("p", { class: "quiet" }, "None: every run was read in full.");
  return element("ul", { class: "notes" }, problems.map((each) => (
    element("li", {}, element("span", { class: "mono" }, each.path), `: ${each.reason}`))));
}

function methodPart() {
  const { made } = DATA;
  const listed = (versions) => Object.entries(versions)
    .filter(([, found]) => found.length).map(([name, found]) => `${name} ${[found].flat().join(", ")}`).join(" · ");
  return termList([
    ...DATA.explanations,
    ["Made", `${made.at_utc}, with ${listed(made.versions)}`],
    ["Versions of the runs", listed(made.versions_of_runs) || "not known"],
    ["Command", element("code", {}, made.command.join(" "))],
    ["Check it", element("span", {}, "This file names every run and the SHA-256 of what it was made from. ",
      element("code", {}, "axiomrl report verify FILE"), " computes every number again and says which still hold.")],
  ]);
}

function fillHead() {
  const runs = BOARD.runs.length;
  byId("asked").textContent = `${BOARD.metric} · ${BOARD.reduce} of each run · ${BOARD.statistic} over runs`;
  byId("made").textContent = [
    counted(DATA.environments.length, "environment"), counted(BOARD.groups.length, "ranked group"), counted(runs, "run"),
    `made ${DATA.made.at_utc.replace("T", " ").replace("+00:00", " UTC")} by axiomrl ${DATA.made.versions.axiomrl}`,
  ].join(" · ");
}

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { byId("theme").textContent = isDark() ? "Light theme" : "Dark theme"; };
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  name();
}

function startFilters(cards) {
  const all = [...BOARD.groups, ...BOARD.unranked];
  const texts = new Map(all.map((each) => [each, [
    each.group, each.algo, each.env_id, each.config_hash,
    ...Object.entries(DETAILS.get(keyOf(each)).settings).map(([name, value]) => `${name}=${value}`),
  ].join(" ").toLowerCase()]));
  const fill = (id, values) => {
    const options = [...new Set(values)].map((value, place) => element("option", { value: place }, nameOf(value)));
    byId(id).append(element("option", { value: "" }, "all"), ...options);
    return [...new Set(values)];
  };
  const environments = fill("environment", DATA.environments.map((each) => each.env_id));
  const algorithms = fill("algorithm", all.map((each) => each.algo ?? "several"));

  function apply() {
    const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [environment, algorithm] = [byId("environment").value, byId("algorithm").value];
    const matches = (each) => (
      (environment === "" || each.env_id === environments[environment])
      && (algorithm === "" || (each.algo ?? "several") === algorithms[algorithm])
      && words.every((word) => texts.get(each).includes(word)));
    const shown = cards.reduce((sum, card) => sum + card.show(matches), 0);
    byId("count").textContent = `${integer(shown)} of ${counted(all.length, "group")}`;
  }

  byId("words").addEventListener("input", apply);
  byId("environment").addEventListener("change", apply);
  byId("algorithm").addEventListener("change", apply);
  byId("clear").addEventListener("click", () => {
    for (const id of ["words", "environment", "algorithm"]) byId(id).value = "";
    apply();
    byId("words").focus();
  });
  apply();
}

function start() {
  fillHead();
  startTheme();
  const cards = DATA.environments.map(environmentCard);
  byId("boards").append(...cards.map((card) => card.section));
  if (!cards.length) byId("boards").append(element("p", { class: "card" }, "No run is left to compare."));
  byId("suites").append(...BOARD.suites.map(suiteCard));
  byId("runs").append(runsPart());
  byId("problems").append(problemsPart());
  byId("method").append(methodPart());
  startFilters(cards);
  byId("page").hidden = false;
  cards.forEach((card) => card.start()); // curves take their width from the page that is shown
}

start();
