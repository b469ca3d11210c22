/**
 * Puts a preview into a <video>: hls.js where it works, else the browser's own HLS, else the MP4 proxy.
 * Knows tokens and errors, nothing about frames.
 */

const TAIL = 3; // seconds: a session that starts nearer to the end never gets the last two pictures

/** Resolves with the first `name` event of `target`, or with null after `limit` ms. */
export function happens(target, name, limit = Infinity) {
  return new Promise((resolve) => {
    const timer = limit === Infinity ? 0 : setTimeout(() => finish(null), limit);
    const finish = (event) => {
      clearTimeout(timer);
      target.removeEventListener(name, finish);
      resolve(event);
    };
    target.addEventListener(name, finish);
  });
}

/** Opens `playback` at `start` seconds of `length`; the returned stream has `opened`, a promise. */
export function openStream(video, playback, tokens, options) {
  const Hls = window.Hls;
  if (playback.hls && Hls?.isSupported()) return new HlsStream(Hls, video, playback.hls, tokens, options);
  if (playback.hls && video.canPlayType("application/vnd.apple.mpegurl")) return new FileStream(video, playback.hls, tokens, options);
  if (playback.mp4) return new FileStream(video, playback.mp4, tokens, options);
  return null;
}

export class HlsStream {
  constructor(Hls, video, url, tokens, { start, length, building, workerPath, onError, onLevels, onEdge, onBuffered }) {
    this.Hls = Hls;
    this.video = video;
    this.tokens = tokens;
    this.onError = onError;
    this.offset = 0; // media time of frame 0, in seconds
    this.recovered = 0;
    const hls = new Hls({
      ...tokens.hlsConfig(Hls),
      startPosition: building ? 0 : Math.max(0, Math.min(start, length - TAIL)),
      startLevel: building ? 0 : undefined,
      workerPath,
      backBufferLength: 90,
    });
    this.hls = hls;
    const { Events } = Hls;
    hls.on(Events.INIT_PTS_FOUND, (_, data) => this.#onInit(data));
    hls.on(Events.ERROR, (_, data) => this.#onFault(data));
    hls.on(Events.LEVEL_SWITCHED, () => onLevels(this.levels, this.level));
    hls.on(Events.LEVEL_UPDATED, (_, { details }) => onEdge(details.live ? details.edge : null));
    hls.on(Events.BUFFER_APPENDED, onBuffered); // "progress" of the video does not come for the last segments
    const parsed = this.#event(Events.MANIFEST_PARSED);
    // hls.js holds back the end of the stream until its first audio switch is closed; the promise is made before
    // the manifest is read, since the switch may be closed when the picture comes.
    this.switched = this.#event(Events.AUDIO_TRACK_SWITCHED);
    this.opened = this.#open(parsed, happens(video, "loadeddata"));
    hls.attachMedia(video);
    hls.loadSource(url);
    if (building) hls.autoLevelCapping = 0; // the other renditions do not exist yet; loadSource had reset it
    parsed.then(() => onLevels(this.levels, this.level));
  }

  async #open(parsed, loaded) {
    const { audioTracks } = await parsed;
    await loaded;
    if (audioTracks.length) await Promise.race([this.switched, after(3000)]);
  }

  #event(name) {
    return new Promise((resolve) => {
      this.hls.once(name, (_, data) => resolve(data));
    });
  }

  #onInit(data) {
    if (data.id !== "main") return;
    this.offset = -data.initPTS / data.timescale;
    if (Math.abs(this.offset) > 0.001) console.warn(`preview starts ${(this.offset * 1000).toFixed(1)} ms off its playlist`);
  }

  #onFault(data) {
    if (!data.fatal || this.tokens.gone) return;
    if (data.type === this.Hls.ErrorTypes.MEDIA_ERROR && this.recovered < 2) {
      this.recovered += 1;
      this.hls.recoverMediaError();
      return;
    }
    this.onError(data.type === this.Hls.ErrorTypes.NETWORK_ERROR ? "network" : "media");
  }

  /** Heights of the renditions, the largest first. */
  get levels() {
    return this.hls.levels.map((level) => level.height).sort((a, b) => b - a);
  }

  /** `{shown, auto}`: the height on the screen (0 when unknown) and whether hls.js chooses. */
  get level() {
    return { shown: this.hls.levels[this.hls.currentLevel]?.height ?? 0, auto: this.hls.autoLevelEnabled };
  }

  /** Chooses the rendition of `height`, or lets hls.js choose (0). Resolves when a paused picture must be asked for again. */
  async setLevel(height) {
    const index = this.hls.levels.findIndex((level) => level.height === height);
    if (index < 0) {
      this.hls.loadLevel = -1;
    } else if (this.video.paused) {
      this.hls.currentLevel = index;
      await Promise.race([this.#mainBuffered(), after(8000)]);
    } else {
      this.hls.nextLevel = index;
    }
  }

  /** The other renditions exist now: moves up without a gap, then hls.js chooses. */
  async ladderReady() {
    const { hls } = this;
    hls.autoLevelCapping = -1;
    hls.once(this.Hls.Events.LEVEL_SWITCHED, () => {
      hls.loadLevel = -1;
    });
    await this.setLevel(this.levels[0]);
  }

  #mainBuffered() {
    return new Promise((resolve) => {
      const listen = (_, { frag }) => {
        if (frag.type !== "main") return;
        this.hls.off(this.Hls.Events.FRAG_BUFFERED, listen);
        resolve();
      };
      this.hls.on(this.Hls.Events.FRAG_BUFFERED, listen);
    });
  }

  /** Frees a player that is stuck on the last pictures: from three seconds before `time` the decoder gets there. */
  async unstick(time) {
    this.video.currentTime = Math.max(0, time - TAIL);
    await happens(this.video, "seeked", 3000);
    await Promise.race([this.switched, after(1000)]);
  }

  stop() {
    this.hls.stopLoad();
  }

  destroy() {
    this.hls.destroy();
  }
}

/** A file, or a playlist that the browser reads by itself: its token cannot be renewed on the way. */
export class FileStream {
  constructor(video, url, tokens, { onError }) {
    this.video = video;
    this.offset = 0;
    this.levels = [];
    this.level = { shown: 0, auto: true };
    this.onFault = () => onError(tokens.until < Date.now() ? "expired" : "media");
    video.addEventListener("error", this.onFault);
    // A phone may not load a picture before somebody plays: what is known of the file must do then.
    const known = happens(video, "loadedmetadata").then(() => after(2000));
    this.opened = Promise.race([happens(video, "loadeddata"), known]);
    video.src = url;
    video.load();
  }

  async setLevel() {}

  async ladderReady() {}

  async unstick(time) {
    this.video.currentTime = Math.max(0, time - TAIL);
    await happens(this.video, "seeked", 3000);
  }

  stop() {}

  destroy() {
    this.video.removeEventListener("error", this.onFault);
    this.video.removeAttribute("src");
    this.video.load();
  }
}

export function after(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
