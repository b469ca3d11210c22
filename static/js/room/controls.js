/** The transport: buttons, the clock that can be typed into, sound, quality, full screen, the list of keys. */

import { keep, kept } from "./keep.js";

const VOLUME = "rushes.volume";

export class Controls {
  constructor(player, timecode, comments) {
    this.player = player;
    this.comments = comments;
    this.timecode = timecode;
    this.bar = document.getElementById("transport");
    this.clock = document.getElementById("clock-input");
    this.bar.addEventListener("click", (event) => this.#onClick(event));
    this.#startClock();
    this.#startSound();
    this.#startQuality();
    player.addEventListener("state", ({ detail }) => this.#showState(detail));
    document.addEventListener("fullscreenchange", () => this.#nameFullScreen());
  }

  #onClick(event) {
    const button = event.target.closest("[data-do]");
    const acts = {
      back: () => this.player.step(-1),
      forward: () => this.player.step(1),
      toggle: () => this.player.toggle(),
      previous: () => this.comments.go(-1),
      next: () => this.comments.go(1),
      mute: () => this.mute(),
      full: () => this.fullScreen(),
      keys: () => this.showKeys(),
    };
    acts[button?.dataset.do]?.();
  }

  #showState({ playing, speed }) {
    const button = this.bar.querySelector("[data-do=toggle]");
    button.setAttribute("aria-label", playing ? "Stop" : "Play");
    button.title = playing ? "Stop  Space" : "Play  Space";
    button.classList.toggle("moving", playing);
    const shown = document.getElementById("speed");
    shown.hidden = speed === 0 || speed === 1;
    shown.textContent = `${speed < 0 ? "−" : ""}${Math.abs(speed)}×`;
  }

  #startClock() {
    const { clock, player } = this;
    const number = this.bar.querySelector("[data-frame-number]");
    const show = (frame) => {
      number.textContent = frame.toLocaleString("en").replaceAll(",", " ");
      if (document.activeElement !== clock) clock.value = this.timecode.label(frame);
    };
    this.bar.querySelector("[data-length]").textContent = this.timecode.length(player.film.frames);
    player.addEventListener("frame", ({ detail }) => show(detail.frame));
    show(player.frame);
    clock.addEventListener("focus", () => clock.select());
    clock.addEventListener("input", () => clock.removeAttribute("aria-invalid"));
    clock.addEventListener("blur", () => {
      clock.removeAttribute("aria-invalid");
      show(player.frame);
    });
    clock.addEventListener("keydown", (event) => event.key === "Escape" && clock.blur());
    clock.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#goToTyped();
    });
  }

  #goToTyped() {
    const { player } = this;
    const frame = this.timecode.parse(this.clock.value, player.frame, player.film.frames);
    if (frame === null) {
      this.clock.setAttribute("aria-invalid", "true");
      this.clock.select();
      return;
    }
    player.show(frame);
    this.clock.blur();
  }

  /** Puts the caret into the clock, everything selected. */
  typeTimecode() {
    this.clock.focus();
  }

  #startSound() {
    const { video } = this.player;
    const volume = document.getElementById("volume");
    const button = this.bar.querySelector("[data-do=mute]");
    button.hidden = volume.hidden = !this.player.film.audio;
    const before = kept(VOLUME, {});
    video.volume = before.volume ?? 1;
    video.muted = before.muted ?? false;
    const show = () => {
      button.setAttribute("aria-pressed", String(video.muted));
      volume.value = video.muted ? 0 : video.volume;
      keep(VOLUME, { volume: video.volume, muted: video.muted });
    };
    video.addEventListener("volumechange", show);
    show();
    volume.addEventListener("input", () => {
      video.volume = Number(volume.value);
      video.muted = video.volume === 0;
    });
  }

  mute() {
    const { video } = this.player;
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 1;
  }

  #startQuality() {
    const picker = document.getElementById("quality");
    const menu = picker.querySelector("[data-quality-menu]");
    const now = picker.querySelector("[data-quality-now]");
    this.player.addEventListener("levels", ({ detail: { heights, shown, auto } }) => {
      picker.hidden = heights.length < 2;
      now.textContent = shown ? `${shown}p${auto ? " auto" : ""}` : "Auto";
      menu.replaceChildren(this.#choice(0, "Automatic", auto), ...heights.map((h) => this.#choice(h, `${h}p`, !auto && h === shown)));
    });
    menu.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      picker.open = false;
      this.player.setLevel(Number(button.dataset.height));
    });
  }

  #choice(height, label, chosen) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.height = height;
    button.textContent = label;
    button.classList.toggle("at", chosen);
    if (chosen) button.setAttribute("aria-current", "true");
    return button;
  }

  fullScreen() {
    const { video } = this.player;
    const viewer = document.getElementById("main");
    if (document.fullscreenElement) document.exitFullscreen();
    else if (viewer.requestFullscreen) viewer.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  }

  #nameFullScreen() {
    const label = document.fullscreenElement ? "Leave full screen" : "Full screen";
    this.bar.querySelector("[data-do=full]").setAttribute("aria-label", label);
  }

  showKeys() {
    document.getElementById("keys-dialog").showModal();
  }
}
