/** Opens the steps for the device at hand. Without this, the steps for all devices are open. */

import { findPlatform } from "./platform.js";

const folds = [...document.querySelectorAll("details.fold")];
const byName = (name) => folds.find((fold) => fold.id === name);

function openNamed() {
  const fold = byName(location.hash.slice(1));
  if (fold) {
    fold.open = true;
    fold.scrollIntoView();
  }
}

const mine = byName(findPlatform(navigator));
for (const fold of folds) {
  fold.open = fold === mine;
}
if (mine) {
  mine.querySelector("[data-mine]").hidden = false;
  document.querySelector(`.pills a[href="#${mine.id}"]`).classList.add("mine");
}
for (const pill of document.querySelectorAll(".pills a")) {
  // The address may be the same as before, and then it does not change.
  pill.addEventListener("click", () => {
    byName(pill.hash.slice(1)).open = true;
  });
}
addEventListener("hashchange", openNamed);
openNamed();
