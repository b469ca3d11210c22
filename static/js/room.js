/** The review room: builds the player as soon as something plays, and joins its parts. */

import { Timecode } from "./timecode.js";
import { Comments } from "./room/comments.js";
import { Composer } from "./room/composer.js";
import { Controls } from "./room/controls.js";
import { keep, kept } from "./room/keep.js";
import { listenToKeys } from "./room/keys.js";
import { Player } from "./room/player.js";
import { Stage } from "./room/stage.js";
import { Timeline } from "./room/timeline.js";

/** The facts of the version as the server last rendered them, or null while there is nothing to play. */
function readFilm(status) {
  const { dataset } = status;
  const frames = Number(dataset.frames);
  if (dataset.ready !== "true" || !frames) return null;
  return {
    num: Number(dataset.rateNum),
    den: Number(dataset.rateDen),
    frames,
    start: Number(dataset.start),
    drop: dataset.drop === "true",
    audio: dataset.audio === "true",
    width: Number(dataset.width) || 16,
    height: Number(dataset.height) || 9,
    playback: dataset.playback,
    workerPath: dataset.worker,
    building: dataset.building === "true",
  };
}

/** Where to open: the frame of the address, else that of the comment that it names, else the beginning. */
function firstFrame() {
  const asked = Number(new URLSearchParams(location.search).get("f") ?? NaN);
  if (Number.isInteger(asked) && asked >= 0) return asked;
  const named = location.hash.startsWith("#comment-") && document.getElementById(location.hash.slice(1));
  return named ? Number(named.dataset.frameIn) : 0;
}

function rememberSurround() {
  const key = "rushes.surround";
  const chosen = document.getElementById(kept(key, ""));
  if (chosen?.name === "surround") chosen.checked = true;
  for (const input of document.getElementsByName("surround")) {
    input.addEventListener("change", () => keep(key, input.id));
  }
}

function enter(film) {
  const timecode = new Timecode(film);
  const first = Math.min(firstFrame(), film.frames - 1);
  const player = new Player(document.getElementById("video"), film, first);
  stage.attach(player, film);
  const controls = new Controls(player, timecode, comments);
  const timeline = new Timeline(player, timecode);
  comments.attach(player, timecode, timeline);
  composer?.attach(player, timecode);
  listenToKeys({ player, controls, comments, composer });
  window.rushes = { player, timecode, timeline };
}

/** Starts at once when something plays, else when the polled status says so. */
function start() {
  const status = document.getElementById("preview-status");
  const film = readFilm(status);
  document.body.classList.toggle("nothing-plays", !film);
  if (!film) return false;
  enter(film);
  return true;
}

/** What each poll of the status says. */
function onStatus() {
  const { settled, building } = document.getElementById("preview-status").dataset;
  if (!window.rushes) start();
  else if (building === "false") window.rushes.player.ladderReady();
  if (settled === "true") window.rushes?.timeline.tracks.refresh();
}

const stage = new Stage();
const composer = document.getElementById("composer") && new Composer(); // who may only watch has none
const comments = new Comments();
rememberSurround();
start();
document.addEventListener("htmx:after:swap", onStatus);
