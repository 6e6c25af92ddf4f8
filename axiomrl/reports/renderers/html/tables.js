// Tables that can be sorted by every column, with rows that open. All roles are spelled out,
// because on a phone rows are laid out as cards, and some browsers then forget what a table is.

const ROWS_AT_FIRST = { board: 25, runs: 100, unranked: 25 }; // the rest is a button away

function headerCell(column, sort) {
  const cell = element("th", {
    scope: "col", role: "columnheader", class: column.kind, title: column.help,
  });
  if (!column.value) {
    cell.append(element("span", {}, column.title));
    return cell;
  }
  const arrow = element("span", { class: "arrow", "aria-hidden": "true" });
  cell.append(button([column.title, arrow], { class: "sort" }, () => sort(column)));
  return cell;
}

function compared(first, second, sign) {
  if (first === second) return 0;
  if (first === null || first === undefined) return 1; // what is missing comes last, either way
  if (second === null || second === undefined) return -1;
  if (typeof first === "number" && typeof second === "number") return sign * (first - second);
  return sign * (String(first) < String(second) ? -1 : 1);
}

/**
 * A table of rows. Columns are {title, kind, cell(row), value(row), help, label}: `cell` gives the
 * content, `value` what it is sorted by (no value: not sortable). `detail(row)` gives what opens
 * below a row; the column of kind "name" then holds the button that opens it. `hasTitle`: a
 * heading above says what the caption does.
 */
function sortableTable({ caption, columns, rows, detail, name, sortedBy, foot, style, hasTitle }) {
  const entries = rows.map((row) => ({ row, nodes: null }));
  const head = element("tr", { role: "row" });
  const body = element("tbody", { role: "rowgroup" });
  const more = element("p", { class: "more" });
  let limit = ROWS_AT_FIRST[style];
  let isShown = () => true;
  const cells = columns.map((column) => headerCell(column, sortBy));
  head.append(...cells);
  mark(sortedBy, "ascending");

  function mark(title, direction) {
    columns.forEach((column, place) => {
      if (!column.value) return;
      cells[place].setAttribute("aria-sort", column.title === title ? direction : "none");
    });
  }

  function sortBy(column) {
    const before = cells[columns.indexOf(column)].getAttribute("aria-sort");
    const first = column.kind === "name" || column.isPlace ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = before === first ? other : first;
    const sign = direction === "ascending" ? 1 : -1;
    entries.sort((a, b) => compared(column.value(a.row), column.value(b.row), sign));
    mark(column.title, direction);
    say(`Sorted by ${column.title}, ${direction}`);
    fill();
  }

  function fill() {
    const wanted = entries.filter((entry) => isShown(entry.row));
    body.replaceChildren(...wanted.slice(0, limit).flatMap((entry) => nodesOf(entry)));
    more.replaceChildren();
    if (wanted.length > limit) {
      more.append(`${integer(limit)} of ${integer(wanted.length)} rows shown. `);
      more.append(button("Show all", { class: "plain" }, () => {
        limit = Infinity;
        fill();
      }));
    }
    return wanted.length;
  }

  function nodesOf(entry) {
    if (entry.nodes === null) {
      const line = element("tr", { role: "row", class: "line" });
      entry.nodes = [line];
      const opener = detail ? openerOf(entry) : null;
      for (const column of columns) line.append(bodyCell(column, entry.row, opener));
    }
    return entry.nodes;
  }

  function bodyCell(column, row, opener) {
    const isName = column.kind === "name";
    return element(
      isName ? "th" : "td",
      {
        scope: isName ? "row" : null,
        role: isName ? "rowheader" : "cell",
        class: `${column.kind || ""} ${column.style || ""}`,
        "data-label": column.label === undefined ? column.title : column.label,
      },
      isName ? opener : null,
      column.cell(row),
    );
  }

  function openerOf(entry) {
    const id = freshId("detail");
    const opener = button("", {
      class: "opener", "aria-expanded": "false", "aria-label": `Details of ${name(entry.row)}`,
    }, () => {
      if (entry.nodes.length === 1) {
        const cell = element("td", { colspan: columns.length, role: "cell" }, detail(entry.row));
        const opened = element("tr", { id, role: "row", class: "detail", hidden: true }, cell);
        opener.setAttribute("aria-controls", id);
        entry.nodes[0].after(opened);
        entry.nodes.push(opened);
      }
      const isOpen = opener.getAttribute("aria-expanded") === "true";
      opener.setAttribute("aria-expanded", String(!isOpen));
      entry.nodes[1].hidden = isOpen;
    });
    return opener;
  }

  fill();
  const table = element(
    "table",
    { role: "table", class: style },
    element("caption", { class: hasTitle ? "unseen" : null }, caption),
    element("thead", { role: "rowgroup" }, head),
    body,
    foot ? element("tfoot", { role: "rowgroup" }, foot) : null,
  );
  return {
    node: element("div", { class: "table" }, table, more),
    /** Show the rows for which this holds; returns how many they are. */
    show(predicate) {
      isShown = predicate;
      return fill();
    },
  };
}

/** A list of what things are: [term, content] each. */
function termList(pairs) {
  return element(
    "dl",
    {},
    pairs.map(([term, content]) => [element("dt", {}, term), element("dd", {}, content)]),
  );
}

/** Something that is built when it is first opened, or at once if it is to be open. */
function foldedAway(title, build, isOpen = false) {
  const made = element("details", { open: isOpen }, element("summary", {}, title));
  if (isOpen) made.append(build());
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) made.append(build());
  });
  return made;
}
