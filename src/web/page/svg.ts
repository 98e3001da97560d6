/** Drawings of the page: of a closed list of elements with closed attributes. Colours are the style sheet's. */

const TAGS = ["svg", "g", "rect", "line", "text", "title", "desc"] as const;

interface Attributes {
  class?: string;
  id?: string;
  role?: "img";
  viewBox?: string;
  x?: number;
  y?: number;
  x1?: number;
  x2?: number;
  y1?: number;
  y2?: number;
  width?: number;
  height?: number;
  rx?: number;
  "text-anchor"?: "start" | "middle" | "end";
  "aria-labelledby"?: string;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(
  tag: (typeof TAGS)[number],
  attributes: Attributes,
  ...children: readonly (SVGElement | string)[]
): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}
