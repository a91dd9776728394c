// What a person does in an application's pages, told to the service as far as its policy collects it and the person permits
// it. The service is asked first: until it says yes nothing is sent or kept, and what happened before is not told later.

/** Events and bytes that wait at most: what is more takes the place of the oldest. */
const WAITING = 200;
const LONGEST = 60_000;
/** What one request carries: browsers give up what a page that was left still sends beyond 64 kB. */
const BATCH = 50;
const LONGEST_BATCH = 30_000;
/** Milliseconds until what was gathered is sent; until it is tried again, at first and at most. */
const SOON = 3_000;
const FIRST = 2_000;
const SLOWEST = 300_000;
const DAY = 86_400_000;
const FRAMES = 50;
/** By column of page views what a browser is asked of itself (a client hint of high entropy), where that is kept. */
const HINTS = { system: "platformVersion", model: "model" };
/** A line of a stack as Chromium writes it, or as Firefox and Safari do: function, file, line. */
const FRAME = /^\s*at (?:(.*?) \()?(?:async )?(.*?):(\d+):\d+\)?$|^(.*?)@(.*?):(\d+):\d+$/;

/** What one page tells of the person who uses it. */
export class Telemetry {
  /** How many events were gathered and given up: too many waited, or the service could not read them. */
  lost = 0;
  #told;
  #person;
  #waiting = [];
  #early = [];
  #permits = null; // by kind what of it would be kept; null until the service has said so
  #believed = 0; // until when that is believed without asking again
  #days = 0; // for how long what waits may be kept in the browser
  #kept = false;
  #hints = {}; // what the browser told of itself
  #after = 0;
  #failed = 0;
  #running;
  #timer;
  #ending = new AbortController();

  /**
   * @param {object} told
   * @param {string} told.origin where the service is, `https://troth.example`
   * @param {string} told.key the application's key: pages show it to everybody, and it lets nobody do more than send
   * @param {string} [told.person] the `sub` of the ID token; of nobody nothing is told, and nothing is asked
   * @param {string} [told.release] which version of the application it is
   * @param {string} [told.environment] such as "production"
   * @param {string} [told.storage] what waits while offline is kept under this key, if the policy declares it
   */
  constructor({ origin, key, person = "", release, environment, storage = "troth-telemetry" }) {
    if (!origin || !key) throw new TypeError("say where the service is, and which key the application has");
    this.#told = { address: new URL(`/intake/v1/telemetry/${key}`, origin).href, release, environment, storage };
    this.#person = person;
  }

