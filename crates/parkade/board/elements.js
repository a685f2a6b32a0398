// Elements of the page. Text only ever becomes text: there is no markup here that is made of words.

import { plain } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An element with attributes and children. */
export const make = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/** The same in a drawing. */
export const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** A button that does `action` and is known to the style as `kind`. */
export function button(text, kind, action, attributes = {}) {
  const element = make("button", { type: "button", class: kind, ...attributes }, text);
  element.addEventListener("click", action);
  return element;
}

/** A name from the network: whatever its direction, it turns nothing around it. */
export const named = (text) => make("bdi", {}, plain(text));

/** The element of the page with this id. */
export const the = (id) => document.getElementById(id);

/** Changes a text, if it is another. */
export function say(element, text) {
  if (element.firstChild?.nodeValue !== text || element.childNodes.length !== 1) element.textContent = text;
}

/** Puts `wanted` and nothing else into `parent`, in this order; what stands right is not touched. */
export function arrange(parent, wanted) {
  const stays = new Set(wanted);
  for (const element of [...parent.childNodes]) if (!stays.has(element)) element.remove();
  let here = parent.firstChild;
  for (const element of wanted) {
    if (element === here) here = here.nextSibling;
    else parent.insertBefore(element, here);
  }
}
