/* Figures as people read them. Decimal units, as storage is sold and as the server prints them. */

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

/** 91 000 000 000 → "91 GB". `unit` fixes the unit, so that two figures side by side can share one. */
export function bytes(count, unit = unitOf(count)) {
  const value = count / 1000 ** UNITS.indexOf(unit);
  const digits = unit === "bytes" || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${unit}`;
}

/** "91 of 212 GB": one unit, that of the whole. */
export function share(part, whole) {
  const unit = unitOf(whole);
  return `${bytes(part, unit).split(" ")[0]} of ${bytes(whole, unit)}`;
}

/** Seconds → "40 s left", "9 min left", "2 h 10 min left". */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min left`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

function unitOf(count) {
  const power = count > 0 ? Math.floor(Math.log10(count) / 3) : 0;
  return UNITS[Math.min(power, UNITS.length - 1)];
}
