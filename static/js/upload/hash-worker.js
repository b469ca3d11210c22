/* SHA-256 in WASM, off the page's thread. Its own response carries 'wasm-unsafe-eval'; the page's does not.
   Messages {id, type, …} are answered with {id, value} or {id, error}, strictly in order. */
"use strict";
importScripts(new URL("../../vendor/sha256.umd.min.js", self.location.href).href);

const READ_BYTES = 8 * 1024 * 1024;
const whole = hashwasm.createSHA256().then((hasher) => hasher.init());
let file = null;
let spoilt = null;
let queue = Promise.resolve();

const acts = {
  /* The digest of one part, where the browser has no crypto.subtle. */
  async part({ buffer }) {
    const hasher = await hashwasm.createSHA256();
    return hasher.init().update(new Uint8Array(buffer)).digest("hex");
  },
  /* The next bytes of the whole: handed over, or read here. */
  async feed({ start, end, buffer }) {
    const hasher = await whole;
    if (buffer) hasher.update(new Uint8Array(buffer));
    else for (let at = start; at < end; at += READ_BYTES) hasher.update(await read(at, Math.min(at + READ_BYTES, end)));
  },
  async whole() {
    if (spoilt) throw spoilt;
    return (await whole).digest("hex");
  },
};

async function read(start, end) {
  return new Uint8Array(await file.slice(start, end).arrayBuffer());
}

async function answer(message) {
  try {
    self.postMessage({ id: message.id, value: await acts[message.type](message) });
  } catch (error) {
    /* A piece is missing from now on: no digest is better than a wrong one. */
    if (message.type === "feed") spoilt = error;
    self.postMessage({ id: message.id, error: String(error?.message ?? error) });
  }
}

self.onmessage = ({ data }) => {
  if (data.type === "file") file = data.file;
  else queue = queue.then(() => answer(data));
};
