/* One file to the storage by presigned parts: four in flight, each with its SHA-256 signed into its URL, URLs asked for
   just before they are used, and a claim over the whole at the end. Stops and goes on where it stood. */

import { ApiError, call } from "./api.js";
import { Digests } from "./digests.js";
import { pause } from "./pause.js";
import { Speedometer } from "./speed.js";
import { PartError, put } from "./transfer.js";

const LANES = 4;
const TRIES = 5;
const BACKOFF_MS = 500;
/* Completing waits for the storage to join up to 10,000 parts. */
const COMPLETE_TIMEOUT_MS = 180_000;
/* Answers that say: this upload is over (unknown, aborted, expired). */
const GONE = new Set([404, 409, 410]);

/**
 * States: waiting → sending → finishing → done; failed (run() goes on where it stood); cancelled.
 * Events: "state" and "progress".
 */
export class Upload extends EventTarget {
  state = "waiting";
  /** A sentence for people, when failed. */
  error = "";
  /** What complete answered: {stagingKey, size, etag, assetId?, versionId?}. */
  result = null;

  #target;
  #id = null;
  #parts = [];
  #sent = 0;
  #queue = [];
  #ready = [];
  #refilling = null;
  #digests = null;
  #claim = null;
  #abort = new AbortController();
  #speed = new Speedometer();

  /** `target`: {presignHref, projectId, title, assetId?, collectionId?, backoff?}; backoff in milliseconds. */
  constructor(file, target) {
    super();
    this.file = file;
    this.#target = { backoff: BACKOFF_MS, ...target };
  }

  /** Bytes out so far, those of unfinished parts included. */
  get sent() {
    return this.#sent;
  }

  /** Bytes per second over the last seconds. */
  get rate() {
    return this.#speed.rate;
  }

  get secondsLeft() {
    return this.rate ? (this.file.size - this.sent) / this.rate : Infinity;
  }

