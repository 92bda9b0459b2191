/* Keys for `isheep browse`. All of it works without: links, buttons and forms do the same. */
"use strict";

const rows = () => [...document.querySelectorAll("[data-row]")];
const current = () => document.activeElement.closest("[data-row]") || (rows().length === 1 ? rows()[0] : null);

function step(by) {
  const all = rows();
  const at = all.indexOf(current());
  const to = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  const link = to && to.querySelector("[data-open]");
  if (link) { link.focus(); to.scrollIntoView({ block: "nearest" }); }
}

function press(name) {
  const row = current();
  if (!row) return;
  const button = name ? row.querySelector(`.mark.${name}`) : row.querySelector('.mark[aria-pressed="true"]');
  if (button && (!name || button.getAttribute("aria-pressed") === "false")) button.click();
}

function follow(selector) {
  const link = document.querySelector(selector);
  if (link) link.click();
}

const KEYS = {
  j: () => step(1), k: () => step(-1),
  g: () => press("good"), b: () => press("bad"), u: () => press(""),
  n: () => follow("#next"), p: () => follow("#previous"),
  "/": () => { const box = document.getElementById("q"); if (box) { box.focus(); box.select(); } },
  Escape: () => { if (!document.getElementById("q")) follow(".bar h1 a"); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

/* A mark's form is replaced when it comes back: the focus stays where it was. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const form = event.detail.target.closest(".marks");
  if (!form || !form.contains(document.activeElement)) return;
  const name = document.activeElement.classList.contains("good") ? "good" : "bad";
  const row = form.closest("[data-row]");
  setTimeout(() => { const again = row && row.querySelector(`.mark.${name}`); if (again) again.focus(); }, 30);
});
