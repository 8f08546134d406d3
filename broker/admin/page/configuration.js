// Properties and log levels, as they are and where they come from.

import { ask, path, Refused } from "./api.js";
import { askForChange, changeButton } from "./dialog.js";
import { at, el, name, put, visible } from "./dom.js";
import { plural, until } from "./format.js";
import { after, every } from "./live.js";

const SECONDS = 10;
const EFFECTS = { now: "at once", newObjects: "for new sessions, topics and queues", listener: "when the listener opens anew", restart: "after a restart" };
const LEVELS = ["debug", "info", "warn", "error", "critical"].map((level) => [level, level]);
const TIMES = [["600", "for 10 minutes"], ["3600", "for an hour"], ["86400", "for a day"]];

/** The page. */
export function show(place) {
  const levels = el("tbody");
  const rows = el("tbody");
  const state = el("p.subtitle", { role: "status" });
  const typed = after(200, () => {
    history.replaceState(null, "", at(place.segments, { ...place.query, q: search.value }));
    draw();
  });
  const search = el("input", { type: "search", "aria-label": "Name", placeholder: "Part of a name", spellcheck: "false", autocomplete: "off", input: typed });
  search.value = place.query.q ?? "";
  const changed = el("input", { type: "checkbox", change: () => draw() });
  let properties = [];

  async function look() {
    const [found, told] = [await ask("log-levels", { automatic: true }), await ask("properties", { automatic: true })];
    put(levels, found.items.map(level));
    properties = told.items;
    draw();
  }

  function draw() {
    const part = search.value.trim().toLowerCase();
    const shown = properties.filter((each) => each.name.toLowerCase().includes(part) && (!changed.checked || each.source !== "default"));
    put(state, `${plural(shown.length, "property", "properties")} of ${properties.length}`);
    put(rows, shown.map((each) => property(each, look)));
  }

  const end = every(SECONDS, look);
  return {
    title: "Configuration",
    node: el(
      "div.diagnose",
      null,
      el("div.heading", null, el("h1", null, "Configuration")),
      el("section", null, el("div.heading", null, el("h2", null, "Logging"), changeButton("Change a level …", "operator", () => setLevel(look))), table(["Part", "Level", "Source", "Until"], levels)),
      el("section.panel", null, el("div.heading", null, el("div", null, el("h2", null, "Properties"), state), el("label.tick", null, changed, "Only those that are set"), search), table(["Name", "Value", "Source", "A change takes effect"], rows)),
    ),
    stop: end,
  };
}

function table(titles, body) {
  return el("div.checks", { tabindex: "0", role: "region", "aria-label": titles[0] }, el("table", null, el("thead", null, el("tr", null, titles.map((title) => el("th", { scope: "col" }, title)))), body));
}

function level(row) {
  return el("tr", null, el("td", null, row.namespace || "everything else"), el("td", null, row.level), el("td", null, visible(row.source)), el("td", null, row.until ? `in ${until(row.until)}` : "–"));
}

function property(row, done) {
  const open = el("button.plain", { type: "button", title: visible(row.help), click: () => setProperty(row, done) }, name(row.name));
  return el(
    "tr",
    null,
    el("td", null, open),
    el("td", null, name(row.value), row.pending === undefined || row.pending === null ? null : el("small.warn", null, ` then ${visible(row.pending)}`)),
    el("td", null, visible(row.source)),
    el("td", null, EFFECTS[row.change] ?? row.change),
  );
}

function setLevel(done) {
  const fields = [
    { key: "namespace", label: "Part, e.g. broker.core" },
    { key: "level", label: "Level", choices: LEVELS },
    { key: "forSeconds", label: "How long", choices: TIMES },
  ];
  askForChange({
    title: "Change a level of the log",
    verb: "Change it",
    says: el("p", null, "The configured level returns by itself."),
    fields,
    method: "PUT",
    path: ({ namespace }) => path("log-levels", namespace),
    make: ({ level: wanted, forSeconds }) => ({ level: wanted, forSeconds: Number(forSeconds) }),
    outcome: (told) => `${told.namespace}: ${told.level}`,
    done,
  });
}

async function setProperty(row, done) {
  const shown = await ask(path("properties", row.name)).catch((error) => {
    if (error instanceof Refused) return row;
    throw error;
  });
  askForChange({
    title: row.name,
    verb: "Set it",
    says: [
      el("p", null, visible(row.help)),
      el("p", null, "It is ", el("code", null, visible(shown.value || "(empty)")), ", by ", visible(shown.source), "; the default is ", el("code", null, visible(shown.default || "(empty)")), ". A change takes effect ", EFFECTS[row.change] ?? row.change, "."),
    ],
    fields: [
      { key: "value", label: "New value", isOptional: true },
      { key: "keep", label: "After a restart", choices: [["false", "what the files say holds again"], ["true", "it holds, too"]] },
    ],
    method: "PUT",
    role: "administrator",
    path: path("properties", row.name),
    outcome: () => `${row.name} was set`,
    done,
  });
}
