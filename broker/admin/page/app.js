// The frame: what is around all pages, and which page an address leads to.

import * as account from "./account.js";
import * as accounts from "./accounts.js";
import { ask, logOut, loginNeeded, Refused, state, Unreachable, watch, whoAmI } from "./api.js";
import * as audit from "./audit.js";
import * as configuration from "./configuration.js";
import * as connection from "./connection.js";
import * as connections from "./connections.js";
import * as dead from "./dead.js";
import * as diagnose from "./diagnose.js";
import { el, name, put, say, visible } from "./dom.js";
import { clock } from "./format.js";
import { keys } from "./keys.js";
import * as letter from "./letter.js";
import * as listeners from "./listeners.js";
import { loginForm, noRole } from "./login.js";
import * as overview from "./overview.js";
import * as queue from "./queue.js";
import * as queues from "./queues.js";
import { searchBox } from "./search.js";
import * as session from "./session.js";
import * as sessions from "./sessions.js";
import { follow } from "./stream.js";
import * as subscriptions from "./subscriptions.js";
import { themeSwitch } from "./theme.js";
import * as topic from "./topic.js";
import * as topics from "./topics.js";

const SILENT = 10; // seconds without an answer after which the page says so
const PAGES = [
  { segments: ["overview"], page: overview, title: "Overview", key: "o" },
  { segments: ["sessions"], page: sessions, title: "Sessions", key: "s" },
  { segments: ["queues"], page: queues, title: "Queues", key: "q" },
  { segments: ["topics"], page: topics, title: "Topics", key: "t" },
  { segments: ["subscriptions"], page: subscriptions, title: "Subscriptions", key: "b" },
  { segments: ["connections"], page: connections, title: "Connections", key: "c" },
  { segments: ["dead"], page: dead, title: "Dead messages", key: "d" },
  { segments: ["accounts"], page: accounts, title: "Accounts", key: "u" },
  { segments: ["listeners"], page: listeners, title: "Listeners", key: "l" },
  { segments: ["configuration"], page: configuration, title: "Configuration", key: "p" },
  { segments: ["diagnose"], page: diagnose, title: "Diagnose", key: "i" },
  { segments: ["audit"], page: audit, title: "Audit", key: "a" },
  { segments: ["sessions", null, null], page: session },
  { segments: ["queues", null, null], page: queue },
  { segments: ["topics", null], page: topic },
  { segments: ["connections", null], page: connection },
  { segments: ["dead", null], page: letter },
  { segments: ["accounts", null], page: account },
];

let current = null;
let told = null;
const main = el("main", { id: "main", tabindex: "-1" });
const node = el("strong.node");
const level = el("span.level");
const user = el("span.user");
const leave = el("button.quiet", { type: "button", click: () => logOut() }, "Log out");
const silence = el("p.silence", { role: "status", hidden: true });
const links = PAGES.filter((each) => each.title).map((each) =>
  el("a", { href: `#/${each.segments[0]}`, "aria-keyshortcuts": `g ${each.key}` }, each.title),
);
const search = searchBox();
const login = loginForm();

/** The place that an address names: its segments and its parameters. */
function placeOf(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  try {
    const segments = path.split("/").filter(Boolean).map(decodeURIComponent);
    return { segments: segments.length ? segments : ["overview"], query: Object.fromEntries(new URLSearchParams(query)) };
  } catch {
    return { segments: ["overview"], query: {} };
  }
}

function pageOf({ segments }) {
  return PAGES.find(
    (each) => each.segments.length === segments.length && each.segments.every((own, index) => own === null || own === segments[index]),
  );
}

function go() {
  const place = placeOf(location.hash);
  const found = pageOf(place);
  current?.stop?.();
  current = null;
  for (const each of links) {
    const isHere = each.hash === `#/${place.segments[0]}`;
    if (isHere) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  if (state.user && !state.role) {
    put(main, noRole());
    return;
  }
  if (!found) {
    put(main, el("div.empty", null, el("h1", null, "There is no such page"), el("p", null, "The address is ", el("code", null, visible(location.hash)))));
    return;
  }
  current = found.page.show(place);
  put(main, current.node);
  document.title = `${visible(current.title)} – ${told ? told.node : "Broker"}`;
  if (told) current.overview?.(told);
}

/** Without a stream, ask. */
async function poll() {
  if (loginNeeded() || !state.role) return;
  try {
    take(await ask("overview", { automatic: true }));
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
  }
}

function take(row) {
  told = row;
  say(node, visible(told.node));
  const isReady = told.ready;
  level.className = `level ${isReady ? "good" : "warn"}`;
  say(level, `${isReady ? "ready" : "not ready"}, run level ${told.runLevel.level}`);
  current?.overview?.(told);
}

function hear() {
  const isSilent = state.heard > 0 && (Date.now() - state.heard) / 1000 > SILENT && !loginNeeded();
  document.documentElement.classList.toggle("silent", isSilent);
  silence.hidden = !isSilent;
  if (isSilent) say(silence, `No data since ${clock(state.heard)} – connection lost, trying again`);
}

watch(() => {
  put(user, state.user ? [name(state.user), el("small", null, state.role || "no role")] : null);
  leave.hidden = !state.user || state.user.startsWith("uid ");
  if (!loginNeeded()) go();
});

document.body.append(
  el("a.skip", { href: "#main", click: (event) => (event.preventDefault(), main.focus()) }, "To the content"),
  el("header.top", null, el("a.brand", { href: "#/overview", "aria-label": "Overview" }, el("img", { src: "./page/icon.svg", alt: "", width: 24, height: 24 })), node, level, search.node, user, themeSwitch(), leave),
  el("nav", { "aria-label": "Pages" }, links),
  silence,
  main,
  login.node,
);
keys(PAGES.filter((each) => each.title), () => search.focus());
addEventListener("hashchange", go);
setInterval(hear, 1000);

async function begin() {
  for (;;) {
    try {
      await whoAmI();
      break;
    } catch (error) {
      put(main, el("div.empty", null, el("p", null, "The broker does not answer yet: ", visible(error.message))));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  login.follow();
  follow("overview", (event, row) => event === "overview" && take(row), poll);
}

begin();
