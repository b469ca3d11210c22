/**
 * Which frame is on the screen, and exact seeks. `currentTime` does not name the picture; the media time of the
 * last presented frame does, rounded. A seek goes to the middle of a frame and is done when the browser has said
 * both "seeked" and which picture it shows.
 */

const PICTURE_WAIT = 400; // ms after "seeked": very rarely no picture is announced
const SLOW = 300; // ms without "seeked" after which a newer wish is taken up
const STUCK = 1000; // ms of seeking in a buffered place
const TICK = 100; // ms
const RESCUES = 3;
const RETREAT = 16; // frames: where even that does not help, the nearest picture that can be had is before it

export class Pictures {
  /**
   * @param {HTMLVideoElement} video
   * @param {{num: number, den: number}} rate exact
   * @param {(frame: number) => void} onFrame called with each presented frame
   */
  constructor(video, rate, onFrame) {
    this.video = video;
    this.rate = rate;
    this.onFrame = onFrame;
    this.offset = 0; // media time of frame 0
    this.waiter = null;
    this.announced = typeof video.requestVideoFrameCallback === "function";
    if (this.announced) video.requestVideoFrameCallback((_, meta) => this.#presented(meta));
    else requestAnimationFrame(() => this.#guess());
  }

  time(frame) {
    return ((frame + 0.5) * this.rate.den) / this.rate.num + this.offset;
  }

  #frameAt(mediaTime, round = Math.round) {
    return Math.max(0, round(((mediaTime - this.offset) * this.rate.num) / this.rate.den));
  }

  #presented({ mediaTime }) {
    this.video.requestVideoFrameCallback((_, meta) => this.#presented(meta));
    const frame = this.#frameAt(mediaTime);
    if (this.waiter) this.waiter(frame);
    else this.onFrame(frame);
  }

  /** Where frames are not announced: the clock is good enough to show while playing, not to stop on. */
  #guess() {
    requestAnimationFrame(() => this.#guess());
    if (!this.video.paused && !this.waiter) this.onFrame(this.#frameAt(this.video.currentTime, Math.floor));
  }

  /**
   * Shows the frame that `wanted()` names and resolves with
   * `{asked, shown}`: the frame last sought and the one that is on the screen.
   *
   * @param {() => number} wanted read again while the network is slow, so that a newer wish need not wait
   * @param {(time: number) => Promise<void>} unstick see HlsStream.unstick
   * @param {AbortSignal} signal ends it with an AbortError
   */
  async show(wanted, unstick, signal) {
    signal.throwIfAborted();
    const seek = new Seek(this, wanted, unstick);
    const abort = () => seek.fail(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      return await seek.done;
    } finally {
      signal.removeEventListener("abort", abort);
      seek.end();
    }
  }

  buffered(time) {
    const { buffered } = this.video;
    for (let i = 0; i < buffered.length; i += 1) if (buffered.start(i) <= time && time < buffered.end(i)) return true;
    return false;
  }
}

/** One exact seek under way. */
class Seek {
  constructor(pictures, wanted, unstick) {
    this.pictures = pictures;
    this.wanted = wanted;
    this.unstick = unstick;
    this.rescues = 0;
    this.rescuing = false;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.fail = reject;
    });
    this.onSeeked = () => this.#seeked();
    pictures.video.addEventListener("seeked", this.onSeeked);
    this.timer = setInterval(() => this.#tick(), TICK);
    // Asked for before the seek: the picture may come first.
    pictures.waiter = (frame) => this.#pictured(frame);
    this.#start();
  }

  #start(retreat = 0) {
    this.asked = this.wanted();
    this.frame = Math.max(0, this.asked - retreat);
    this.began = performance.now();
    this.seekedAt = 0;
    this.picture = null;
    this.pictures.video.currentTime = this.pictures.time(this.frame);
  }

  async #seeked() {
    if (this.rescuing) return;
    this.seekedAt = performance.now();
    if (!this.pictures.announced) {
      await twoPaints();
      this.picture = this.frame;
    }
    this.#check();
  }

  #pictured(frame) {
    this.picture = frame;
    this.#check();
  }

  #check() {
    if (this.seekedAt && !this.rescuing && this.picture === this.frame) this.#finish(this.frame);
  }

  #tick() {
    if (this.rescuing) return;
    const now = performance.now();
    if (this.seekedAt) {
      if (now - this.seekedAt > PICTURE_WAIT) this.#finish(this.picture ?? this.frame);
    } else if (now - this.began > SLOW && this.wanted() !== this.asked) {
      this.#start();
    } else if (now - this.began > STUCK && this.pictures.buffered(this.pictures.time(this.frame))) {
      this.#rescue();
    }
  }

  #finish(shown) {
    this.resolve({ asked: this.asked, shown });
  }

  async #rescue() {
    this.rescues += 1;
    this.rescuing = true;
    await this.unstick(this.pictures.time(this.frame));
    this.rescuing = false;
    if (this.timer) this.#start(this.rescues > RESCUES ? RETREAT * (this.rescues - RESCUES) : 0);
  }

  end() {
    clearInterval(this.timer);
    this.timer = 0;
    this.pictures.video.removeEventListener("seeked", this.onSeeked);
    this.pictures.waiter = null;
  }
}

function twoPaints() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(resolve));
  });
}