  /** Begin: ask what the person permits, and look at pages that are shown and programs that fail. */
  start() {
    const on = (target, name, heard) => target.addEventListener(name, heard, { signal: this.#ending.signal });
    on(window, "error", (event) => this.#failure(event));
    on(window, "unhandledrejection", (event) => this.crashed(event.reason, "UnhandledRejection"));
    on(window, "popstate", () => this.visited());
    on(window, "online", () => this.#again());
    on(window, "pagehide", () => this.#leave());
    on(document, "visibilitychange", () => this.flush());
    this.#follow();
    this.#recall();
    this.visited(location.pathname, document.referrer);
    this.flush();
    return this;
  }

  /** Tell of somebody else from now on, or of nobody: what waits of whoever it was before is dropped. */
  about(person) {
    if (person === this.#person) return;
    this.#drop();
    [this.#person, this.#permits, this.#believed, this.#hints] = [person, null, 0, {}];
    this.visited();
    this.flush();
  }

  /** End: nothing is gathered or sent any more, and nothing is left in the browser. */
  stop() {
    this.#ending.abort();
    this.#drop();
    this.#person = "";
  }

  /** Ask anew what the person permits, as after they were asked; return the kinds of events that they do. */
  async ask() {
    await this.#running;
    this.#believed = 0;
    await this.flush();
    return Object.keys(this.#permits ?? {});
  }

  /** Tell that a page was shown: by its path alone, or by a name in the place of one that says too much, and what the manifest declares beside. */
  visited(url = location.pathname, referrer = "", metadata = undefined) {
    this.#tell("page_view", { url: cut(url, 2000), referrer: cut(referrer, 2000) }, metadata);
  }

  /** Tell that a feature was used, by the application's own name for it, how it ended, and what the manifest declares beside. */
  used(feature, outcome, metadata) {
    this.#tell("feature_use", { feature, outcome }, metadata);
  }

  /** Tell of a failure that was caught. Of what was thrown only its name, its message and the stack are looked at. */
  crashed(thrown, kind = "Error", metadata = undefined) {
    const found = typeof thrown?.message === "string" ? thrown : { message: typeof thrown === "string" ? thrown : "" };
    const { release, environment } = this.#told;
    const said = { kind: cut(found.name || kind, 200), message: cut(found.message, 2000), stack: frames(found.stack) };
    this.#tell("crash", { ...said, release, environment }, metadata);
  }

  /**
   * Ask the browser where it is, and tell it with what the manifest declares beside. It asks the person itself, and only after the service said that they permit it.
   * @returns {Promise<GeolocationCoordinates | null>} null where they do not; rejects with what the browser says
   */
  async locate(options, metadata = undefined) {
    await this.ask();
    const kept = () => this.#permits?.location ?? [];
    if (!kept().includes("latitude")) return null;
    const { coords } = await new Promise((found, not) => navigator.geolocation.getCurrentPosition(found, not, options));
    const { latitude, longitude, ...more } = coords.toJSON?.() ?? coords;
    const told = { accuracy: more.accuracy, altitude: more.altitude, source: "browser" };
    for (const name in told) if (told[name] === null || !kept().includes(name)) delete told[name];
    this.#tell("location", { latitude, longitude, ...told }, metadata);
    return coords;
  }

  /** Send what waits; before that, ask what is permitted when the last answer is some seconds old. */
  flush() {
    this.#running ??= this.#flushed().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #flushed() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#person) return;
    if (Date.now() < this.#after) return this.#later(this.#after - Date.now());
    if (Date.now() >= this.#believed && !(await this.#send([]))) return;
    while (this.#waiting.length && (await this.#send(this.#batch())));
  }

  #tell(kind, data, more) {
    if (!this.#person || (this.#permits && !this.#permits[kind])) return;
    const metadata = !this.#permits || this.#permits[kind].includes("metadata") ? more : undefined;
    const event = JSON.stringify({ key: crypto.randomUUID(), kind, at: new Date().toISOString(), data, metadata });
    const among = this.#permits ? this.#waiting : this.#early;
    among.push({ kind, event, size: new TextEncoder().encode(event).length });
    this.#bound(among);
    if (this.#failed) this.#keep();
    this.#later(SOON);
  }

  #bound(events) {
    let size = events.reduce((sum, each) => sum + each.size, 0);
    while (events.length > WAITING || size > LONGEST) {
      size -= events.shift().size;
      this.lost += 1;
    }
  }

  #batch() {
    const batch = [];
    let size = 0;
    for (const each of this.#waiting) {
      size += each.size;
      if (batch.length === BATCH || (batch.length && size > LONGEST_BATCH)) break;
      batch.push(each);
    }
    return batch;
  }

  /** Send events, or none to ask; whether the service answered of this person what is permitted now. */
  async #send(events) {
    const person = this.#person;
    const objects = navigator.globalPrivacyControl === true;
    const said = { person, objects, sent: new Date().toISOString(), ...(events.length ? this.#hints : {}) };
    const body = `${JSON.stringify(said).slice(0, -1)},"events":[${events.map((each) => each.event)}]}`;
    let answer, told;
    try {
      const quiet = { credentials: "omit", referrerPolicy: "no-referrer", keepalive: true };
      answer = await fetch(this.#told.address, { method: "POST", body, ...quiet });
      told = await answer.json();
    } catch {
      // Nobody answered, or not in our words.
    }
    if (person !== this.#person) return false;
    if (answer?.status === 401) this.stop();
    else if (told?.permits) return await this.#learn(told, events);
    else if (answer && answer.status !== 429 && answer.status < 500 && events.length) this.#waste(events);
    else this.#wait(Number(answer?.headers.get("retry-after")) * 1000);
    return false;
  }

  /** Go by an answer: what is not permitted any more is dropped, and what was sent is done with. */
  async #learn({ permits, keeps, lasts }, sent) {
    const early = this.#permits ? [] : this.#early;
    [this.#permits, this.#early, this.#failed] = [permits, [], 0];
    [this.#believed, this.#days] = [Date.now() + lasts * 1000, keeps[this.#told.storage] ?? 0];
    const over = new Set(sent);
    this.#waiting = [...this.#waiting, ...early].filter((each) => !over.has(each) && permits[each.kind]);
    this.#bound(this.#waiting);
    if (this.#kept) this.#keep();
    await this.#hint(Object.keys(HINTS).filter((column) => permits.page_view?.includes(column)));
    return true;
  }

  /** Know of the browser what is kept, and no more of it; one that has nothing to tell, or will not, tells nothing. */
  async #hint(columns) {
    if (columns.join() === Object.keys(this.#hints).join()) return;
    this.#hints = {};
    const found = await navigator.userAgentData?.getHighEntropyValues(columns.map((each) => HINTS[each])).catch(() => ({}));
    for (const column of columns) this.#hints[column] = found?.[HINTS[column]] || undefined;
  }

  /** Wait before anything is asked or sent again; what happened before there was an answer is dropped. */
  #wait(told) {
    this.lost += this.#early.length;
    this.#early = [];
    this.#failed += 1;
    const backoff = Math.min(SLOWEST, FIRST * 2 ** (this.#failed - 1)) * (0.5 + Math.random() / 2);
    this.#after = Date.now() + (told > 0 ? told : backoff);
    this.#keep();
    this.#later(this.#after - Date.now());
  }

  /** Give up what the service cannot read. */
  #waste(events) {
    this.lost += events.length;
    this.#waiting = this.#waiting.filter((each) => !events.includes(each));
    if (this.#kept) this.#keep();
  }

  #again() {
    if (this.#failed) this.#after = 0;
    this.flush();
  }

  #later(pause) {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, pause);
  }

  /** The page is left: send what fits, and keep it for the next page, which sends the same again where it did not come. */
  #leave() {
    if (!this.#permits || !this.#waiting.length) return;
    this.#keep();
    if (Date.now() >= this.#after) this.#send(this.#batch());
  }

  /** Keep what waits in the browser, where the policy declares it and for as long as it says; else leave nothing there. */
  #keep() {
    const events = this.#days ? this.#waiting : [];
    try {
      if (events.length) {
        const kept = { person: this.#person, until: Date.now() + this.#days * DAY, events };
        localStorage.setItem(this.#told.storage, JSON.stringify(kept));
      } else if (this.#kept) localStorage.removeItem(this.#told.storage);
      this.#kept = events.length > 0;
    } catch {
      // Refused or full: what waits is lost with the page.
    }
  }

  /** Take back what an earlier page of the same person kept: it was gathered after a yes, and is asked about again. */
  #recall() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#told.storage) ?? "null");
      if (!kept) return;
      this.#kept = true;
      if (kept.person === this.#person && Date.now() < kept.until) this.#waiting.push(...kept.events);
      else this.#keep();
    } catch {
      // Refused, or not what this library wrote: nothing waits.
    }
  }

  #drop() {
    [this.#waiting, this.#early] = [[], []];
    this.#keep();
  }

  #failure({ error, message, filename, lineno }) {
    if (error) this.crashed(error);
    else this.crashed(Object.assign(new Error(message), { stack: filename ? `@${filename}:${lineno}:0` : "" }));
  }

  /** Look at pages that are shown without being loaded. */
  #follow() {
    const push = history.pushState;
    const pushed = (...told) => {
      push.apply(history, told);
      this.visited();
    };
    history.pushState = pushed;
    this.#ending.signal.addEventListener("abort", () => {
      if (history.pushState === pushed) history.pushState = push;
    });
  }
}

/** Begin to tell; see `Telemetry` for what is said. */
export const start = (told) => new Telemetry(told).start();

function cut(text, longest) {
  return text ? String(text).slice(0, longest) : undefined;
}

/** Return a stack's frames, the one that failed last; of each function, file and line. */
function frames(stack) {
  const found = String(stack ?? "").split("\n").map((line) => FRAME.exec(line)).filter(Boolean).slice(0, FRAMES).reverse();
  return found.map(([, first, file, line, second, other, nth]) => ({
    function: cut(first ?? second, 200),
    file: cut((file ?? other).replace(/[?#].*/, ""), 500),
    line: Number(line ?? nth),
  }));
}
