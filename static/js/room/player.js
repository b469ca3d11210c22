/**
 * The player: everything outside talks in frames. `frame` is the frame on the screen, as the browser announced it.
 *
 * Events (CustomEvent): frame {frame}, state {playing, speed, waiting}, buffered, levels {heights, shown, auto},
 * limit, trouble {kind} (network, media, expired, gone, signed-out, nothing) and ready.
 */

import { Pictures } from "./pictures.js";
import { Reverse } from "./reverse.js";
import { openStream } from "./stream.js";
import { Tokens } from "./tokens.js";

const SPEEDS = [1, 2, 4];
// A decoder gives its last pictures only when the stream ends: two for reordering and one for each of its threads.
const EDGE_FRAMES = 16;

export class Player extends EventTarget {
  /**
   * @param {HTMLVideoElement} video
   * @param {{num: number, den: number, frames: number, playback: string, workerPath: string, building: boolean}} film
   * @param {number} first the frame to open at
   */
  constructor(video, film, first = 0) {
    super();
    this.video = video;
    this.film = film;
    this.frame = first;
    this.edge = null; // frames that can be reached while the preview is being built
    this.reverse = new Reverse(film.num / film.den, (by) => this.#back(by));
    this.opened = false;
    this.stream = null;
    this.playback = null; // what the server said of it last
    this.wanted = first;
    this.running = null;
    this.life = new AbortController();
    this.pictures = new Pictures(video, film, (frame) => this.#onFrame(frame));
    this.tokens = new Tokens(film.playback, (status) => this.#onGone(status));
    for (const name of ["play", "playing", "ratechange"]) video.addEventListener(name, () => this.#tellState());
    video.addEventListener("waiting", () => this.#tellState(true));
    video.addEventListener("progress", () => this.#tell("buffered"));
    video.addEventListener("pause", () => this.#onPause());
    this.ready = this.#open();
  }

  get last() {
    const end = this.edge === null ? this.film.frames : Math.min(this.film.frames, this.edge - EDGE_FRAMES);
    return Math.max(0, end - 1);
  }

  get playing() {
    return !this.video.paused || this.reverse.speed > 0;
  }

  /** 1, 2, 4 forwards, −1, −2, −4 backwards, 0 when still. */
  get speed() {
    if (this.reverse.speed) return -this.reverse.speed;
    return this.video.paused ? 0 : this.video.playbackRate;
  }

  /** Stops and shows frame `n`; resolves with the frame that is on the screen when all wishes so far are met. */
  show(n) {
    this.#stopReverse();
    this.wanted = this.#clamp(n);
    if (!this.video.paused) this.video.pause();
    return this.#meet();
  }

  /** `by` frames on from the frame that was last asked for, so that no press of a quick series is lost. */
  step(by) {
    return this.show((this.wanted ?? this.frame) + by);
  }

  async play(speed = 1) {
    this.#stopReverse();
    await this.#meet();
    if (this.frame >= this.last) await this.show(0);
    this.video.playbackRate = speed;
    try {
      await this.video.play();
    } catch (error) {
      if (error.name === "NotAllowedError") this.#tellState();
      else if (error.name !== "AbortError") throw error;
    }
  }

  /** Stops on the picture that is on the screen and makes sure of it. */
  pause() {
    return this.show(this.frame);
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** L: forwards, faster each time. */
  forward() {
    return this.play(this.video.paused ? 1 : faster(this.video.playbackRate));
  }

  /** J: backwards, faster each time. */
  backward() {
    if (this.reverse.speed) {
      this.reverse.speed = faster(this.reverse.speed);
    } else {
      this.reverse.start(1).then(() => this.#tellState());
      this.video.pause();
    }
    this.#tellState();
  }

  async #back(by) {
    if (this.frame === 0) return false;
    this.wanted = this.#clamp(this.frame - by);
    await this.#meet();
    return true;
  }

  #stopReverse() {
    if (this.reverse.stop()) this.#tellState();
  }

  /** Chooses a rendition by its height, 0 for automatic; a still picture is asked for again. */
  async setLevel(height) {
    const done = this.stream.setLevel(height);
    // hls.js says nothing when the chosen one is on the screen already.
    this.#tell("levels", { heights: this.stream.levels, ...this.stream.level });
    await done;
    if (this.video.paused && height) await this.show(this.frame);
  }

  /** Told when the whole ladder is there. */
  async ladderReady() {
    if (!this.film.building) return;
    this.film.building = false;
    await this.ready;
    await this.stream?.ladderReady();
    if (this.video.paused) await this.show(this.frame);
  }

  /** Opens the preview anew at the frame on the screen, after trouble or when a better one is there. */
  reload() {
    const frame = this.wanted ?? this.frame;
    this.life.abort(new DOMException("opened anew", "AbortError"));
    this.life = new AbortController();
    this.stream?.destroy();
    this.stream = null;
    this.opened = false;
    this.wanted = frame;
    this.tokens = new Tokens(this.film.playback, (status) => this.#onGone(status));
    this.ready = this.#open();
    return this.ready;
  }

  async #open() {
    const { signal } = this.life;
    try {
      const playback = await this.tokens.renew();
      if (signal.aborted) return;
      this.playback = playback;
      this.#tell("playback", playback);
      this.stream = openStream(this.video, playback, this.tokens, this.#streamOptions());
      if (!this.stream) return this.#tell("trouble", { kind: "nothing" });
      await raceAbort(this.stream.opened, signal);
      this.pictures.offset = this.stream.offset;
      this.opened = true;
      await this.#meet();
      this.#tell("ready");
    } catch (error) {
      if (signal.aborted || this.tokens.gone) return;
      this.#tell("trouble", { kind: "network" });
    }
  }

  #streamOptions() {
    return {
      start: this.pictures.time(this.wanted ?? 0),
      length: (this.film.frames * this.film.den) / this.film.num,
      building: this.film.building,
      workerPath: this.film.workerPath,
      onError: (kind) => this.#onTrouble(kind),
      onLevels: (heights, level) => this.#tell("levels", { heights, ...level }),
      onBuffered: () => this.#tell("buffered"),
      onEdge: (seconds) => {
        this.edge = seconds === null ? null : Math.floor((seconds * this.film.num) / this.film.den);
        this.#tell("limit");
      },
    };
  }

  #meet() {
    if (!this.opened) return this.ready.then(() => this.frame);
    if (this.wanted === null && !this.running) return Promise.resolve(this.frame);
    this.running ??= this.#meetAll().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async #meetAll() {
    const { signal } = this.life;
    const slow = setTimeout(() => this.#tellState(true), 400);
    try {
      while (this.wanted !== null) {
        this.wanted = this.#clamp(this.wanted);
        const { asked, shown } = await this.pictures.show(() => this.wanted, (time) => this.stream.unstick(time), signal);
        if (this.wanted === asked) this.wanted = null;
        this.#onFrame(shown);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearTimeout(slow);
      this.#tellState();
    }
    return this.frame;
  }

  #clamp(n) {
    return Math.min(Math.max(0, Math.round(n)), this.last);
  }

  #onFrame(frame) {
    this.frame = Math.min(frame, this.film.frames - 1);
    this.#tell("frame", { frame: this.frame });
  }

  /** However it came to stop, the picture, the clock and a comment agree. */
  #onPause() {
    this.video.playbackRate = 1;
    this.wanted ??= this.reverse.speed ? null : this.#clamp(this.frame);
    this.#tellState();
    this.#meet();
  }

  #onTrouble(kind) {
    if (kind === "expired") return this.reload();
    return this.#tell("trouble", { kind });
  }

  #onGone(status) {
    this.stream?.stop();
    this.video.pause();
    this.#tell("trouble", { kind: status === 401 ? "signed-out" : "gone" });
  }

  #tellState(waiting = false) {
    this.#tell("state", { playing: this.playing, speed: this.speed, waiting });
  }

  #tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function faster(speed) {
  return SPEEDS[Math.min(SPEEDS.indexOf(speed) + 1, SPEEDS.length - 1)];
}

/** `promise`, or the reason of `signal` when that comes first. */
function raceAbort(promise, signal) {
  return Promise.race([
    promise,
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    }),
  ]);
}
