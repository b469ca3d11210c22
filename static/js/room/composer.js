/**
 * Writing a comment. It follows the frame on the screen until somebody types; then it stays on that frame. The
 * text is kept in this browser until the server has said that it stored the comment.
 */

import { keep, kept } from "./keep.js";

export class Composer {
  constructor() {
    this.form = document.getElementById("composer");
    this.text = document.getElementById("comment-body");
    this.field = document.getElementById("frame-in");
    this.error = () => document.getElementById("comment-error");
    this.chip = document.getElementById("at-frame");
    this.current = document.getElementById("at-current");
    this.key = this.form.dataset.draftKey;
    this.pinned = null;
    this.#restore();
    this.text.addEventListener("input", () => this.#onInput());
    this.text.addEventListener("keydown", (event) => this.#onKey(event));
    this.form.addEventListener("htmx:after:request", ({ detail }) => this.#onAnswer(detail.ctx.response.status));
    this.form.addEventListener("htmx:error", () => this.#say("The comment was not sent. Your text is kept; try again in a moment."));
  }

  attach(player, timecode) {
    this.player = player;
    this.timecode = timecode;
    this.field.closest("label").hidden = true;
    this.chip.hidden = false;
    player.addEventListener("frame", () => this.#show());
    this.chip.addEventListener("click", () => player.show(this.frame));
    this.current.addEventListener("click", () => {
      this.pinned = player.frame;
      this.#keep();
      this.#show();
      this.text.focus();
    });
    this.#show();
  }

  /** The frame that the comment is about. */
  get frame() {
    return this.pinned ?? this.player.frame;
  }

  /** Stops on the frame on the screen and puts the caret into the field. */
  begin() {
    if (this.player.playing) this.player.pause();
    this.text.focus();
  }

  #show() {
    const { player } = this;
    this.field.value = this.frame;
    this.chip.querySelector("[data-at-label]").textContent = this.timecode.label(this.frame);
    this.chip.classList.toggle("here", this.frame === player.frame);
    const away = this.pinned !== null && this.pinned !== player.frame && !player.playing;
    this.current.hidden = !away;
    if (away) this.current.querySelector("[data-at-current]").textContent = this.timecode.label(player.frame);
  }

  async #onInput() {
    this.#grow();
    this.#say("");
    const empty = !this.text.value.trim();
    if (empty) this.pinned = null;
    else if (this.pinned === null && this.player) await this.#pin();
    this.#keep();
    if (this.player) this.#show();
  }

  /** What is read back after stopping is what the person saw. */
  async #pin() {
    const { player } = this;
    this.pinned = player.frame;
    if (player.playing) this.pinned = await player.pause();
  }

  #onKey(event) {
    if (event.key === "Escape") this.text.blur();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.form.requestSubmit();
    }
  }

  #onAnswer(status) {
    if (status >= 200 && status < 300) {
      this.text.value = "";
      this.pinned = null;
      keep(this.key, null);
      this.#grow();
      this.#say("");
      if (this.player) this.#show();
    } else if (status !== 422) {
      this.#say(status === 401 || status === 403 ? "You may not comment here any more. Your text is kept in this browser." : "The comment was not stored. Your text is kept; try again in a moment.");
    }
  }

  #say(sentence) {
    const error = this.error();
    error.textContent = sentence;
    error.hidden = !sentence;
  }

  #keep() {
    const body = this.text.value;
    keep(this.key, body.trim() ? { body, frame: this.pinned ?? Number(this.field.value) } : null);
  }

  /** A draft of this browser, unless the server has sent back a refused one. */
  #restore() {
    if (this.text.value.trim()) {
      this.pinned = Number(this.field.value);
    } else {
      const draft = kept(this.key);
      if (draft) [this.text.value, this.pinned] = [draft.body, draft.frame];
    }
    this.#grow();
  }

  #grow() {
    this.text.rows = Math.min(8, Math.max(1, this.text.value.split("\n").length));
  }
}
