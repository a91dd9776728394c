// A browser's identifier (P10): random, kept under a key that the policy declares, for as long as it says, reset on request.
// Where the browser refuses storage, or the person does, there is none, and nothing is asked of anybody.

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const DAY = 86_400_000;

/** What one browser calls itself. */
export class Device {
  #key;
  #days;
  #storage;

  /**
   * @param {object} told
   * @param {string} told.key what it is kept under, as the policy's `store` clause names it
   * @param {number} told.days for how long it is kept at most
   * @param {() => Storage} [told.storage] where: the browser's own storage, which may refuse by throwing
   */
  constructor({ key, days, storage = () => globalThis.localStorage }) {
    if (!key || !(days > 0)) throw new TypeError("say under which key, and for how many days, the policy lets it be kept");
    this.#key = key;
    this.#days = days;
    this.#storage = storage;
  }

  /** Return the identifier, made at the first call; null where storage is refused: then nothing is kept or told. */
  identifier() {
    return this.known() ?? this.#make();
  }

  /** Return the identifier if there is one that the policy still lets be kept, and make none. */
  known() {
    try {
      const held = JSON.parse(this.#storage().getItem(this.#key) ?? "null");
      const age = Date.now() - held?.since;
      if (FORM.test(held?.identifier) && age >= 0 && age < this.#days * DAY) return held.identifier;
    } catch {
      // Refused, or not what this library wrote: there is none.
    }
    return null;
  }

  /** Forget the identifier; the next one has nothing in common with it. */
  reset() {
    try {
      this.#storage().removeItem(this.#key);
    } catch {
      // Refused: there is nothing to forget.
    }
  }

  #make() {
    const identifier = globalThis.crypto.randomUUID();
    try {
      this.#storage().setItem(this.#key, JSON.stringify({ identifier, since: Date.now() }));
    } catch {
      return null;
    }
    return this.known();
  }
}
