/**
 * What the server says about playing this version, and the media token of the moment.
 *
 * The token stands in the path of every media URL (/v/{token}/…). hls.js keeps the URLs of the first one, so
 * each request is rewritten to the newest. Being refused is the truth; renewing early is a nicety.
 */

const PREFIX = /\/v\/\d{10}\.[^/]+\//;
const MARGIN = 20_000; // renew in the background when less is left, in ms
const GONE = new Set([401, 403, 404, 410]);

export class Tokens {
  /** @param {string} href the playback endpoint of this version; @param {(status: number) => void} onGone */
  constructor(href, onGone) {
    this.href = href;
    this.onGone = onGone;
    this.gone = 0; // the status that ended it
    this.refused = false; // the edge refused the token in hand
    this.renewals = 0;
    this.value = null;
    this.until = 0;
    this.pending = null;
  }

  /** Asks for the playback description and its token; all callers share one request. */
  renew() {
    if (this.gone) return Promise.reject(new Error("no longer allowed"));
    this.pending ??= this.#ask().finally(() => {
      this.pending = null;
    });
    return this.pending;
  }

  async #ask() {
    // Asked for as JSON, a session that has ended answers 401 and not with the page to sign in.
    const headers = { Accept: "application/json" };
    const answer = await fetch(this.href, { cache: "no-store", headers, signal: AbortSignal.timeout(15_000) });
    if (GONE.has(answer.status)) {
      this.gone = answer.status;
      this.onGone(answer.status);
      throw new Error(`playback refused with ${answer.status}`);
    }
    if (!answer.ok) throw new Error(`playback failed with ${answer.status}`);
    const playback = await answer.json();
    if (this.value) this.renewals += 1;
    this.value = playback.token;
    this.until = Date.now() + (playback.expiresIn ?? Infinity) * 1000;
    this.refused = false;
    return playback;
  }

  /** `url` under the newest token, which is renewed first when the edge refused it. */
  async fresh(url) {
    if (this.refused) await this.renew();
    else if (this.until - Date.now() < MARGIN) this.renew().catch(() => {});
    return url.replace(PREFIX, `/v/${this.value}/`);
  }

  /** hls.js settings that put the newest token into every request and try again after a refusal. */
  hlsConfig(Hls) {
    const shouldRetry = (_config, count, _timeout, response, retry) => {
      if (this.gone) return false;
      if (response && (response.code === 410 || response.code === 403)) {
        this.refused = true;
        return count < 2;
      }
      return retry;
    };
    const policy = (name) => {
      const given = Hls.DefaultConfig[name].default;
      return { default: { ...given, errorRetry: { ...given.errorRetry, maxNumRetry: 6, retryDelayMs: 200, shouldRetry } } };
    };
    return {
      xhrSetup: async (xhr, url) => xhr.open("GET", await this.fresh(url), true),
      fragLoadPolicy: policy("fragLoadPolicy"),
      playlistLoadPolicy: policy("playlistLoadPolicy"),
      manifestLoadPolicy: policy("manifestLoadPolicy"),
    };
  }
}
