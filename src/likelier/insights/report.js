"use strict";
// Draws the charts of the page. Everything it draws also stands in tables: without scripts nothing is lost.
(async () => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const $$ = (selector) => [...document.querySelectorAll(selector)];

  // Tables are open for paper and for readers without scripts, folded for everybody else.
  const tables = $$("details.table");
  tables.forEach((table) => (table.open = false));

  // Drill-downs: one at a time.
  const drills = $$(".drill");
  const links = $$("a.factor");
  function drill(anchor) {
    drills.forEach((panel) => panel.classList.toggle("folded", panel.id !== anchor));
    links.forEach((link) =>
      link.hash === "#" + anchor ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"),
    );
  }
  links.forEach((link) =>
    link.addEventListener("click", (event) => {
      const panel = document.getElementById(link.hash.slice(1));
      if (!panel) return;
      event.preventDefault();
      drill(panel.id);
      draw();
      panel.focus({ preventScroll: true });
      panel.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
    }),
  );
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const named = drills.find((panel) => "#" + panel.id === location.hash);
  if (drills.length) drill((named || drills[0]).id);

  // The slider reads the gains curve.
  const slider = document.getElementById("target");
  let targeted = slider ? Number(slider.value) : 20;
  const gains = read("gains-points");
  function reachedAt(fraction) {
    for (let i = 1; i < gains.length; i++) {
      const [a, b] = [gains[i - 1], gains[i]];
      if (fraction <= b[0]) return a[1] + ((fraction - a[0]) / (b[0] - a[0] || 1)) * (b[1] - a[1]);
    }
    return 1;
  }
  function aim() {
    targeted = Number(slider.value);
    const part = reachedAt(targeted / 100);
    document.getElementById("target-share").textContent = targeted + "%";
    document.getElementById("target-reached").textContent = Math.round(100 * part) + "%";
    document.getElementById("target-times").textContent = (part / (targeted / 100)).toFixed(1);
    slider.setAttribute("aria-valuetext", document.getElementById("target-words").textContent.trim());
    drawn.get("gains")?.setOption({ series: [{ markLine: { data: [{ xAxis: targeted }] } }] });
  }

  const drawn = new Map();
  const options = read("chart-options");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let echarts;
  let printing = false;
  slider?.addEventListener("input", aim);

  function draw() {
    if (!echarts) return;
    const chosen = options[dark.matches && !printing ? "dark" : "light"];
    for (const place of $$("[data-chart]")) {
      const name = place.dataset.chart;
      const chart = drawn.get(name);
      if (!place.clientWidth && !printing) continue;
      if (chart && chart.theme === chosen) continue;
      const canvas = chart ?? echarts.init(place, null, { renderer: "svg", width: printing ? 680 : undefined });
      canvas.setOption({ ...chosen[name], animation: !printing && !calm.matches }, true);
      canvas.theme = chosen;
      drawn.set(name, canvas);
      if (name !== "gains" || !slider) continue;
      aim();
      if (chart) continue;
      // Pressing, not clicking: the chart redraws its marks under the pointer between a press and its release.
      place.addEventListener("pointerdown", ({ clientX, clientY }) => {
        const { left, top } = place.getBoundingClientRect();
        const [part] = canvas.convertFromPixel("grid", [clientX - left, clientY - top]);
        slider.value = Math.round(part);
        aim();
      });
    }
  }

  function fit() {
    for (const chart of drawn.values()) {
      if (chart.getDom().clientWidth) chart.resize({ width: "auto", height: "auto", animation: { duration: 0 } });
    }
  }

  // On paper: light colours, every table and drill-down, drawings that scale with the page.
  let open = [];
  addEventListener("beforeprint", () => {
    printing = true;
    open = tables.filter((table) => table.open);
    tables.forEach((table) => (table.open = true));
    draw();
    for (const [name, chart] of drawn) {
      const place = chart.getDom();
      const [width, height] = name === "ring" ? [230, 230] : [440, 270];
      chart.resize({ width, height, animation: { duration: 0 } });
      chart.getZr().flush(); // or it would repaint after the page is printed
      const svg = place.querySelector("svg");
      svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
    }
  });
  addEventListener("afterprint", () => {
    printing = false;
    tables.forEach((table) => (table.open = open.includes(table)));
    document.querySelectorAll("[data-chart] svg").forEach((svg) => svg.removeAttribute("viewBox"));
    draw();
    fit();
  });

  try {
    const packed = Uint8Array.from(atob(document.getElementById("library").textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const source = new Blob([await new Response(stream).text()], { type: "text/javascript" });
    const module = await import(URL.createObjectURL(source));
    echarts = module[document.getElementById("library").dataset.export];
    draw();
    dark.addEventListener("change", draw);
    new ResizeObserver(() => !printing && (draw(), fit())).observe(document.querySelector("main"));
    document.documentElement.dataset.drawn = "yes";
  } catch (error) {
    // An older browser: the tables say it all, so open them.
    console.error(error);
    tables.forEach((table) => (table.open = true));
    $$("[data-chart]").forEach((place) => (place.hidden = true));
    document.documentElement.dataset.drawn = "no";
  }
})();
