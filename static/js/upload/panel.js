/* The panel of uploads: takes files from inputs and drops, refuses what cannot be sent, sends one after another,
   and tells from the asset sheet what becomes of them. */

import { bytes } from "./format.js";
import { Row } from "./row.js";
import { Upload } from "./uploader.js";

export class Panel {
  #items = [];
  #busy = false;

  /** `page` carries data-project, data-presign, data-max-bytes, data-max-human and perhaps data-collection; `panel` is the <details>. */
  constructor(page, panel, template) {
    this.page = page;
    this.panel = panel;
    this.template = template;
    addEventListener("beforeunload", (event) => this.#items.some(isOpen) && event.preventDefault());
    addEventListener("online", () => this.#redraw());
    addEventListener("offline", () => this.#redraw());
    document.addEventListener("htmx:after:swap", () => this.#report());
  }

  /** Puts `files` in the queue. Nothing of a refused file leaves this machine. */
  add(files) {
    for (const file of files) this.#admit(file);
    this.panel.hidden = this.#items.length === 0;
    this.panel.open = true;
    this.#headline();
    this.#drain();
  }

  #admit(file) {
    const item = { file, upload: null, row: null };
    item.row = new Row(this.template, file.name, {
      cancel: () => this.#cancel(item),
      retry: () => this.#retry(item),
      dismiss: () => this.#remove(item),
    });
    const reason = this.#fault(file);
    if (reason) item.row.refuse(reason);
    else this.#prepare(item);
    this.#items.push(item);
    this.panel.querySelector("[data-rows]").append(item.row.element);
  }

  #prepare(item) {
    const { project, presign, collection } = this.page.dataset;
    const target = { presignHref: presign, projectId: project, title: title(item.file.name), collectionId: collection };
    item.upload = new Upload(item.file, target);
    item.upload.addEventListener("state", () => this.#headline());
    item.upload.addEventListener("progress", () => this.#rate(item.upload));
    item.row.follow(item.upload);
  }

  #fault(file) {
    const limit = Number(this.page.dataset.maxBytes || Infinity);
    if (file.isFolder) return "Folders are not taken yet. Drop the files in it. Nothing was sent.";
    if (file.size === 0) return "This file is empty (zero bytes). It was not sent.";
    if (file.size > limit) return `This file has ${bytes(file.size)}; ${this.page.dataset.maxHuman} is the most. It was not sent.`;
    return "";
  }

  async #drain() {
    if (this.#busy) return;
    this.#busy = true;
    for (let item = this.#waiting(); item; item = this.#waiting()) {
      await item.upload.run();
      if (item.upload.state === "done") this.#refresh();
    }
    this.#busy = false;
    this.#headline();
  }

  #waiting() {
    return this.#items.find(({ upload }) => upload?.state === "waiting");
  }

  #retry(item) {
    item.upload.again();
    this.#drain();
  }

  #cancel(item) {
    item.upload.cancel();
    this.#remove(item);
  }

  #remove(item) {
    if (item.upload?.state === "failed") item.upload.cancel();
    this.#items = this.#items.filter((other) => other !== item);
    item.row.element.remove();
    this.panel.hidden = this.#items.length === 0;
    if (!this.panel.hidden) this.panel.querySelector("summary").focus();
    this.#headline();
  }

  #headline() {
    const uploads = this.#items.map(({ upload }) => upload).filter(Boolean);
    const done = uploads.filter(({ state }) => state === "done").length;
    const open = uploads.filter(({ state }) => ["waiting", "sending", "finishing"].includes(state)).length;
    const failed = this.#items.length - done - open;
    let text = `Uploading ${done + 1} of ${done + open}`;
    if (!open) text = failed ? `${failed} not uploaded` : `${done} uploaded`;
    const headline = this.panel.querySelector("[data-headline]");
    if (headline.textContent !== text) headline.textContent = text;
    if (!uploads.some(({ state }) => state === "sending")) this.panel.querySelector("[data-rate]").textContent = "";
  }

  #rate(upload) {
    this.panel.querySelector("[data-rate]").textContent = upload.rate ? `${bytes(upload.rate)}/s` : "";
  }

  #redraw() {
    for (const { upload, row } of this.#items) if (upload && upload.state !== "done") row.draw();
  }

  /* Brings the new tile; while anything is unsettled the sheet then polls by itself. */
  #refresh() {
    const sheet = document.getElementById("asset-sheet");
    if (sheet) globalThis.htmx?.ajax("GET", sheet.dataset.href, { target: "#asset-sheet", swap: "outerMorph" });
  }

  #report() {
    for (const { upload, row } of this.#items) {
      const tile = upload?.result?.assetId && document.getElementById(`tile-${upload.result.assetId}`);
      if (!tile) continue;
      const state = tile.querySelector(".state");
      const detail = tile.querySelector(".why, .facts-line > span");
      row.report(state.textContent.trim(), tile.dataset.settled === "true" ? "" : detail?.textContent.trim(), state.className.replace("state", "").trim());
    }
  }
}

function isOpen({ upload }) {
  return ["waiting", "sending", "finishing"].includes(upload?.state);
}

/** "NB_R2_GRADE_v04.mov" → "NB_R2_GRADE_v04". */
function title(name) {
  return (name.replace(/\.[^.]{1,5}$/, "") || name).slice(0, 200);
}
