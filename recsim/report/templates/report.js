"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  const order = (row, column) => row.cells[column].dataset.order;
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  const sort = (table, header, column) => {
    const up = header.getAttribute("aria-sort") === "descending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [order(a, column), order(b, column)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return up ? compare(x, y) : compare(y, x);
    });
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("thead tr:last-child th").forEach((header, column) => {
      header.querySelector("button").addEventListener("click", () => sort(table, header, column));
    });
  }

  const figures = read("figure-data");
  const themes = read("theme-data");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displayModeBar: false };
  const places = [...document.querySelectorAll("[data-figure]")];

  const coloured = (part, theme) => {
    if (Array.isArray(part)) return part.map((one) => coloured(one, theme));
    if (part !== null && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, coloured(one, theme)]));
    }
    return typeof part === "string" && part[0] === "@" && part.slice(1) in theme ? theme[part.slice(1)] : part;
  };

  const draw = (theme, width) => {
    for (const place of places) {
      const { data, layout } = coloured(figures[place.dataset.figure], theme);
      const most = place.closest(".panels") ? width / 3 - 16 : width; // three panels side by side on paper
      if (width) layout.width = Math.min(most, place.clientWidth || most);
      Plotly.react(place, data, layout, config);
    }
  };
  const drawOnScreen = () => draw(themes[dark.matches ? "dark" : "light"]);

  // plotly.js is packed into the page; unpacked, it is the one other script that the page's policy allows.
  const load = async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (byte) => byte.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const program = document.createElement("script");
    program.textContent = await new Response(unpacked).text();
    document.head.append(program);
  };

  const start = () => {
    drawOnScreen();
    dark.addEventListener("change", drawOnScreen);

    // On paper: the light theme, and nothing folded away but the tables of hundreds of rows.
    let folded = [];
    window.addEventListener("beforeprint", () => {
      folded = [...document.querySelectorAll("details[data-print]:not([open])")];
      for (const one of folded) one.open = true;
      draw(themes.light, 660);
    });
    window.addEventListener("afterprint", () => {
      for (const one of folded) one.open = false;
      drawOnScreen();
    });

    // A figure inside a folded part has no size until it is unfolded.
    for (const one of document.querySelectorAll("details")) {
      one.addEventListener("toggle", () => one.querySelectorAll("[data-figure]").forEach((p) => Plotly.Plots.resize(p)));
    }
  };

  load().then(start, () => {
    for (const place of places) place.textContent = `Not drawn, for this browser is too old. ${place.ariaLabel}`;
  });
})();
