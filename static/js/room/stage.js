/** The stage: the shape of the picture, and what is said on it when there is no picture. */

const TROUBLES = {
  network: ["The picture could not be loaded.", "The connection to the preview broke off. Comments go on working."],
  media: ["This browser could not play the preview.", "Another try often helps. Comments go on working."],
  nothing: ["There is no preview for this browser.", "The preview is streamed in a way that it cannot play. A current browser can."],
  gone: ["You can no longer watch this.", "It was withdrawn or moved. Ask the person who showed it to you."],
  "signed-out": ["You are signed out.", "Sign in again in another tab, then try again. Your text is kept."],
};
const FINAL = new Set(["gone"]); // no other try helps

export class Stage {
  constructor() {
    this.note = document.getElementById("stage-note");
    this.wait = document.getElementById("stage-wait");
    this.again = this.note.querySelector("[data-note-again]");
    this.again.addEventListener("click", () => this.#tryAgain());
    addEventListener("online", () => this.trouble === "network" && this.#tryAgain());
    // A page that nobody looks at asks for nothing.
    document.addEventListener("htmx:before:request", (event) => {
      const { ctx } = event.detail;
      if (document.hidden && ctx.sourceEvent?.type === "every") event.preventDefault();
    });
  }

  attach(player, film) {
    this.player = player;
    document.getElementById("picture").style.setProperty("--ratio", film.width / film.height);
    player.addEventListener("trouble", ({ detail }) => this.#say(detail.kind));
    player.addEventListener("state", ({ detail }) => this.#showWait(detail.waiting));
    player.addEventListener("frame", () => this.#showWait(false));
    player.addEventListener("ready", () => this.#clear());
    this.#showWait(true);
  }

  #say(kind) {
    const [title, text] = TROUBLES[kind] ?? TROUBLES.media;
    this.trouble = kind;
    this.note.querySelector("[data-note-title]").textContent = title;
    this.note.querySelector("[data-note-text]").textContent = text;
    this.again.hidden = FINAL.has(kind);
    document.body.classList.toggle("nothing-plays", FINAL.has(kind));
    this.note.hidden = false;
    this.#showWait(false);
  }

  #clear() {
    this.trouble = null;
    this.note.hidden = true;
    this.#showWait(false);
  }

  #tryAgain() {
    this.#clear();
    this.#showWait(true);
    this.player.reload();
  }

  #showWait(waiting) {
    this.wait.hidden = !waiting || !this.note.hidden;
  }
}
