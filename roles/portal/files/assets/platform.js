/** Which kind of device this is, as well as a browser tells; empty when it does not. */

const HINTS = [
  ["ios", /iPhone|iPad|iPod/],
  ["android", /Android/],
  ["windows", /Windows/],
  ["macos", /Macintosh|Mac OS X/],
  ["linux", /Linux|X11/],
];

// Browsers inside other apps, which are often unable to save a file.
const INSIDE_APP =
  /FBAN|FBAV|FB_IAB|Instagram|Line\/|LinkedInApp|MicroMessenger|Snapchat|Twitter|TikTok|musical_ly|BytedanceWebview|GSA\/|Teams\/|Slack|; wv\)/;

/** @param {{userAgent: string, maxTouchPoints?: number}} browser */
export function findPlatform(browser) {
  const found = HINTS.find(([, pattern]) => pattern.test(browser.userAgent))?.[0] ?? "";
  // An iPad says that it is a Mac, but no Mac has a touch screen.
  return found === "macos" && (browser.maxTouchPoints ?? 0) > 1 ? "ios" : found;
}

/** @param {{userAgent: string}} browser */
export function isInsideApp(browser) {
  const { userAgent } = browser;
  // On iPhones, whatever is not Safari or another whole browser says nothing of Safari.
  const bare = /iPhone|iPad|iPod/.test(userAgent) && !/Safari\//.test(userAgent);
  return bare || INSIDE_APP.test(userAgent);
}

/** @param {string} platform */
export function isPhone(platform) {
  return platform === "ios" || platform === "android";
}
