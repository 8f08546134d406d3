// Follows what changes, by server-sent events, as long as the page is seen: a hidden one leaves its connection to others.

import { loginNeeded, needLogin, state } from "./api.js";

const AGAIN = 2000; // milliseconds until a stream that ended is asked for again
const SILENCE = 10_000; // without a byte after which it is taken for dead

/** Call `take(event, row)` for each event; `instead` is called from time to time where there is no stream to be had. */
export function follow(what, take, instead) {
  let aborter = null;

  async function read() {
    if (loginNeeded()) await needLogin();
    aborter = new AbortController();
    const answer = await fetch(`api/v1/stream?${new URLSearchParams({ what })}`, {
      headers: { Accept: "text/event-stream", "X-Broker-Automatic": "1" },
      credentials: "same-origin",
      cache: "no-store",
      signal: aborter.signal,
    });
    if (answer.status === 401) {
      await needLogin();
      return read();
    }
    if (!answer.ok) return false;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      state.heard = Date.now();
      const frames = (text + value).split("\n\n");
      text = frames.pop();
      for (const frame of frames) tell(frame);
    }
  }

  function tell(frame) {
    const fields = Object.fromEntries(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
    if (fields.event && fields.data) take(fields.event, JSON.parse(fields.data));
  }

  async function run() {
    for (;;) {
      if (document.hidden) await shown();
      try {
        if (!(await read())) await instead();
      } catch (error) {
        // The connection is lost, or the page was hidden; after some seconds without data the frame says so.
        if (!(error instanceof TypeError || error.name === "AbortError" || error.name === "NetworkError")) throw error;
      }
      if (!document.hidden) await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }

  document.addEventListener("visibilitychange", () => document.hidden && aborter?.abort());
  setInterval(() => Date.now() - state.heard > SILENCE && aborter?.abort(), 1000);
  run();
}

function shown() {
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}
