// Live pages: when the daemon says that something has changed, the parts of this page are fetched again. Without this
// file everything can still be read and ordered, by loading the page again.
"use strict";
(() => {
  const body = document.body;
  const live = document.getElementById("live");
  let fetching = false;
  let again = false;

  async function refresh() {
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      const answer = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-part]")) {
        const next = fresh.getElementById(part.id);
        // What somebody types into, or has opened, is left as it is.
        const busy = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
        if (!next || busy || part.querySelector("details[open]") || part.innerHTML === next.innerHTML) continue;
        const focused = part.contains(document.activeElement) ? document.activeElement : null;
        const place = focused && focused.getAttribute("href");
        part.replaceChildren(...next.childNodes);
        if (place) {
          const same = [...part.querySelectorAll("a[href]")].find((each) => each.getAttribute("href") === place);
          if (same) same.focus({ preventScroll: true });
        }
      }
    } catch {
      // The daemon is away; the stream says so and comes back.
    } finally {
      fetching = false;
      if (again) {
        again = false;
        setTimeout(refresh, 500);
      }
    }
  }

  function say(lost) {
    const text = lost ? body.dataset.lost : body.dataset.live;
    if (live && live.textContent !== text) live.textContent = text;
    if (live) live.classList.toggle("lost", lost);
  }

  function listen() {
    const stream = new EventSource(body.dataset.stream);
    stream.addEventListener("changed", refresh);
    stream.onopen = () => {
      say(false);
      refresh();
    };
    stream.onerror = () => {
      say(true);
      // After an answer such as 503 a browser gives up by itself.
      if (stream.readyState === EventSource.CLOSED) {
        stream.close();
        setTimeout(listen, 5000);
      }
    };
    addEventListener("pagehide", () => stream.close(), { once: true });
  }

  if (body.dataset.stream) listen();
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // Who comes by a link in a mail has shown no cookie, since it is sent from this site alone. Then this page asks itself.
  if (document.querySelector("form.entry") && location.pathname !== "/login") {
    fetch(location.href, { method: "HEAD", cache: "no-store" }).then((answer) => answer.ok && location.reload());
  }
})();

// The drop zone: files that are dropped on it, or chosen, are uploaded one after another.
(() => {
  const form = document.querySelector("form.drop");
  if (!form) return;
  const results = document.getElementById("results");
  const chooser = form.querySelector("input[type=file]");
  chooser.multiple = true;

  function line(file) {
    const item = document.createElement("li");
    item.textContent = `${file.name}: ${form.dataset.sending}`;
    results.append(item);
    return item;
  }

  async function send(file, item) {
    const route = encodeURIComponent(form.elements.route.value);
    try {
      const answer = await fetch(`/api/v1/routes/${route}/files/${encodeURIComponent(file.name)}`, {
        method: "PUT",
        body: file,
        headers: { "X-Form-Token": form.elements.form_token.value },
      });
      const said = await answer.json();
      item.textContent = answer.ok ? form.dataset.done.replace("{file}", said.place) : `${file.name}: ${said.error.message}`;
      item.className = answer.ok ? "good" : "bad";
    } catch {
      item.textContent = `${file.name}: ${form.dataset.broken}`;
      item.className = "bad";
    }
  }

  async function sendAll(files) {
    const queue = [...files].map((file) => [file, line(file)]);
    for (const [file, item] of queue) await send(file, item);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sendAll(chooser.files);
    chooser.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) form.addEventListener(name, () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    sendAll(event.dataTransfer.files);
  });
})();
