// A button beside every command that copies it, also where the page is a file on disk.
"use strict";
(() => {
  // Browsers without a clipboard for pages on disk copy what is selected.
  function copySelected(code) {
    const selection = window.getSelection();
    selection.selectAllChildren(code);
    const done = document.execCommand("copy");
    if (done) selection.removeAllRanges();
    return done;
  }

  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      return copySelected(code);
    }
  }

  for (const box of document.querySelectorAll(".command")) {
    const code = box.querySelector("code");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    const said = document.createElement("span");
    said.className = "said";
    said.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      const done = await copy(code);
      button.textContent = done ? "Copied" : "Selected";
      said.textContent = done ? "The command is copied" : "The command is selected";
      setTimeout(() => {
        button.textContent = "Copy";
        said.textContent = "";
      }, 2000);
    });
    box.append(button, said);
  }
})();
