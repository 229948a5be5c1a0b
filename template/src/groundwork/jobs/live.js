// A person's jobs, live, for a page in several tabs: one tab reads the stream and tells the others.
// Browsers open six connections to a server over HTTP/1.1, for all tabs together.

// `url` is that of the stream. `token()` is the access token and `person()` the user's id, while somebody is signed in;
// `refresh()` gets another token, and says whether it could. `hear(state, jobs)` gets "live" or "reconnecting ..." and
// the jobs that have changed; `leave()` is called when the sign-in has ended.
export function live({ url, token, person, refresh, hear, leave }) {
  const tabs = new BroadcastChannel(url);
  let watching = new AbortController();

  tabs.onmessage = ({ data }) => {
    if (person() !== data.person) return;
    if (!data.hidden) hear(data.state, data.jobs);
    else if (!document.hidden) watch();
  };
  // A tab that a person looks at reads: browsers may freeze the others.
  document.addEventListener("visibilitychange", () => {
    if (!person()) return;
    if (!document.hidden) watch();
    else tabs.postMessage({ person: person(), hidden: true });
  });

  async function watch(first = !document.hidden) {
    watching.abort();
    watching = new AbortController();
    const { signal } = watching;
    // Browsers have locks where a page came by https, or from this machine; elsewhere each tab reads.
    if (!navigator.locks) return read(signal);
    try {
      await navigator.locks.request(url, first ? { steal: true } : { signal }, () => read(signal));
    } catch {
      // Another tab reads from now on; this one when its turn comes.
      if (!signal.aborted) watch(false);
    }
  }

  function tell(state, jobs = []) {
    if (!person()) return;
    tabs.postMessage({ person: person(), state, jobs });
    try {
      hear(state, jobs);
    } catch (error) {
      // The stream goes on where the page fails.
      reportError(error);
    }
  }

  // Server-sent events, read with fetch because EventSource sends no header.
  async function read(signal) {
    let last = "0";
    while (!signal.aborted) {
      try {
        const headers = { Authorization: `Bearer ${token()}`, "Last-Event-ID": last };
        const reply = await fetch(url, { headers, signal });
        if (reply.status === 401) {
          if (await refresh()) continue;
          return leave();
        }
        if (!reply.ok) throw new Error(reply.statusText);
        tell("live");
        for await (const event of events(reply.body)) {
          last = event.id ?? last;
          if (event.event === "snapshot") tell("live", event.data);
          if (event.event === "job") tell("live", [event.data]);
        }
      } catch (error) {
        if (signal.aborted) return;
      }
      tell("reconnecting ...");
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  return { watch, stop: () => watching.abort() };
}

async function* events(body) {
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const event = {};
      for (const line of text.slice(0, end).split("\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
      }
      text = text.slice(end + 2);
      if (event.data) yield { ...event, data: JSON.parse(event.data) };
    }
  }
}
