// Unpacks plotly.js, draws the figures, and colours them for light, dark and paper.
"use strict";
(async () => {
  const PAPER_PX = 680;  // within the margins of A4 and of Letter
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const showText = (text) => document.querySelectorAll(".plot").forEach((box) => {
    box.textContent = text;
  });

  async function unpack(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()),
      (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function inks(onPaper) {
    const isDark = dark.matches && !onPaper;
    const grid = isDark ? "#343c46" : "#e3e7eb";
    return {
      "font.color": isDark ? "#e6eaee" : "#1b1f24",
      "xaxis.gridcolor": grid, "yaxis.gridcolor": grid,
      "xaxis.linecolor": grid, "yaxis.linecolor": grid,
      "hoverlabel.bgcolor": isDark ? "#1a2027" : "#ffffff",
      "hoverlabel.font.color": isDark ? "#e6eaee" : "#1b1f24",
    };
  }

  function recolour(onPaper) {
    document.querySelectorAll(".plot").forEach((box) => {
      Plotly.relayout(box, inks(onPaper));
      const rings = box.data.map((_, k) => k).filter((k) => box.data[k].marker);
      if (rings.length) {
        Plotly.restyle(box, { "marker.line.color": inks(onPaper)["font.color"] }, rings);
      }
    });
  }

  if (typeof DecompressionStream === "undefined") {
    showText("This browser is too old to draw the figure; the table below holds its numbers.");
    return;
  }
  const script = document.createElement("script");
  script.textContent = await unpack("plotly");
  document.head.append(script);
  const coarse = window.matchMedia("(pointer: coarse)").matches;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const box of document.querySelectorAll(".plot")) {
    const figure = figures[box.id];
    figure.layout.font = { family: "system-ui, sans-serif", size: 13 };
    if (coarse) figure.layout.dragmode = false;  // a finger scrolls the page
    if (still) figure.layout.transition = { duration: 0 };
    await Plotly.newPlot(box, figure.data, figure.layout, {
      responsive: true, displayModeBar: false, scrollZoom: false,
    });
  }
  recolour(false);
  dark.addEventListener("change", () => recolour(false));
  window.addEventListener("beforeprint", () => {
    recolour(true);
    document.querySelectorAll(".plot").forEach((box) => {
      Plotly.relayout(box, { width: PAPER_PX });
    });
  });
  window.addEventListener("afterprint", () => {
    recolour(false);
    document.querySelectorAll(".plot").forEach((box) => {
      Plotly.relayout(box, { width: null, autosize: true });
    });
  });
  document.documentElement.dataset.figures = "drawn";
})();
