/** The keyboard of the room. Never while somebody types, never with Ctrl, Alt or Meta. */

const TYPING = "input:not([type=range]):not([type=radio]), textarea, select, [contenteditable]";

export function listenToKeys({ player, controls, comments, composer }) {
  const acts = {
    " ": () => player.toggle(),
    j: () => player.backward(),
    k: () => player.pause(),
    l: () => player.forward(),
    ArrowLeft: () => player.step(-1),
    ArrowRight: () => player.step(1),
    "Shift+ArrowLeft": () => comments.go(-1),
    "Shift+ArrowRight": () => comments.go(1),
    Home: () => player.show(0),
    End: () => player.show(player.last),
    g: () => controls.typeTimecode(),
    n: () => composer?.begin(),
    m: () => controls.mute(),
    f: () => controls.fullScreen(),
    "?": () => controls.showKeys(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const { target } = event;
    if (target.matches(TYPING) || document.querySelector("dialog[open]")) return;
    if (target.type === "range" && event.key.startsWith("Arrow")) return;
    // Space belongs to a control that was reached with the keyboard, not to one that was clicked.
    if (event.key === " " && target.matches("button, summary, input") && target.matches(":focus-visible")) return;
    const act = acts[name(event)];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function name({ key, shiftKey }) {
  if (key.length === 1) return key.toLowerCase();
  return shiftKey ? `Shift+${key}` : key;
}
