/* Waiting before another try. */

/**
 * Waits `milliseconds`, give or take a quarter, so that many browsers do not come back in step;
 * without a network it waits until there is one. Rejects with the reason of `signal` when that aborts.
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    let timer = 0;
    const wake = () => {
      clearTimeout(timer);
      removeEventListener("online", wake);
      signal.removeEventListener("abort", wake);
      signal.aborted ? reject(signal.reason) : resolve();
    };
    if (navigator.onLine) timer = setTimeout(wake, milliseconds * (0.75 + Math.random() / 2));
    else addEventListener("online", wake);
    signal.addEventListener("abort", wake);
    if (signal.aborted) wake();
  });
}
