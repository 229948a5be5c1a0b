// Two charts of the last half hour, a bar per minute: how many jobs there were, and how long they waited.

const MINUTES = 30;
const WIDTH = 600;
const HEIGHT = 120;

// Draws, and returns the same in words.
export function drawJobs(svg, jobs) {
  const counts = minutes(jobs).map((those) => those.length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  draw(svg, counts);
  return `${total} job${total === 1 ? "" : "s"} in ${MINUTES} minutes, at most ${Math.max(...counts)} in one.`;
}

// Of those that have begun, from when they were due.
export function drawWaits(svg, jobs) {
  const wait = (job) => Math.max(0, new Date(job.started_at) - new Date(job.run_at)) / 1000;
  const waits = minutes(jobs).map((those) => those.filter((job) => job.started_at).map(wait));
  const all = waits.flat().sort((a, b) => a - b);
  draw(svg, waits.map((those) => Math.max(0, ...those)));
  if (!all.length) return "None has begun yet.";
  return `Half of them began within ${all[Math.floor((all.length - 1) / 2)].toFixed(2)} s, all within ${all.at(-1).toFixed(2)} s.`;
}

function minutes(jobs) {
  const now = Date.now();
  const slots = Array.from({ length: MINUTES }, () => []);
  for (const job of jobs) {
    // The clocks of server and browser may differ a little.
    const age = Math.max(0, Math.floor((now - new Date(job.created_at)) / 60_000));
    if (age < MINUTES) slots[MINUTES - 1 - age].push(job);
  }
  return slots;
}

function draw(svg, values) {
  const most = Math.max(...values) || 1;
  const width = WIDTH / MINUTES;
  svg.replaceChildren(
    ...values.map((value, minute) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = Math.max(value ? 4 : 1, (value / most) * (HEIGHT - 8));
      const box = { x: minute * width + 2, y: HEIGHT - height, width: width - 4, height };
      for (const [name, number] of Object.entries(box)) bar.setAttribute(name, number);
      bar.setAttribute("class", value ? "bar" : "bar empty");
      return bar;
    }),
  );
}
