// Jobs per minute, and how long they waited, over the last half hour.

const MINUTES = 30;
const WIDTH = 600;
const HEIGHT = 120;

// Draws, and returns the same in words.
export function drawChart(svg, jobs) {
  const now = Date.now();
  const counts = Array(MINUTES).fill(0);
  const waits = [];
  for (const job of jobs) {
    const age = Math.floor((now - new Date(job.created_at)) / 60_000);
    if (age < 0 || age >= MINUTES) continue;
    counts[MINUTES - 1 - age] += 1;
    if (job.started_at) waits.push(Math.max(0, new Date(job.started_at) - new Date(job.run_at)) / 1000);
  }
  const most = Math.max(1, ...counts);
  const width = WIDTH / MINUTES;
  svg.replaceChildren(
    ...counts.map((count, minute) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = Math.max(count ? 4 : 1, (count / most) * (HEIGHT - 8));
      const box = { x: minute * width + 2, y: HEIGHT - height, width: width - 4, height, rx: 2 };
      for (const [name, value] of Object.entries(box)) bar.setAttribute(name, value);
      bar.setAttribute("class", count ? "bar" : "bar empty");
      return bar;
    }),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  waits.sort((a, b) => a - b);
  const wait = waits.length ? `; half of them began within ${waits[Math.floor((waits.length - 1) / 2)].toFixed(2)} s` : "";
  return `${total} job${total === 1 ? "" : "s"} in the last ${MINUTES} minutes, at most ${Math.max(...counts)} in one${wait}.`;
}
