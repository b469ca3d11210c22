/* On every page, before the first paint: the theme. After that: menus that close, digests that copy, the offline notice. */
(() => {
  "use strict";
  const THEMES = ["dark", "light", "auto"];
  const root = document.documentElement;

  /* Storage may be switched off (private windows, policies); the theme then lasts for the page. */
  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const remember = (theme) => {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      /* nothing to do */
    }
  };

  const showTheme = (theme) => {
    root.dataset.theme = THEMES.includes(theme) ? theme : "dark";
    const choice = document.getElementById(`theme-${root.dataset.theme}`);
    if (choice) choice.checked = true;
  };

  showTheme(remembered());

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.pick[open]")) if (menu !== except) menu.open = false;
  };

  const copyText = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    throw new Error("no clipboard");
  };

  /* Where the clipboard is refused (plain http, policy) the text is selected, so that Ctrl C takes it. */
  const copy = async (button) => {
    const source = document.querySelector(button.dataset.copy);
    const label = (button.dataset.label ??= button.textContent);
    let said = "Copied";
    try {
      await copyText(source.textContent.trim());
    } catch {
      getSelection().selectAllChildren(source);
      said = "Selected, press Ctrl C";
    }
    button.textContent = said;
    button.setAttribute("aria-live", "polite");
    setTimeout(() => (button.textContent = label), 2500);
  };

  const showConnection = () => {
    for (const notice of document.querySelectorAll("[data-offline]")) notice.hidden = navigator.onLine;
  };

  /* The server writes moments in UTC; here they move into the zone of the reader, who finds UTC under the pointer. */
  const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });
  const showTimes = () => {
    const today = DAY.format(new Date());
    for (const time of document.querySelectorAll("time[datetime]")) {
      if (!time.textContent.endsWith(" UTC")) continue;
      const moment = new Date(time.dateTime);
      const day = DAY.format(moment);
      time.title = time.textContent;
      time.textContent = `${day === today ? "today" : day}, ${CLOCK.format(moment)}`;
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    showTheme(root.dataset.theme);
    showConnection();
    showTimes();
  });
  document.addEventListener("htmx:after:swap", showTimes);
  addEventListener("online", showConnection);
  addEventListener("offline", showConnection);
  addEventListener("storage", (event) => event.key === "theme" && showTheme(event.newValue));

  document.addEventListener("change", (event) => {
    if (event.target.name !== "theme") return;
    showTheme(event.target.value);
    remember(event.target.value);
  });
  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.pick"));
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector("details.pick[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });
})();
