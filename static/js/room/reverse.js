/** Playing backwards: no browser does it, so frames are asked for one after another, as many back as time has passed. */
export class Reverse {
  /**
   * @param {number} rate frames a second
   * @param {(by: number) => Promise<boolean>} back shows the frame `by` before; false when there is none
   */
  constructor(rate, back) {
    this.rate = rate;
    this.back = back;
    this.speed = 0;
    this.run = null;
  }

  async start(speed) {
    this.speed = speed;
    const run = Symbol("reverse");
    this.run = run;
    let since = performance.now();
    let due = 0;
    while (this.run === run) {
      await nextPaint();
      const now = performance.now();
      due += ((now - since) / 1000) * this.rate * this.speed;
      since = now;
      if (due < 1 || this.run !== run) continue;
      const by = Math.floor(due);
      due -= by;
      if (!(await this.back(by))) this.stop();
    }
  }

  /** Whether it was running. */
  stop() {
    const ran = this.speed > 0;
    this.speed = 0;
    this.run = null;
    return ran;
  }
}

function nextPaint() {
  return new Promise((resolve) => {
    requestAnimationFrame(resolve);
  });
}
