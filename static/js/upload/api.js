/* The JSON API as the browser uses it: session cookie, CSRF header, problem+json (RFC 9457) turned into one sentence. */

const TIMEOUT_MS = 30_000;

/** What the server answered, or why it did not. `message` is a sentence for people. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", requestId = "" } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }

  /** Worth another try without anybody's help: no answer, too busy, or a fault of the server. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * Calls the API and gives the parsed body (null for 204).
 * Throws ApiError; an abort through `signal` is passed on as the browser's AbortError.
 */
export async function call(method, url, body, { signal, timeout = TIMEOUT_MS } = {}) {
  const limit = AbortSignal.timeout(timeout);
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    if (response.ok) return response.status === 204 ? null : await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The server does not answer. Check the connection.");
  }
  throw await problem(response);
}

async function problem(response) {
  const details = await response.json().catch(() => ({}));
  const fields = Object.values(details.errors ?? {});
  const sentence = [details.detail ?? details.title, ...fields].filter(Boolean).join(" ") || fallback(response.status);
  return new ApiError(sentence, { status: response.status, code: details.code, requestId: details.requestId });
}

function fallback(status) {
  if (status === 401) return "You are signed out. Sign in again in another tab, then try again.";
  if (status === 403 || status === 404) return "You may not upload to this project any more.";
  if (status === 413) return "The server refuses a file of this size.";
  return `The server refused with error ${status}.`;
}

function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}
