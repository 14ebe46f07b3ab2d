// On paper nothing scrolls: a table that is wider than the page is made smaller as a whole.
"use strict";
(() => {
  const PAPER_PX = 680;  // within the margins of A4 and of Letter
  const tables = document.querySelectorAll(".scroll > table");
  window.addEventListener("beforeprint", () => {
    for (const table of tables) {
      table.classList.add("on-paper");
      const width = table.getBoundingClientRect().width;
      if (width > PAPER_PX) table.style.zoom = PAPER_PX / width;
    }
  });
  window.addEventListener("afterprint", () => {
    for (const table of tables) {
      table.classList.remove("on-paper");
      table.style.zoom = "";
    }
  });
})();
