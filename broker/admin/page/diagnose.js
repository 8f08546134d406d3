// What is wrong, the worst first, and what to do about it.

import { ask, Refused } from "./api.js";
import { el, put, visible } from "./dom.js";
import { clock, number } from "./format.js";
import { every } from "./live.js";

const PAGES = new Set(["sessions", "queues", "topics", "connections", "audit"]);
const SECONDS = 10;

/** The page of the console for a path of the API; none where there is no such page. */
export function pageOf(href) {
  const path = (href ?? "").replace(/^\/api\/v1\//, "");
  return PAGES.has(path.split(/[/?]/)[0]) ? `#/${path}` : "";
}

/** The page. */
export function show() {
  const findings = el("div.findings");
  const checks = el("div.checks");
  const state = el("p.subtitle", { role: "status" }, "Looking …");

  async function look() {
    try {
      const told = await ask("diagnose", { automatic: true });
      put(state, told.findings.length ? `${told.findings.length} found, as of ${clock(told.asOf)}` : `as of ${clock(told.asOf)}`);
      put(findings, told.findings.length ? told.findings.map(finding) : el("p.calm", null, "Nothing is wrong that the broker can see."));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(state, visible(error.message));
    }
  }

  async function check() {
    const told = await ask("/health/checks", { automatic: true }).catch((error) => {
      if (error instanceof Refused && error.problem.checks) return error.problem;
      throw error;
    });
    put(checks, el("table", null, el("thead", null, el("tr", null, ["Check", "Outcome", "Detail"].map((title) => el("th", { scope: "col" }, title)))), el("tbody", null, told.checks.map(row))));
  }

  const ends = [every(SECONDS, look), every(SECONDS, check)];
  return {
    title: "Diagnose",
    node: el("div.diagnose", null, el("div.heading", null, el("div", null, el("h1", null, "Diagnose"), state)), findings, el("section.panel", null, el("h2", null, "Checks"), checks)),
    stop: () => ends.forEach((end) => end()),
  };
}

function finding(each) {
  const place = pageOf(each.href);
  const evidence = Object.entries(each.evidence ?? {});
  return el(
    `article.${each.severity}`,
    null,
    el("h2", null, visible(each.title)),
    el("p", null, visible(each.clients)),
    el("p.todo", null, el("span", null, "What to do "), visible(each.whatToDo), place ? [" ", el("a", { href: place }, "Show them")] : null),
    evidence.length ? el("p.evidence", null, evidence.map(([key, value]) => el("span", null, `${visible(key)} `, el("b", null, typeof value === "number" ? number(value) : visible(value))))) : null,
  );
}

function row(each) {
  const tone = { pass: "good", warn: "warn", fail: "bad" }[each.status] ?? "muted";
  return el("tr", null, el("td", null, each.name), el(`td.${tone}`, null, each.status), el("td", null, visible(each.detail ?? "")));
}