  /** Sends the file, or goes on after a failure. Resolves when the state is done, failed or cancelled; never rejects. */
  async run() {
    this.#abort = new AbortController();
    this.#become("sending");
    try {
      if (!this.#id) await this.#open();
      await this.#sendParts();
      this.#become("finishing");
      this.result = await this.#complete();
      this.#digests.close();
      this.#become("done");
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** Puts a failed upload back in the queue. */
  again() {
    if (this.state === "failed") this.#become("waiting");
  }

  /** Stops the transfer and deletes what arrived. Too late once everything is there. */
  async cancel() {
    if (this.state === "finishing" || this.state === "done") return;
    const running = this.state === "sending";
    this.#become("cancelled");
    this.#abort.abort();
    /* While it runs, giveUp() deletes: only there every request has ended. */
    if (!running) await this.#discard();
  }

  async #open() {
    const { presignHref, projectId, title, assetId, collectionId } = this.#target;
    const { name, size, type } = this.file;
    /* Not aborted by cancel: an upload that the server opened has to be known, to be deleted. */
    const opened = await call("POST", presignHref, {
      projectId,
      name,
      size,
      type: type || "application/octet-stream",
      mapping: assetId ? { projectId, assetId } : { projectId, title, ...(collectionId && { collectionId }) },
    });
    this.#id = opened.uploadId;
    this.#digests = new Digests(this.file);
    for (let start = 0, number = 1; start < size; start += opened.partSize, number += 1) {
      this.#parts.push({ number, start, end: Math.min(start + opened.partSize, size), digest: null, sent: 0, stored: false });
    }
    this.#abort.signal.throwIfAborted();
  }

  async #sendParts() {
    this.#queue = this.#parts.filter((part) => !part.stored);
    this.#ready = [];
    this.#speed.forget();
    const lanes = Array.from({ length: LANES }, () => this.#lane());
    try {
      await Promise.all(lanes);
    } catch (error) {
      this.#abort.abort(error);
      await Promise.allSettled([...lanes, this.#refilling]);
      throw error;
    }
  }

  async #lane() {
    for (let job = await this.#take(); job; job = await this.#take()) await this.#send(job);
  }

  /** The next signed part, or null when none is left. Signs the following few meanwhile. */
  async #take() {
    while (this.#ready.length || (await this.#refill())) {
      const job = this.#ready.shift();
      if (!job) continue;
      /* A failure here shows again, and counts, when a lane waits for it. */
      if (!this.#ready.length && this.#queue.length) this.#refill().catch(() => {});
      return job;
    }
    return null;
  }

  #refill() {
    this.#refilling ??= this.#prepare().finally(() => (this.#refilling = null));
    return this.#refilling;
  }

  async #prepare() {
    const batch = this.#queue.slice(0, LANES);
    if (!batch.length) return false;
    for (const part of batch) {
      this.#abort.signal.throwIfAborted();
      part.digest ??= await this.#digests.part(part.start, part.end);
    }
    const signed = await this.#sign(batch);
    this.#queue.splice(0, batch.length);
    this.#ready.push(...signed);
    return true;
  }

  /** [{part, url, headers}] in the order of `parts`. */
  async #sign(parts) {
    const asked = parts.map(({ number, start, end, digest }) => ({ number, size: end - start, sha256: digest }));
    const answer = await this.#insist(`/api/uploads/${this.#id}/parts`, { parts: asked });
    const byNumber = new Map(answer.parts.map((signed) => [signed.number, signed]));
    return parts.map((part) => ({ part, ...byNumber.get(part.number) }));
  }

  async #send({ part, url, headers }) {
    const { signal } = this.#abort;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await put(url, headers, this.file.slice(part.start, part.end), { signal, onProgress: (sent) => this.#note(part, sent) });
        part.stored = true;
        return this.#note(part, part.end - part.start);
      } catch (error) {
        this.#note(part, 0);
        if (!(error instanceof PartError) || error.status === 404) throw error;
        if (navigator.onLine) {
          if (attempt >= TRIES) throw error;
        } else attempt = 0;
        /* An old URL is the usual reason for 403; across origins it looks like a broken connection. */
        if (error.status !== 403 || attempt > 1) await this.#pause(attempt);
        if (error.status === 403 || error.status === 0) [{ url, headers }] = await this.#sign([part]);
      }
    }
  }

  async #complete() {
    this.#claim ??= await this.#digests.whole();
    const claim = this.#claim ? { sha256: this.#claim } : {};
    return this.#insist(`/api/uploads/${this.#id}/complete`, claim, COMPLETE_TIMEOUT_MS);
  }

  /** POSTs until the server gives an answer that will not change. */
  async #insist(url, body, timeout) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call("POST", url, body, { signal: this.#abort.signal, timeout });
      } catch (error) {
        if (!(error instanceof ApiError) || !error.passing || (attempt >= TRIES && navigator.onLine)) throw error;
        await this.#pause(navigator.onLine ? attempt : 0);
      }
    }
  }

  /* Twice as long each time. */
  #pause(attempt) {
    return pause(this.#target.backoff * 2 ** Math.max(0, attempt - 1), this.#abort.signal);
  }

  async #giveUp(error) {
    if (this.state === "cancelled") return this.#discard();
    this.error = sentence(error);
    if (GONE.has(error.status)) this.#forget();
    this.#become("failed");
  }

  /* The server no longer knows the upload: the next try begins anew. */
  #forget() {
    this.#digests?.close();
    this.#id = this.#claim = null;
    this.#parts = [];
    this.#sent = 0;
  }

  async #discard() {
    this.#digests?.close();
    /* What cannot be deleted now expires on the server after seven days without a part. */
    if (this.#id) await call("DELETE", `/api/uploads/${this.#id}`).catch(() => {});
  }

  #note(part, sent) {
    this.#sent += sent - part.sent;
    part.sent = sent;
    this.#speed.note(this.#sent);
    this.dispatchEvent(new Event("progress"));
  }

  #become(state) {
    if (this.state === "cancelled") return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

function sentence(error) {
  if (error instanceof ApiError) return error.message;
  if (error instanceof PartError) {
    if (error.status === 404) return "The server has closed this upload. Try again to send the file anew.";
    return `${error.message} What arrived is kept; try again to go on.`;
  }
  if (error?.name === "NotReadableError" || error?.name === "NotFoundError") {
    return "The file was changed, moved or deleted while it was sent. Choose it again.";
  }
  return "The upload stopped for a reason we did not expect. Try again to go on.";
}
