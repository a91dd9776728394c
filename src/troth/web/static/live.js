// While somebody looks at figures, those that changed take the place of the old ones. Without it the page is as it was when it was asked for.
"use strict";

const shown = document.getElementById("figures");
let waiting = false, again = false;

async function renew() {
  if (waiting || document.hidden || shown.contains(document.activeElement)) {
    again = true;
    return;
  }
  waiting = true;
  again = false;
  try {
    const answer = await fetch(location.href, { redirect: "error", headers: { "X-Figures": "live" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("figures");
    if (!answer.ok || !fresh) throw new Error("gone");
    const open = [...shown.querySelectorAll("details")].map((each) => each.open);
    shown.replaceChildren(...fresh.childNodes);
    shown.querySelectorAll("details").forEach((each, nth) => { each.open = open[nth] ?? false; });
  } catch {
    changes.close();
  }
  waiting = false;
}

const changes = new EventSource(shown.dataset.live);
changes.addEventListener("changed", renew);
document.addEventListener("visibilitychange", () => { if (again) renew(); });
