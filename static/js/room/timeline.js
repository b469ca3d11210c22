/**
 * The timeline: ruler, what is loaded, playhead, marks of comments; tracks.js draws what lies behind them. Places are SVG attributes in per cent of the
 * frame count; frame n lies at its left edge, n / frames.
 */

import { Tracks } from "./tracks.js";

const SVG = "http://www.w3.org/2000/svg";
const LABEL = 96; // px that a label of the ruler needs
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]; // seconds between labels

export class Timeline {
  constructor(player, timecode) {
    this.player = player;
    this.timecode = timecode;
    this.frames = player.film.frames;
    this.root = document.getElementById("timeline");
    this.scrub = document.getElementById("scrub");
    this.hover = document.getElementById("hover-time");
    this.tracks = new Tracks(player);
    this.scrub.setAttribute("aria-valuemax", this.frames - 1);
    player.addEventListener("frame", ({ detail }) => this.#move(detail.frame));
    player.addEventListener("buffered", () => this.#drawBuffered());
    player.addEventListener("limit", () => this.#drawUnbuilt());
    new ResizeObserver(() => this.#drawRuler()).observe(this.scrub);
    this.#listenToPointer();
    this.scrub.addEventListener("keydown", (event) => this.#onKey(event));
    this.#move(player.frame);
  }

  #percent(frame) {
    return `${((frame / this.frames) * 100).toFixed(4)}%`;
  }

  #move(frame) {
    const x = this.#percent(frame);
    const head = this.root.querySelector("[data-head]");
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
    this.root.querySelector("[data-head-cap]").setAttribute("x", x);
    this.root.querySelector("[data-played]").setAttribute("width", x);
    this.root.style.setProperty("--played", frame / this.frames);
    this.scrub.setAttribute("aria-valuenow", frame);
    this.scrub.setAttribute("aria-valuetext", this.timecode.label(frame));
  }

  #drawBuffered() {
    const { buffered } = this.player.video;
    const { num, den } = this.player.film;
    const group = this.root.querySelector("[data-buffered]");
    const bars = [];
    for (let i = 0; i < buffered.length; i += 1) {
      const [from, to] = [buffered.start(i), buffered.end(i)].map((time) => Math.min(this.frames, Math.max(0, (time * num) / den)));
      bars.push(draw("rect", { class: "loaded", x: this.#percent(from), y: 0, width: this.#percent(to - from), height: "100%" }));
    }
    group.replaceChildren(...bars);
  }

  /** What the preview does not reach yet. */
  #drawUnbuilt() {
    const from = this.player.last + 1;
    const bar = this.root.querySelector("[data-unbuilt]");
    bar.setAttribute("x", this.#percent(from));
    bar.setAttribute("width", this.#percent(this.frames - from));
  }

  #drawRuler() {
    const rate = this.player.film.num / this.player.film.den;
    const width = this.scrub.clientWidth || 1;
    const seconds = this.frames / rate;
    const wanted = (seconds * LABEL) / width;
    const step = STEPS.find((s) => s >= wanted) ?? 7200;
    const parts = [];
    const minor = step / (step % 3 === 0 ? 3 : step % 5 === 0 ? 5 : 2);
    for (let i = 0; i * minor < seconds; i += 1) {
      const frame = Math.round(i * minor * this.timecode.nominal);
      const x = this.#percent(frame);
      const main = Number.isInteger(Math.round((i * minor * 1000) / step) / 1000);
      parts.push(draw("line", { class: main ? "" : "minor", x1: x, x2: x, y1: main ? 8 : 16, y2: 22 }));
      if (main && frame / this.frames < 1 - 72 / width) {
        const text = draw("text", { x, dx: 5, y: 15 });
        text.textContent = this.timecode.label(frame).slice(0, 8);
        parts.push(text);
      }
    }
    this.root.querySelector("[data-ruler]").replaceChildren(...parts);
  }

  #frameAt(event) {
    const box = this.scrub.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return Math.min(this.frames - 1, Math.floor(share * this.frames));
  }

  /** Dragging shows frames as fast as they come: the player meets the newest wish only. */
  #listenToPointer() {
    const { scrub, player } = this;
    let resume = 0;
    scrub.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      scrub.focus({ preventScroll: true });
      scrub.setPointerCapture(event.pointerId);
      resume = player.speed > 0 ? player.speed : 0;
      player.show(this.#frameAt(event));
    });
    scrub.addEventListener("pointermove", (event) => {
      this.#showHover(event);
      if (scrub.hasPointerCapture(event.pointerId)) player.show(this.#frameAt(event));
    });
    const release = () => {
      if (resume) player.play(resume);
      resume = 0;
    };
    scrub.addEventListener("pointerup", release);
    scrub.addEventListener("pointercancel", release);
    scrub.addEventListener("pointerleave", () => {
      this.hover.hidden = true;
      this.tracks.point(null);
    });
  }

  #showHover(event) {
    const frame = this.#frameAt(event);
    this.hover.hidden = event.pointerType === "touch" && !this.scrub.hasPointerCapture(event.pointerId);
    this.hover.textContent = this.timecode.label(frame);
    this.hover.style.setProperty("--at", frame / this.frames);
    this.tracks.point(this.hover.hidden ? null : frame);
  }

  #onKey(event) {
    const second = this.timecode.nominal;
    const by = { ArrowUp: second, ArrowDown: -second, PageUp: 10 * second, PageDown: -10 * second }[event.key];
    if (!by) return;
    event.preventDefault();
    this.player.step(by);
  }

  /**
   * Draws a mark for each comment, and a line for each that spans frames.
   * @param {{id: string, frameIn: number, frameOut: number|null, initials: string, author: string, timecode: string, guest: boolean, href: string}[]} comments
   */
  drawMarks(comments) {
    const marks = this.root.querySelector("[data-marks]");
    const spans = comments.filter((c) => c.frameOut !== null).map((c) => this.#span(c));
    marks.replaceChildren(...spans, ...comments.map((c) => this.#mark(c)));
  }

  #span({ frameIn, frameOut }) {
    const span = draw("g", { class: "span" });
    const end = draw("svg", { x: this.#percent(frameOut), overflow: "visible" });
    end.append(draw("rect", { x: -1, y: 8, width: 2, height: 12 }));
    span.append(draw("rect", { x: this.#percent(frameIn), y: 13, width: this.#percent(frameOut - frameIn), height: 2 }), end);
    return span;
  }

  #mark({ id, frameIn, initials, author, timecode, guest, href }) {
    const link = draw("a", { class: "mark", href, "data-mark": id, "aria-label": `${initials}, comment by ${author} at ${timecode}` });
    const place = draw("svg", { x: this.#percent(frameIn), overflow: "visible" });
    const shape = guest ? draw("circle", { class: "pin", cx: 0, cy: 14, r: 9.5 }) : draw("rect", { x: -9.5, y: 4.5, width: 19, height: 19, rx: 2 });
    const text = draw("text", { x: 0, y: 17.5 });
    text.textContent = initials;
    place.append(draw("rect", { class: "hit", x: -12, y: 2, width: 24, height: 24 }), shape, text);
    link.append(place);
    return link;
  }

  /** Highlights the marks with these ids; the last drawn lies on top. */
  highlight(ids) {
    for (const mark of this.root.querySelectorAll("[data-mark]")) mark.classList.toggle("here", ids.has(mark.dataset.mark));
  }
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
