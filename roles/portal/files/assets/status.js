/** The light: what /status.json says, as long as that is fresh. */

const FRESH_SECONDS = 600;
const AGAIN_SECONDS = 60;

const light = document.querySelector("[data-light]");
const word = light.querySelector("[data-word]");
const sentence = light.querySelector("[data-sentence]");
const looked = light.querySelector("[data-looked]");

async function readStatus() {
  try {
    const answer = await fetch("/status.json", { cache: "no-store" });
    if (!answer.ok) {
      return { status: "unknown" };
    }
    const found = await answer.json();
    // The clock of the gateway, since that of the visitor may be wrong.
    const now = Date.parse(answer.headers.get("Date") ?? "") / 1000 || Date.now() / 1000;
    const stale = now - found.checked_at > FRESH_SECONDS;
    return stale || !(found.status in light.dataset) ? { ...found, status: "unknown" } : found;
  } catch {
    return { status: "unknown" };
  }
}

function showMoment(element, seconds) {
  const moment = new Date(seconds * 1000);
  element.dateTime = moment.toISOString();
  element.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

function showCrl(crl) {
  for (const part of document.querySelectorAll("[data-crl]")) {
    part.hidden = !crl;
  }
  if (!crl) {
    return;
  }
  document.querySelector("[data-crl-number]").textContent = crl.number;
  document.querySelector("[data-crl-sha256]").textContent = crl.sha256;
  showMoment(document.querySelector("[data-crl-signed]"), crl.this_update);
  showMoment(document.querySelector("[data-crl-next]"), crl.next_update);
}

function showStatus(found) {
  // Written only when it has changed, so that a screen reader does not say the same every minute.
  if (light.dataset.status !== found.status) {
    light.dataset.status = found.status;
    word.textContent = light.dataset[found.status];
    sentence.textContent = light.dataset[`${found.status}Text`];
  }
  looked.hidden = !found.checked_at;
  if (found.checked_at) {
    showMoment(looked.querySelector("time"), found.checked_at);
  }
  showCrl(found.crl);
}

async function look() {
  showStatus(await readStatus());
}

look();
setInterval(() => {
  if (!document.hidden) {
    look();
  }
}, AGAIN_SECONDS * 1000);
