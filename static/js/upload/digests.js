/* SHA-256 of each part and of the whole. Parts by crypto.subtle (native); the whole, which subtle cannot do in pieces,
   by WASM in a Worker, from the very bytes that were read for the parts. */

/* So many part buffers may wait at the Worker. Beyond that it reads the file by itself: memory stays flat
   and the transfer never waits for it. */
const MAX_SHARED = 3;

export class Digests {
  #file;
  #worker;
  #calls = new Map();
  #next = 1;
  #shared = 0;
  #fault = null;

  constructor(file) {
    this.#file = file;
    this.#worker = new Worker(new URL("hash-worker.js", import.meta.url));
    this.#worker.onmessage = ({ data }) => this.#settle(data);
    this.#worker.onerror = (event) => this.#fail(new Error(event.message || "The hashing worker did not start."));
    this.#worker.postMessage({ type: "file", file });
  }

  /**
   * Reads [start, end) and resolves to its digest, 64 lower-case hex digits.
   * Call it in the order of the file: the same bytes go into the digest of the whole.
   */
  async part(start, end) {
    const buffer = await this.#file.slice(start, end).arrayBuffer();
    if (buffer.byteLength !== end - start) throw new DOMException("short read", "NotReadableError");
    const digest = globalThis.crypto?.subtle
      ? hex(await crypto.subtle.digest("SHA-256", buffer))
      : await this.#ask({ type: "part", buffer });
    this.#feed(start, end, buffer);
    return digest;
  }

  /** The digest of everything fed so far; resolves when the Worker has caught up. null when it cannot run here. */
  whole() {
    return this.#ask({ type: "whole" }).catch(() => null);
  }

  close() {
    this.#fail(new Error("closed"));
    this.#worker.terminate();
  }

  #feed(start, end, buffer) {
    const shared = this.#shared < MAX_SHARED;
    if (shared) this.#shared += 1;
    const done = () => shared && (this.#shared -= 1);
    this.#ask({ type: "feed", start, end, buffer: shared ? buffer : null }, shared ? [buffer] : []).then(done, done);
  }

  #ask(message, transfer = []) {
    if (this.#fault) return Promise.reject(this.#fault);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message }, transfer);
    });
  }

  #settle({ id, value, error }) {
    const waiting = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) waiting?.reject(new Error(error));
    else waiting?.resolve(value);
  }

  #fail(error) {
    this.#fault ??= error;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
