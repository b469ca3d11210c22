/* Speed as a moving average: bytes of the last seconds over those seconds, so that a stall shows and a burst does not. */

const WINDOW_MS = 10_000;

export class Speedometer {
  #samples = [];

  /** Notes that `sent` bytes in all are out at `now` (milliseconds). A figure that fell, after a failed part, starts anew. */
  note(sent, now = performance.now()) {
    const last = this.#samples.at(-1);
    if (last && sent < last.sent) this.#samples = [];
    this.#samples.push({ sent, now });
    while (this.#samples.length > 2 && now - this.#samples[0].now > WINDOW_MS) this.#samples.shift();
  }

  /** Bytes per second, or 0 while there is nothing to go by. */
  get rate() {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const elapsed = this.#samples.length > 1 ? last.now - first.now : 0;
    return elapsed >= 250 ? ((last.sent - first.sent) * 1000) / elapsed : 0;
  }

  forget() {
    this.#samples = [];
  }
}
