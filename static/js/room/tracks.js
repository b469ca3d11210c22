/**
 * What lies behind the timeline: small pictures of the whole film, and the waveform. Either may be missing, or come
 * later than the picture. Both are drawn on canvases as wide as the timeline; a tile follows the pointer.
 */

const CUE = /(\d+):(\d+):(\d+\.\d+) --> [^\n]*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;
const LOUDEST = 127; // of eight bits: the sound is cut off there

export class Tracks {
  /** @param player tells "playback" with the addresses of the moment */
  constructor(player) {
    this.player = player;
    this.seconds = (player.film.frames * player.film.den) / player.film.num;
    this.root = document.getElementById("timeline");
    this.tile = document.getElementById("hover-tile");
    this.cues = [];
    this.sheets = new Map();
    this.wave = null;
    this.asked = { storyboard: false, waveform: false };
    this.canvases = { pictures: this.root.querySelector("[data-pictures]"), sound: this.root.querySelector("[data-sound]"), heard: this.root.querySelector("[data-heard]") };
    player.addEventListener("playback", ({ detail }) => this.load(detail));
    if (player.playback) this.load(player.playback);
    const size = new ResizeObserver(() => this.draw());
    size.observe(this.canvases.pictures);
    size.observe(this.canvases.sound);
    for (const input of document.getElementsByName("theme")) input.addEventListener("change", () => requestAnimationFrame(() => this.draw()));
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.draw());
  }

  /** Fetches what is there now and was not before. */
  async load(playback) {
    await Promise.all([this.#fetch("storyboard", playback, (text, url) => this.#readBoard(text, url)), this.#fetch("waveform", playback, (text) => this.#readWave(text))]);
  }

  /** Asks again when the preview has gone on and something was missing. */
  refresh() {
    if (Object.values(this.asked).includes(false)) this.player.tokens.renew().then((playback) => this.load(playback), () => {});
  }

  async #fetch(kind, playback, read) {
    if (!playback[kind] || this.asked[kind]) return;
    this.asked[kind] = true;
    try {
      const url = await this.player.tokens.fresh(playback[kind]);
      const answer = await fetch(url, { signal: AbortSignal.timeout(20_000) });
      if (!answer.ok) throw new Error(`${kind}: ${answer.status}`);
      read(await answer.text(), url);
      this.draw();
    } catch {
      this.asked[kind] = false; // the timeline works without it
    }
  }

  #readBoard(text, url) {
    this.board = url;
    this.cues = [...text.matchAll(CUE)].map(([, hours, minutes, seconds, sheet, ...box]) => ({
      from: Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds),
      sheet,
      box: box.map(Number),
    }));
    this.root.classList.toggle("with-pictures", this.cues.length > 0);
  }

  #readWave(text) {
    const wave = JSON.parse(text);
    if (wave.version !== 2 || !wave.length) return;
    this.wave = wave;
    this.root.classList.add("with-sound");
  }

  /** The tile of a moment: the last that begins before it. */
  #cueAt(seconds) {
    let low = 0;
    let high = this.cues.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.cues[middle].from <= seconds) low = middle;
      else high = middle - 1;
    }
    return this.cues[low];
  }

  /** A sheet of tiles as an image, loaded once. */
  #sheet(name) {
    if (!this.sheets.has(name)) {
      const image = new Image();
      const loaded = this.player.tokens
        .fresh(new URL(name, new URL(this.board, location.href)).href)
        .then((url) => {
          image.src = url;
          return image.decode();
        })
        .then(() => image);
      loaded.catch(() => this.sheets.delete(name));
      this.sheets.set(name, loaded);
    }
    return this.sheets.get(name);
  }

  draw() {
    if (this.cues.length) this.#drawPictures();
    if (this.wave) this.#drawSound();
  }

  /** As many tiles as fit in their shape, each from the middle of its place. */
  #drawPictures() {
    const pen = open(this.canvases.pictures);
    if (!pen) return;
    const { width, height } = pen.canvas;
    const [, , tileWidth, tileHeight] = this.cues[0].box;
    const count = Math.max(1, Math.round(width / ((height * tileWidth) / tileHeight)));
    const step = width / count;
    for (let i = 0; i < count; i += 1) {
      const { sheet, box } = this.#cueAt(((i + 0.5) / count) * this.seconds);
      this.#sheet(sheet).then((image) => {
        if (pen.canvas.width === width) pen.drawImage(image, ...covering(box, step, height), i * step, 0, step, height);
      }, () => {});
    }
  }

  /** The waveform twice: as it is, and brighter for what was played (the style clips it). */
  #drawSound() {
    for (const canvas of [this.canvases.sound, this.canvases.heard]) {
      const pen = open(canvas);
      if (!pen) continue;
      pen.clearRect(0, 0, canvas.width, canvas.height);
      const style = getComputedStyle(canvas);
      const middle = canvas.height / 2;
      const clipped = [];
      pen.fillStyle = style.color;
      for (let x = 0; x < canvas.width; x += 1) {
        const [low, high] = this.#peak(x / canvas.width, (x + 1) / canvas.width);
        const top = Math.floor(middle - (high / 128) * middle);
        pen.fillRect(x, top, 1, Math.max(1, Math.round(((high - low) / 128) * middle)));
        if (high >= LOUDEST || low < -LOUDEST) clipped.push(x);
      }
      pen.fillStyle = style.outlineColor;
      for (const x of clipped) pen.fillRect(x, 0, 1, 2 * devicePixelRatio);
    }
  }

  /** Lowest and highest sample between two shares of the film. */
  #peak(from, to) {
    const { data, length, sample_rate: rate, samples_per_pixel: size } = this.wave;
    const points = (this.seconds * rate) / size;
    const last = Math.max(Math.floor(from * points) + 1, Math.ceil(to * points));
    let [low, high] = [0, 0];
    for (let i = Math.floor(from * points); i < Math.min(last, length); i += 1) {
      low = Math.min(low, data[2 * i]);
      high = Math.max(high, data[2 * i + 1]);
    }
    return [low, high];
  }

  /** Shows the small picture of a frame above the pointer; `null` hides it. */
  async point(frame) {
    this.pointed = frame;
    this.tile.hidden = frame === null || !this.cues.length;
    if (this.tile.hidden) return;
    const { film } = this.player;
    const { sheet, box } = this.#cueAt((frame * film.den) / film.num);
    this.tile.style.setProperty("--at", frame / film.frames);
    const image = await this.#sheet(sheet).catch(() => null);
    if (!image || this.pointed !== frame) return;
    [, , this.tile.width, this.tile.height] = box;
    this.tile.getContext("2d").drawImage(image, ...box, 0, 0, box[2], box[3]);
  }
}

/** The pen of a canvas in device pixels; null while it is not shown. */
function open(canvas) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((length) => Math.round(length * devicePixelRatio));
  if (!width || !height) return null;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return canvas.getContext("2d");
}

/** The part of a box that has the shape of width × height, from its middle. */
function covering([x, y, boxWidth, boxHeight], width, height) {
  const cut = Math.min(boxWidth, (boxHeight * width) / height);
  const kept = Math.min(boxHeight, (boxWidth * height) / width);
  return [x + (boxWidth - cut) / 2, y + (boxHeight - kept) / 2, cut, kept];
}
