// The page at /app: signs in, and shows jobs as the server tells of them.

import { drawJobs, drawWaits } from "./chart.js";
import { live } from "./live.js";

const API = document.body.dataset.api;
const $ = (id) => document.getElementById(id);
const jobs = new Map();
// The access token lives in this tab's memory; the refresh token is all tabs' own, and goes when a person signs out.
const KEPT = "refresh_token";
let accessToken = null;
let user = null;
const stream = live({
  url: `${API}/jobs/events`,
  token: () => accessToken,
  person: () => user?.id,
  refresh,
  hear,
  leave,
});

async function ask(method, path, body, retry = true) {
  const headers = accessToken ? { Authorization: `Bearer ${accessToken}` } : {};
  if (body !== undefined && !(body instanceof URLSearchParams)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const reply = await fetch(API + path, { method, headers, body });
  if (reply.status === 401 && retry && accessToken && (await refresh())) return ask(method, path, body && JSON.parse(body), false);
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({ detail: "The service did not answer as expected." }));
    throw Object.assign(new Error(problem.detail), { status: reply.status });
  }
  return reply.status === 204 ? null : reply.json();
}

// One at a time, in all tabs together: a refresh token that comes twice would end the sign-in.
let refreshing = null;
function refresh() {
  // Browsers have locks where a page came by https, or from this machine.
  const renewed = () => (navigator.locks ? navigator.locks.request(KEPT, renew) : renew());
  refreshing ??= renewed().finally(() => (refreshing = null));
  return refreshing;
}

async function renew() {
  const refresh_token = localStorage.getItem(KEPT);
  try {
    if (refresh_token) keep(await ask("POST", "/auth/refresh", { refresh_token }, false));
    else accessToken = null;
  } catch (error) {
    // Where the service is away the tokens are as good as before.
    if (error.status !== 401) throw error;
    accessToken = null;
    localStorage.removeItem(KEPT);
  }
  return accessToken !== null;
}

function keep(tokens) {
  accessToken = tokens.access_token;
  localStorage.setItem(KEPT, tokens.refresh_token);
}

function say(words) {
  $("says").textContent = words;
  $("says").hidden = !words;
}

// What a person does, with its failure said in words.
function on(target, event, act) {
  target.addEventListener(event, async (what) => {
    what.preventDefault();
    say("");
    try {
      await act(what);
    } catch (error) {
      say(error.message || "The service does not answer.");
    }
  });
}

async function enter() {
  user = await ask("GET", "/users/me");
  $("email").textContent = user.email;
  $("door").hidden = true;
  $("desk").hidden = $("who").hidden = false;
  say("");
  stream.watch();
}

function leave() {
  stream.stop();
  accessToken = user = null;
  jobs.clear();
  $("jobs").replaceChildren();
  $("live").textContent = "";
  $("door").hidden = false;
  $("desk").hidden = $("who").hidden = true;
}

function hear(state, changed) {
  $("live").textContent = state;
  changed.forEach((job) => jobs.set(job.id, job));
  show();
}

function show() {
  const newest = [...jobs.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, 50);
  const items = newest.map((job) => {
    const item = document.getElementById(job.id) ?? make(job.id);
    fill(item, job);
    return item;
  });
  // Only where the order changed: moving an element would take the keyboard's focus away.
  items.forEach((item, place) => {
    if ($("jobs").children[place] !== item) $("jobs").insertBefore(item, $("jobs").children[place] ?? null);
  });
  $("none").hidden = items.length > 0;
  $("charts").hidden = items.length === 0;
  $("jobs-say").textContent = drawJobs($("jobs-chart"), newest);
  $("waits-say").textContent = drawWaits($("waits-chart"), newest);
}

function make(id) {
  const item = $("job").content.firstElementChild.cloneNode(true);
  item.id = id;
  on(item.querySelector(".cancel"), "click", () => ask("POST", `/jobs/${id}/cancel`));
  on(item.querySelector(".retry"), "click", () => ask("POST", `/jobs/${id}/retry`));
  on(item.querySelector(".show"), "click", async ({ target }) => {
    const result = item.querySelector(".result");
    if (result.hidden) {
      const report = await ask("GET", `/reports/${jobs.get(id).result.report_id}`);
      result.textContent = Object.entries(report.signups).map(([day, count]) => `${day}  ${count}`).join("\n");
    }
    result.hidden = !result.hidden;
    target.textContent = result.hidden ? "Show the report" : "Hide the report";
  });
  return item;
}

function fill(item, job) {
  const { progress } = job;
  const set = (name, words) => (item.querySelector(name).textContent = words ?? "");
  const words = job.cancel_requested_at && job.status === "running" ? "stopping" : job.status;
  item.dataset.status = job.status;
  set(".task", job.task.split(".").at(-1).replaceAll("_", " "));
  set(".status", words);
  set(".note", job.status === "running" ? progress?.note : "");
  set(".error", job.error);
  const begun = job.started_at && new Date(job.started_at);
  const seconds = begun && ((job.finished_at ? new Date(job.finished_at) : new Date()) - begun) / 1000;
  const asked = new Date(job.created_at);
  const today = asked.toDateString() === new Date().toDateString();
  const facts = [today ? asked.toLocaleTimeString() : asked.toLocaleString(), `attempt ${Math.max(1, job.attempts)}`];
  if (seconds !== null && job.finished_at) facts.push(`${seconds.toFixed(1)} s`);
  set(".facts", facts.join(" · "));
  const bar = item.querySelector("progress");
  bar.hidden = job.status !== "running";
  bar.setAttribute("aria-label", "Progress");
  if (progress?.total) bar.value = progress.done / progress.total;
  item.querySelector(".cancel").hidden = !["queued", "running"].includes(job.status);
  item.querySelector(".retry").hidden = !(user?.admin && ["failed", "cancelled"].includes(job.status));
  item.querySelector(".show").hidden = !job.result?.report_id;
}

on($("sign-in"), "submit", async ({ target, submitter }) => {
  const { email, password } = Object.fromEntries(new FormData(target));
  if (submitter?.value === "register") return say((await ask("POST", "/users", { email, password })).detail);
  keep(await ask("POST", "/auth/token", new URLSearchParams({ username: email, password })));
  target.reset();
  await enter();
});
on($("new-report"), "submit", ({ target }) => ask("POST", "/reports", { days: Number(new FormData(target).get("days")) }));
on($("sign-out"), "click", async () => {
  await ask("POST", "/auth/sign-out").catch(() => {});
  localStorage.removeItem(KEPT);
  leave();
});

// A person signs in and out in all tabs.
addEventListener("storage", ({ key, newValue }) => {
  if (key !== KEPT) return;
  if (!newValue) leave();
  // Not the tab where they do: another one has only taken its turn with the token.
  else if (!accessToken) begin();
});

// After a reload, and in a second tab, the person is still signed in.
async function begin() {
  try {
    if (await refresh()) return await enter();
  } catch (error) {
    say(error.message);
  }
  leave();
}

await begin();
