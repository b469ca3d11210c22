/* One part over the wire by XMLHttpRequest: fetch still tells nothing about bytes on their way up. */

const STALL_MS = 60_000;

/** A part that was not stored. status 0: the connection broke or stood still. */
export class PartError extends Error {
  constructor(status) {
    super(status ? `The storage refused a part with error ${status}.` : "The connection to the storage broke.");
    this.name = "PartError";
    this.status = status;
  }
}

/**
 * PUTs `blob` to `url` with exactly `headers` (they are part of the signature).
 * `onProgress` gets bytes of this part that are out. Rejects with PartError, or with AbortError through `signal`.
 * No bytes for a minute count as a broken connection; a slow one may take as long as it needs.
 */
export function put(url, headers, blob, { signal, onProgress = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stall = 0;
    const abort = () => request.abort();
    const watch = () => {
      clearTimeout(stall);
      stall = setTimeout(abort, STALL_MS);
    };
    const finish = (act, value) => {
      clearTimeout(stall);
      signal.removeEventListener("abort", abort);
      act(value);
    };
    request.upload.onprogress = (event) => {
      watch();
      onProgress(event.loaded);
    };
    request.upload.onload = watch;
    request.onload = () => (request.status < 300 ? finish(resolve) : finish(reject, new PartError(request.status)));
    request.onerror = () => finish(reject, new PartError(0));
    request.onabort = () => finish(reject, signal.aborted ? signal.reason : new PartError(0));
    if (signal.aborted) return finish(reject, signal.reason);
    signal.addEventListener("abort", abort);
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    watch();
    request.send(blob);
  });
}
