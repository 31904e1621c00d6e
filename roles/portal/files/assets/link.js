/**
 * The page of a one-time link.
 *
 * Opening it uses nothing up. The button claims the link for this page alone, fetches what is sealed, opens it, hands it to the browser as a
 * download, and only then has the gateway erase it. When something breaks on the way, the same page may fetch it again.
 */

import { ask, UnknownLink } from "./ask.js";
import { findPlatform, isInsideApp, isPhone } from "./platform.js";
import { deriveKeys, makeClaim, openSealed, readToken } from "./sealed.js";

// A browser that is too old for these scripts does not get here, and goes on showing it.
document.querySelector("[data-too-old]").hidden = true;

const API = "/link/api";
const FILE_NAME = /^[\w@.-]{1,150}\.ovpn$/;
const FALLBACK_NAME = "profile.ovpn";
const DONE_TRIES = 8;

const root = document.querySelector("[data-link]");
const progress = root.querySelector("[data-progress]");
const part = (name) => root.querySelector(`[data-part="${name}"]`);

/** What survives a reload of this page, and nothing else: not another tab, not the next start of the browser. */
const memory = (() => {
  const own = new Map();
  const attempt = (use, otherwise) => {
    try {
      return use(sessionStorage);
    } catch {
      return otherwise();
    }
  };
  return {
    get: (name) => own.get(name) ?? attempt((storage) => storage.getItem(`link.${name}`), () => null) ?? "",
    set: (name, value) => {
      own.set(name, value);
      attempt((storage) => storage.setItem(`link.${name}`, value), () => undefined);
    },
    clear: () => {
      for (const name of ["token", "claim", "done"]) {
        own.delete(name);
        attempt((storage) => storage.removeItem(`link.${name}`), () => undefined);
      }
    },
  };
})();

function tell(name) {
  const text = name ? root.dataset[name] : "";
  if (progress.textContent !== text) {
    progress.textContent = text;
  }
}

function show(state) {
  tell("");
  for (const section of root.querySelectorAll("[data-state]")) {
    section.hidden = section.dataset.state !== state;
  }
  const section = root.querySelector(`[data-state="${state}"]`);
  // Whoever listens to the page is told where it went on.
  section.querySelector("[tabindex]")?.focus({ preventScroll: true });
  part("next").hidden = state !== "done" && state !== "closed";
}

/** The token of this page: out of the address, where it would be seen, copied and kept. */
function takeToken() {
  const fragment = location.hash.slice(1);
  if (!fragment) {
    return memory.get("token");
  }
  history.replaceState(null, "", location.pathname);
  const token = readToken(fragment);
  if (token !== memory.get("token")) {
    memory.clear();
  }
  if (token) {
    memory.set("token", token);
  }
  return token;
}

/** The same as long as this page has the same link, so that it may ask again. */
function takeClaim() {
  const claim = memory.get("claim") || makeClaim();
  memory.set("claim", claim);
  return claim;
}

function fail(error) {
  if (!(error instanceof UnknownLink)) {
    console.warn(error);
  }
  show(error instanceof UnknownLink ? "unknown" : "broken");
}

function showPlatform() {
  const mine = root.querySelector(`details.fold[data-platform="${findPlatform(navigator)}"]`);
  if (mine) {
    mine.open = true;
    mine.querySelector("[data-mine]").hidden = false;
    mine.parentElement.prepend(mine);
  }
}

function nameFile(name) {
  for (const place of root.querySelectorAll("[data-file]")) {
    place.textContent = name;
  }
}

async function showExtras(sealed, { id, key }) {
  const { qr_svg: svg } = await openSealed(sealed, { key, purpose: `${id} extras` });
  if (!svg) {
    return;
  }
  const bytes = new TextEncoder().encode(svg);
  part("qr-image").src = `data:image/svg+xml;base64,${btoa(String.fromCharCode(...bytes))}`;
  part("qr").hidden = false;
  part("offer").classList.add("with-qr");
}

function showUntil(seconds) {
  const until = new Date(seconds * 1000);
  part("until").dateTime = until.toISOString();
  part("until").textContent = until.toLocaleString(undefined, { dateStyle: "full", timeStyle: "short" });
}

function offerCopy(token) {
  const address = `${location.origin}/link#${token}`;
  part("in-app").hidden = false;
  part("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(address);
      part("copied").textContent = part("copied").dataset.text;
    } catch {
      part("by-hand").hidden = false;
      part("address").value = address;
      part("address").select();
    }
  });
}

function save({ file_name: given, profile }) {
  const name = FILE_NAME.test(given) ? given : FALLBACK_NAME;
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([profile], { type: "application/x-openvpn-profile" }));
  anchor.download = name;
  anchor.click();
  part("again").addEventListener("click", () => anchor.click());
  return name;
}

/** Has the gateway erase it. Without an answer it does so by itself a little later. */
async function finish(link, name) {
  try {
    await ask(`${API}/done`, link, { onTrouble: () => undefined, tries: DONE_TRIES });
  } catch (error) {
    if (!(error instanceof UnknownLink)) {
      return;
    }
  }
  memory.clear();
  memory.set("done", name);
  part("erased").hidden = false;
}

async function deliver({ id, key }) {
  const link = { id, claim: takeClaim() };
  tell("working");
  const { sealed } = await ask(`${API}/claim`, link, { onTrouble: (kind) => tell(kind || "working") });
  tell("decrypting");
  const found = await openSealed(sealed, { key, purpose: id });
  const name = save(found);
  nameFile(name);
  showPlatform();
  show("done");
  await finish(link, name);
}

async function start() {
  const token = takeToken();
  if (!globalThis.crypto?.subtle) {
    show("unsupported");
    return;
  }
  if (!token) {
    const done = memory.get("done");
    if (done) {
      nameFile(done);
      showPlatform();
    }
    show(done ? "closed" : "unknown");
    return;
  }
  tell("checking");
  const keys = await deriveKeys(token);
  const link = { id: keys.id, claim: takeClaim() };
  const found = await ask(`${API}/look`, link, { onTrouble: (kind) => tell(kind || "checking") });
  await showOffer(found, keys, token);
}

async function showOffer(found, keys, token) {
  part("user").textContent = found.user;
  part("device").textContent = found.device;
  for (const row of root.querySelectorAll("[data-part='device-row']")) {
    row.hidden = found.device === "default";
  }
  showUntil(found.expires);
  if (isInsideApp(navigator)) {
    offerCopy(token);
  }
  if (!isPhone(findPlatform(navigator))) {
    // Without the picture the link is as good.
    await showExtras(found.extras, keys).catch(() => undefined);
  }
  const button = part("button");
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") {
      button.setAttribute("aria-disabled", "true");
      deliver(keys).catch(fail);
    }
  });
  show("offer");
}

// Another link that is opened in the same tab changes nothing but the fragment.
addEventListener("hashchange", () => location.reload());
start().catch(fail);
