/**
 * The list of comments: its marks on the timeline, what belongs to the frame on the screen, going from one to the
 * next. The server renders the list; htmx morphs it in place every five seconds.
 */

export class Comments {
  constructor() {
    this.news = document.getElementById("comments-news");
    this.known = new Set(this.rows().map((row) => row.id));
    // What this page says of a row by itself outlives the next poll.
    window.htmx?.config.morphIgnore.push("data-here", "open");
    document.addEventListener("click", (event) => this.#onClick(event));
    document.addEventListener("htmx:before:request", ({ target }) => {
      this.deleting = target.matches("[data-deletes]");
    });
    document.addEventListener("htmx:after:swap", ({ detail }) => detail.ctx.target?.id === "comments" && this.#refresh());
    setInterval(() => this.#tellAges(), 30_000);
    this.#tellAges();
  }

  rows() {
    return [...document.querySelectorAll("#comments .note")];
  }

  attach(player, timecode, timeline) {
    this.player = player;
    this.timeline = timeline;
    player.addEventListener("frame", () => this.#highlight());
    this.timeline.drawMarks(this.rows().map(read));
    this.#highlight();
  }

  #refresh() {
    const rows = this.rows();
    const fresh = rows.filter((row) => !this.known.has(row.id) && !row.dataset.mine);
    if (fresh.length) this.news.textContent = fresh.map((row) => `New comment by ${row.dataset.author} at ${row.dataset.timecode}`).join(". ");
    this.known = new Set(rows.map((row) => row.id));
    this.#tellAges();
    // The button that was pressed is gone with its comment.
    if (this.deleting && document.activeElement === document.body) document.querySelector("#comments .thread-list").focus();
    if (!this.player) return;
    this.timeline.drawMarks(rows.map(read));
    this.#highlight();
  }

  /** Frames that are on the screen while playing light up their comment for a second, else nobody could read it. */
  #highlight() {
    const { frame, playing, film } = this.player;
    const linger = playing ? Math.round(film.num / film.den) : 0;
    const here = new Set();
    for (const row of this.rows()) {
      const { id, frameIn, frameOut } = read(row);
      const on = frame >= frameIn && frame <= Math.max(frameOut ?? frameIn, frameIn + linger);
      row.toggleAttribute("data-here", on);
      row.querySelector(".tc").classList.toggle("here", on);
      if (on) here.add(id);
    }
    this.timeline.highlight(here);
  }

  #onClick(event) {
    if (!this.player || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const mark = event.target.closest("[data-mark]");
    const row = mark ? document.getElementById(mark.dataset.mark) : event.target.closest("[data-go]")?.closest(".note");
    if (!row) return;
    event.preventDefault();
    this.open(row);
  }

  /** Goes to the frame of a row and brings the row into view. */
  open(row) {
    this.player.show(Number(row.dataset.frameIn));
    history.replaceState(null, "", row.querySelector(".tc").href);
    row.scrollIntoView({ block: "nearest" });
  }

  /** Goes to the next (1) or previous (−1) comment from the frame that was last asked for. */
  go(direction) {
    const from = this.player.wanted ?? this.player.frame;
    const rows = this.rows().filter((row) => Math.sign(Number(row.dataset.frameIn) - from) === direction);
    rows.sort((a, b) => direction * (a.dataset.frameIn - b.dataset.frameIn));
    if (rows[0]) this.open(rows[0]);
  }

  #tellAges() {
    for (const time of document.querySelectorAll("#comments .ago time")) {
      const written = new Date(time.dateTime);
      time.title = written.toLocaleString();
      time.textContent = age(written);
    }
  }
}

function read(row) {
  const { frameIn, frameOut, initials, author, timecode, guest } = row.dataset;
  const href = row.querySelector(".tc").href;
  return { id: row.id, frameIn: Number(frameIn), frameOut: frameOut ? Number(frameOut) : null, initials, author, timecode, guest: !!guest, href };
}

function age(when) {
  const minutes = Math.floor((Date.now() - when) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`;
  if (minutes < 7 * 24 * 60) return `${Math.floor(minutes / 1440)} d`;
  return when.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}
