/**
 * Frames and SMPTE timecode (ST 12-1), by the rules of app/core/timecode.py. Timecode counts at the nominal
 * rate (24 at 24000/1001): it labels frames, it is no clock. Drop-frame leaves out labels, never pictures.
 */

const DROPPED = { "30000/1001": 2, "60000/1001": 4 };

export class Timecode {
  /**
   * @param {object} source exact rate `num`/`den`, `drop`, and `start`: the label of frame 0 as a count from
   *   00:00:00:00 at the same counting.
   */
  constructor({ num, den, drop = false, start = 0 }) {
    this.num = num;
    this.den = den;
    this.start = start;
    this.nominal = Math.max(1, Math.floor(num / den + 0.5));
    const dropped = DROPPED[`${num}/${den}`] ?? 0;
    if (drop && !dropped) throw new RangeError("drop-frame timecode exists at 30000/1001 and 60000/1001 only");
    this.dropped = drop ? dropped : 0;
    this.perDay = 86400 * this.nominal - 24 * 54 * this.dropped;
  }

  /** The label of frame `frame` (0 is the first): HH:MM:SS:FF, HH:MM:SS;FF when dropping. */
  label(frame) {
    const count = (((frame + this.start) % this.perDay) + this.perDay) % this.perDay;
    return this.#write(this.#withDropped(count));
  }

  /** A length of `frames` frames, counted without drop-frame from zero. */
  length(frames) {
    return this.#write(frames).replace(";", ":");
  }

  /**
   * The frame that a person means by `text`, or null when it cannot be read. It may lie outside the film.
   *
   * Taken: a whole timecode; its last parts ("3:12"); digits filled from the right ("31200"); a frame number
   * after # or f; plus or minus frames, or plus or minus a length ("+1:00"). Where the first parts are left
   * out and the label counted from zero is not in the film, they are the film's own ("3:12" in a film from
   * 10:00:00:00 is 10:00:03:12).
   *
   * @param {number} current the frame that plus and minus count from
   * @param {number} frames how long the film is
   */
  parse(text, current = 0, frames = Infinity) {
    const typed = text.trim().replace("−", "-");
    const plain = /^[#f]\s*(\d{1,9})$/i.exec(typed);
    if (plain) return Number(plain[1]);
    const relative = /^([+-])\s*(.+)$/.exec(typed);
    if (relative) {
      const by = /^\d{1,9}$/.test(relative[2]) ? Number(relative[2]) : this.#lengthOf(relative[2]);
      return by === null ? null : current + (relative[1] === "-" ? -by : by);
    }
    const parts = split(typed);
    if (!parts) return null;
    const candidates = [this.#frame([...Array(4 - parts.length).fill(0), ...parts])];
    if (parts.length < 4) {
      const own = this.label(0).split(/[:;]/).map(Number);
      candidates.push(this.#frame([...own.slice(0, 4 - parts.length), ...parts]));
    }
    return candidates.find((frame) => frame !== null && frame >= 0 && frame < frames) ?? candidates[0];
  }

  /** The frame with exactly the label `text`; null for text that is no label here, dropped labels included. */
  frame(text) {
    const parts = split(text.trim());
    if (parts?.length !== 4) return null;
    const [, minutes, seconds, rest] = parts;
    if (seconds === 0 && minutes % 10 && rest < this.dropped) return null;
    return this.#frame(parts);
  }

  #lengthOf(text) {
    const parts = split(text);
    if (!parts) return null;
    const [hours, minutes, seconds, rest] = [...Array(4 - parts.length).fill(0), ...parts];
    return ((hours * 60 + minutes) * 60 + seconds) * this.nominal + rest;
  }

  #frame([hours, minutes, seconds, rest]) {
    if (hours > 23 || minutes > 59 || seconds > 59 || rest >= this.nominal) return null;
    // A dropped label stands for the next one that exists.
    const frames = seconds === 0 && minutes % 10 ? Math.max(rest, this.dropped) : rest;
    const all = hours * 60 + minutes;
    const count = (all * 60 + seconds) * this.nominal + frames - this.dropped * (all - Math.floor(all / 10));
    return count - this.start;
  }

  /** A running count as the number that the label shows, the dropped labels counted in. */
  #withDropped(count) {
    if (!this.dropped) return count;
    const perMinute = 60 * this.nominal - this.dropped;
    const perTen = 10 * perMinute + this.dropped;
    const rest = count % perTen;
    let skipped = 9 * this.dropped * Math.floor(count / perTen);
    if (rest >= perMinute + this.dropped) skipped += this.dropped * Math.floor((rest - this.dropped) / perMinute);
    return count + skipped;
  }

  #write(count) {
    const seconds = Math.floor(count / this.nominal);
    const two = (n) => String(n).padStart(2, "0");
    const frames = String(count % this.nominal).padStart(Math.max(2, String(this.nominal - 1).length), "0");
    const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
    return `${clock}${this.dropped ? ";" : ":"}${frames}`;
  }
}

/** Up to four numbers of a typed timecode, right-aligned; null when it is something else. */
function split(text) {
  if (/^\d{1,8}$/.test(text)) {
    const digits = text.length % 2 ? `0${text}` : text;
    return digits.match(/\d\d/g).map(Number);
  }
  if (!/^\d{1,3}([:;.,]\d{1,3}){1,3}$/.test(text)) return null;
  return text.split(/[:;.,]/).map(Number);
}
