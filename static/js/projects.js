/* The page of a project: uploads by button, by drop area and by drop. The sheet of assets keeps itself up to date. */

import { acceptDrops } from "./upload/drop.js";
import { Panel } from "./upload/panel.js";

const page = document.querySelector("[data-uploads]");
if (page) {
  const panel = new Panel(page, document.querySelector("[data-panel]"), document.querySelector("template[data-row]"));
  acceptDrops(document.querySelector("[data-veil]"), (files) => panel.add(files));
  /* On the document: the sheet, with its input, is swapped as it polls. */
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("input[type=file][data-files]")) return;
    panel.add(Array.from(target.files));
    target.value = "";
  });
}
