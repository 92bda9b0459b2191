// Draws each plot of the page when it comes into view, in the place of its still image. The specs stand in the page as
// data; expressions are interpreted, so nothing is evaluated. A plot that fails keeps its still image.
"use strict";
(() => {
  const held = JSON.parse(document.getElementById("specs").textContent);
  const draw = async (place) => {
    const { spec, fixed } = held.charts[place.dataset.plot];
    const box = document.createElement("div");
    box.className = "drawn";
    place.append(box); // measured while it is unseen
    try {
      await vegaEmbed(box, fixed ? spec : { ...spec, width: "container" }, {
        mode: "vega-lite", ast: true, actions: false, renderer: "svg", config: held.config,
      });
      place.querySelector(":scope > svg")?.remove();
      box.querySelector("svg")?.setAttribute("aria-hidden", "true"); // the place says what it shows
      box.classList.add("shown");
      place.dataset.drawn = "yes";
      if (!performance.getEntriesByName("first-plot").length) performance.mark("first-plot");
    } catch (error) {
      box.remove();
      console.error(place.dataset.plot, error);
    }
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        near.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "300px" });
  for (const place of document.querySelectorAll("[data-plot]")) near.observe(place);
})();
