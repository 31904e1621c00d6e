/**
 * What a link opens. Its token never leaves the browser: the gateway is told an id that is made from it, and what is sealed is opened here
 * with a key that is made from it as well.
 */

const TOKEN = /^([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])/;
const NONCE_BYTES = 12;
const ID_BITS = 128;
const KEY_BITS = 256;
const encoder = new TextEncoder();

/** The token of a fragment, or an empty string. Programs that make links clickable may leave a full stop behind it. */
export function readToken(fragment) {
  return TOKEN.exec(fragment)?.[1] ?? "";
}

/** What the gateway knows a link by, and the key that opens what it keeps. */
export async function deriveKeys(token) {
  const master = await crypto.subtle.importKey("raw", fromBase64(token), "HKDF", false, ["deriveBits"]);
  const id = toHex(await expand(master, "privatespace.gateway link id v1", ID_BITS));
  const raw = await expand(master, "privatespace.gateway link key v1", KEY_BITS);
  return { id, key: await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]) };
}

/** Open what was sealed; throws when it was not sealed with this key for this purpose. */
export async function openSealed(sealed, { key, purpose }) {
  const bytes = fromBase64(sealed);
  const iv = bytes.subarray(0, NONCE_BYTES);
  const additionalData = encoder.encode(purpose);
  const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, bytes.subarray(NONCE_BYTES));
  return JSON.parse(new TextDecoder().decode(opened));
}

/** What tells this page from another one that has the same link. */
export function makeClaim() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function expand(master, info, bits) {
  const settings = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(info) };
  return crypto.subtle.deriveBits(settings, master, bits);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

function toHex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
