/* One file in the panel: its name, its progress, a sentence, and what can be done about it. */

import { bytes, share, timeLeft } from "./format.js";

export class Row {
  #upload;
  #frame = 0;

  /** `template` is the <template> of the page; `on` holds the callbacks cancel(), retry() and dismiss(). */
  constructor(template, name, on) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#find("name").textContent = name;
    this.#find("name").title = name;
    this.#find("meter").setAttribute("aria-label", name);
    this.name = name;
    this.#button("retry").addEventListener("click", on.retry);
    this.#button("cancel").addEventListener("click", () => (this.#upload && this.cancellable ? on.cancel() : on.dismiss()));
    this.#label();
  }

  get cancellable() {
    return ["waiting", "sending"].includes(this.#upload?.state);
  }

  /** Shows `upload` from now on. Progress is drawn once a frame, however often it comes. */
  follow(upload) {
    this.#upload = upload;
    upload.addEventListener("state", () => this.draw());
    upload.addEventListener("progress", () => {
      this.#frame ||= requestAnimationFrame(() => {
        this.#frame = 0;
        this.draw();
      });
    });
    this.draw();
  }

  /** A file that is not sent at all, and why. */
  refuse(reason) {
    this.#look("bad");
    this.#find("meter").hidden = true;
    this.#say(reason);
  }

  draw() {
    const upload = this.#upload;
    const percent = Math.floor((100 * upload.sent) / upload.file.size);
    const meter = this.#find("meter");
    meter.value = percent;
    meter.textContent = `${percent} %`;
    meter.hidden = upload.state === "done";
    this.#look({ failed: "bad", done: "done" }[upload.state] ?? "");
    this.#button("retry").hidden = upload.state !== "failed";
    this.#button("cancel").hidden = upload.state === "finishing";
    this.#label();
    this.#say(this.#sentence(upload, percent));
  }

  /** After the upload: what the asset's tile says. */
  report(word, detail, kind) {
    this.#look(`done ${kind}`);
    this.#say([word, detail].filter(Boolean).join(". "));
  }

  #sentence(upload, percent) {
    switch (upload.state) {
      case "waiting":
        return `${bytes(upload.file.size)}, waits for the file before it`;
      case "sending":
        if (!navigator.onLine) return `Stopped at ${percent} %, goes on when you are back online`;
        return [`${percent} %`, share(upload.sent, upload.file.size), timeLeft(upload.secondsLeft)].filter(Boolean).join(", ");
      case "finishing":
        return "All bytes are out. Closing the upload.";
      case "done":
        return "All bytes are here. Checking begins.";
      case "failed":
        return upload.error;
      default:
        return "";
    }
  }

  #label() {
    const cancel = this.cancellable;
    this.#button("cancel").setAttribute("aria-label", `${cancel ? "Cancel" : "Dismiss"} ${this.name}`);
    this.#button("retry").setAttribute("aria-label", `Try again ${this.name}`);
  }

  #look(kind) {
    this.element.className = kind;
  }

  #say(text) {
    const note = this.#find("note");
    if (note.textContent !== text) note.textContent = text;
  }

  #find(part) {
    return this.element.querySelector(`[data-${part}]`);
  }

  #button(act) {
    return this.element.querySelector(`[data-do="${act}"]`);
  }
}
