// Whether somebody without an account lets an application know their browser (P18): asked on the service's own page, after a
// click, and told here as a token of this application's own. Until there is one, nothing is known and nothing is told.

const DAY = 86_400_000;

/** What an application knows of one browser. */
export class Visitor {
  #told;
  #held = {};

  /**
   * @param {object} told
   * @param {string} told.origin where the service is, `https://troth.example`
   * @param {string} told.application the client id of `troth app register`
   * @param {string} told.redirect where people come back to: one of the manifest's `redirect_uris`, on this origin
   * @param {string} [told.key] what the answer is kept under, as the policy's `store` clause names it
   * @param {number} [told.days] for how long it is kept at most
   */
  constructor({ origin, application, redirect, key = "troth-visitor", days = 180 }) {
    if (!origin || !application || !redirect) throw new TypeError("say where the service is, which application this is, and where people come back to");
    this.#told = { origin, application, redirect, key, days };
    this.#held = this.#read(() => localStorage) ?? {};
  }

  /** "agreed", "refused", or "unknown": nobody was asked, it ended, or its time is over. */
  get state() {
    if (!(Date.now() < this.#held.until)) return "unknown";
    return this.#held.token ? "agreed" : "refused";
  }

  /** What the application calls this browser, `person` of what it tells; empty without a yes. */
  get token() {
    return this.state === "agreed" ? this.#held.token : "";
  }

  /** Go and ask: call it where somebody clicked. Whoever said no is not asked again before the policy lets you, nor is one asked who said yes. */
  async ask() {
    if (this.state !== "unknown") return this.state;
    const [verifier, state] = [random(), random()];
    this.#write(() => sessionStorage, { verifier, state });
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    const { application, redirect, origin } = this.#told;
    const asked = { client_id: application, redirect_uri: redirect, state, code_challenge: base64(digest), code_challenge_method: "S256" };
    location.assign(`${new URL("/browser/let", origin)}?${new URLSearchParams(asked)}`);
    return "unknown";
  }

  /** Take the answer, where somebody came back with one that this page asked for; return the state. Call it on each page that they may come back to. */
  async arrive() {
    const told = new URLSearchParams(location.search);
    const asked = this.#read(() => sessionStorage);
    // What this tab did not ask for is somebody else's, or for somebody else: it is not taken.
    if (!asked?.state || told.get("state") !== asked.state) return this.state;
    const [code, error, again] = ["code", "error", "again"].map((name) => told.get(name));
    for (const name of ["code", "error", "again", "state", "iss"]) told.delete(name);
    history.replaceState(history.state, "", `${location.pathname}${told.size ? `?${told}` : ""}${location.hash}`);
    this.#write(() => sessionStorage);
    if (code) await this.#take(code, asked.verifier);
    else if (error === "access_denied") this.#keep("", Math.min(Number(again) || this.#told.days, this.#told.days));
    return this.state;
  }

  /** Forget the answer here. The person ends a token for good on the service's page "This browser". */
  forget() {
    this.#held = {};
    this.#write(() => localStorage);
  }

  async #take(code, verifier) {
    const { application, redirect, origin, key, days } = this.#told;
    const body = new URLSearchParams({ client_id: application, redirect_uri: redirect, code, code_verifier: verifier });
    const answer = await fetch(new URL("/browser/token", origin), { method: "POST", body, credentials: "omit", referrerPolicy: "no-referrer" });
    if (!answer.ok) return;
    const { token, until, keeps } = await answer.json();
    this.#keep(token, Math.min(days, (Date.parse(until) - Date.now()) / DAY), keeps[key]);
  }

  /** Keep an answer for so many days; where the policy does not declare the key, only as long as this page is open. */
  #keep(token, days, declared = this.#told.days) {
    this.#held = { token, until: Date.now() + Math.min(days, declared || days) * DAY };
    if (declared) this.#write(() => localStorage, this.#held);
  }

  #read(storage) {
    try {
      return JSON.parse(storage().getItem(this.#told.key) ?? "null");
    } catch {
      return null; // Refused, or not what this library wrote.
    }
  }

  #write(storage, told) {
    try {
      if (told) storage().setItem(this.#told.key, JSON.stringify(told));
      else storage().removeItem(this.#told.key);
    } catch {
      // Refused: what is known is known to this page alone.
    }
  }
}

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/[+/=]/g, (sign) => ({ "+": "-", "/": "_" })[sign] ?? "");
const random = () => base64(crypto.getRandomValues(new Uint8Array(32)));
