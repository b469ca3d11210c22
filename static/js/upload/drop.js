/* Files dropped anywhere on the page, with a veil that says so. */

/** Calls `take(files)` for each drop. A folder comes as {name, size: 0, isFolder: true}: browsers cannot send one. */
export function acceptDrops(veil, take) {
  let depth = 0;
  const show = (change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  const whenFiles = (act) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    act(event);
  };
  addEventListener("dragenter", whenFiles(() => show(1)));
  addEventListener("dragleave", whenFiles(() => show(-1)));
  addEventListener("dragover", whenFiles((event) => (event.dataTransfer.dropEffect = "copy")));
  addEventListener("drop", whenFiles((event) => {
    show(0);
    take(files(event.dataTransfer));
  }));
}

function files(transfer) {
  return Array.from(transfer.items ?? [])
    .filter(({ kind }) => kind === "file")
    .map((item) => {
      const entry = item.webkitGetAsEntry?.();
      return entry?.isDirectory ? { name: entry.name, size: 0, isFolder: true } : item.getAsFile();
    })
    .filter(Boolean);
}
