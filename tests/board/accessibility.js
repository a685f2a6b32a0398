// What is wrong with the page as it stands, by rules of our own: the body of a function that returns a list of words.
// Contrast as WCAG 2.2 has it (1.4.3), target size (2.5.8), and what a screen reader needs.

const wrong = [];
const what = (element) => {
  const id = element.id ? `#${element.id}` : "";
  return `${element.localName}${id}.${[...element.classList].join(".")} "${element.textContent.trim().slice(0, 30)}"`;
};
const isSeen = (element) =>
  element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true }) &&
  element.getClientRects().length > 0 &&
  !element.closest(".unseen");

// Colours, as they are painted.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const parsed = new Map();
function colour(text) {
  if (!parsed.has(text)) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    parsed.set(text, [red, green, blue, alpha / 255]);
  }
  return parsed.get(text);
}
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;

function ground(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = colour(getComputedStyle(at).backgroundColor);
    if (layer[3] > 0) layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), isDark ? [0, 0, 0, 1] : [255, 255, 255, 1]);
}

function luminance([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const writes = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim() !== "");
for (const element of document.body.querySelectorAll("*")) {
  if (!writes(element) || !isSeen(element) || ["SCRIPT", "STYLE", "OPTION", "NOSCRIPT"].includes(element.tagName)) continue;
  const style = getComputedStyle(element);
  const below = ground(element);
  const ink = over(colour(element.namespaceURI.endsWith("svg") ? style.fill : style.color), below);
  const size = parseFloat(style.fontSize);
  const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  const found = contrast(ink, below);
  if (found < needed) wrong.push(`contrast ${found.toFixed(2)} < ${needed}: ${what(element)}`);
}

const ids = new Set();
for (const { id } of document.querySelectorAll("[id]")) {
  if (ids.has(id)) wrong.push(`two elements have the id ${id}`);
  ids.add(id);
}
for (const element of document.querySelectorAll("[tabindex]")) {
  if (element.tabIndex > 0) wrong.push(`tabindex ${element.tabIndex}: ${what(element)}`);
}
for (const element of document.querySelectorAll("img:not([alt])")) wrong.push(`an image without alt: ${what(element)}`);
for (const element of document.querySelectorAll("ul > :not(li)")) wrong.push(`in a list, but no item: ${what(element)}`);
for (const element of document.querySelectorAll("button, input, select, summary")) {
  if (!isSeen(element)) continue;
  const { width, height } = (element.closest("label.check") ?? element).getBoundingClientRect();
  if (width < 24 || height < 24) wrong.push(`${width} by ${height} is too small to touch: ${what(element)}`);
}
if (!document.documentElement.lang) wrong.push("the page does not say its language");
if (document.querySelectorAll("h1").length !== 1) wrong.push("there is not one h1");
if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push("the page is wider than the window");
return wrong;
