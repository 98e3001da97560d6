/** Every element of the page is made here: of a closed list, with closed attributes, and with text as text. Nothing is ever parsed as markup. */

const TAGS = [
  "article",
  "blockquote",
  "br",
  "button",
  "code",
  "dd",
  "del",
  "details",
  "div",
  "dl",
  "dt",
  "em",
  "form",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "hr",
  "input",
  "label",
  "li",
  "ol",
  "option",
  "p",
  "pre",
  "section",
  "select",
  "span",
  "strong",
  "summary",
  "table",
  "tbody",
  "td",
  "th",
  "thead",
  "time",
  "tr",
  "ul",
] as const;
export type Tag = (typeof TAGS)[number];

/** No address, no style and no script is among them. */
interface Attributes {
  class?: string;
  id?: string;
  title?: string;
  role?: string;
  type?: "button" | "submit" | "text";
  dir?: "auto" | "ltr";
  lang?: string;
  for?: string;
  name?: string;
  value?: string;
  placeholder?: string;
  autocomplete?: "off";
  maxlength?: number;
  start?: number;
  tabindex?: 0 | -1;
  scope?: "col" | "row";
  disabled?: boolean;
  open?: boolean;
  hidden?: boolean;
  "data-kind"?: string;
  "data-state"?: string;
  "aria-label"?: string;
  "aria-labelledby"?: string;
  "aria-describedby"?: string;
  "aria-hidden"?: "true";
}

export type Child = Node | string | null;

export function el<T extends Tag>(
  tag: T,
  attributes: Attributes | null,
  ...children: readonly Child[]
): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

export function add(parent: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child !== null) parent.append(child);
  }
}

/** A button that runs `press`, and cannot be pressed while that runs. It is not disabled then: it would lose the focus. */
export function button(
  label: string,
  press: () => Promise<void> | void,
  attributes: Attributes = {},
): HTMLButtonElement {
  const made = el("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", () => {
    if (made.ariaBusy === "true") return;
    made.ariaBusy = "true";
    void Promise.resolve(press()).finally(() => {
      made.ariaBusy = null;
    });
  });
  return made;
}

/** The element of index.html with this id. @throws {TypeError} if there is none of that class. */
export function byId<E extends HTMLElement>(id: string, type: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${id}`);
  return found;
}
