/** Questions to the gateway, asked again until there is an answer. */

const PATIENCE_MS = 20_000;
const LONGEST_WAIT_MS = 10_000;
const LONGEST_REFUSAL_MS = 120_000;
const TOO_MANY = 429;
const UNKNOWN = 404;

/** The gateway knows no such link, or no longer. */
export class UnknownLink extends Error {}

/**
 * @param {string} path
 * @param {object} body
 * @param {{onTrouble: (kind: "retrying" | "waiting" | "") => void, tries?: number}} options What is told while there is no answer.
 */
export async function ask(path, body, { onTrouble, tries = Infinity }) {
  for (let failures = 1; failures <= tries; failures += 1) {
    const answer = await post(path, body);
    if (answer?.ok) {
      onTrouble("");
      return answer.json();
    }
    if (answer?.status === UNKNOWN) {
      throw new UnknownLink();
    }
    if (answer && answer.status !== TOO_MANY && answer.status < 500) {
      throw new Error(`${path} is refused: ${answer.status}`);
    }
    onTrouble(answer?.status === TOO_MANY ? "waiting" : "retrying");
    await pause(waitFor(answer, failures));
  }
  throw new Error(`${path} is not answered`);
}

async function post(path, body) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: controller.signal,
    });
    if (!answer.ok) {
      return answer;
    }
    // Read here: a connection that breaks in the middle is asked again, too.
    const found = await answer.json();
    return { ok: true, status: answer.status, json: () => found };
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

function waitFor(answer, failures) {
  const asked = Number(answer?.headers.get("Retry-After"));
  if (asked > 0) {
    return Math.min(asked * 1000, LONGEST_REFUSAL_MS);
  }
  return Math.min(500 * 2 ** failures, LONGEST_WAIT_MS);
}

/** Waits, but not when the network has just come back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
  });
}
