// What this browser remembers: the token, my extension, a few choices. A browser that keeps nothing
// is served all the same.

const memory = new Map();

function read(storage, name) {
  try {
    return window[storage].getItem(`parkade.${name}`);
  } catch {
    return memory.get(name) ?? null;
  }
}

function write(storage, name, value) {
  memory.set(name, value);
  try {
    if (value === null) window[storage].removeItem(`parkade.${name}`);
    else window[storage].setItem(`parkade.${name}`, value);
  } catch {
    // It is forgotten with the page.
  }
}

/** The token of `#token=…`, which is taken out of the address bar at once. */
export function tokenOfAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** The token, from this tab or this device. */
export const token = () => read("sessionStorage", "token") ?? read("localStorage", "token");

/** Whether this device keeps the token. */
export const staysSignedIn = () => read("localStorage", "token") !== null;

/** Keeps the token for this tab, or on this device too. */
export function keepToken(token, stays) {
  write("sessionStorage", "token", token);
  write("localStorage", "token", stays ? token : null);
}

/** Forgets the token. */
export function forgetToken() {
  keepToken(null, false);
}

/** My extension, if it was ever told. */
export const extension = () => read("localStorage", "extension");

/** Remembers my extension. */
export const keepExtension = (number) => write("localStorage", "extension", number);

/** How cards are sorted: `slot`, `longest` or `recall`. */
export const order = () => read("localStorage", "order") ?? "slot";

/** Remembers how cards are sorted. */
export const keepOrder = (order) => write("localStorage", "order", order);

/** Whether single keys do something. */
export const keysWork = () => read("localStorage", "keys") !== "off";

/** Remembers whether single keys do something. */
export const keepKeysWork = (work) => write("localStorage", "keys", work ? null : "off");
