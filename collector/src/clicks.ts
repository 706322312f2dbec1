import { clip } from "./tools";
import type { Properties } from "./types";

const IGNORED = "[data-augury-ignore]";
const WRITTEN = "input,textarea,select,option,[contenteditable]"; // what a visitor typed or chose
const UNREAD = `script,style,${WRITTEN},${IGNORED}`;
const ACTIVE = "a,button,summary,label,[role=button],[role=link],[role=tab],[role=menuitem]";
const LEVELS = 8;

/** The text that a visitor sees in an element, up to a limit; nothing that a visitor wrote. */
function textOf(element: Element, limit: number): string | undefined {
  const walker = document.createTreeWalker(element, 5, (node) =>
    node.nodeType == 1 && (node as Element).matches(UNREAD) ? 2 : 1,
  );
  let text = "";
  while (text.length < limit && walker.nextNode()) text += walker.currentNode.nodeValue ?? " ";
  return clip(text.replace(/\s+/g, " ").trim(), limit);
}

/** An element as `tag#id` or `tag.class.class`. */
const step = (element: Element): string => {
  const id = element.getAttribute("id"); // form.id may be a field of that name
  return element.localName + (id ? "#" + id : [...element.classList].slice(0, 2).map((name) => "." + name).join(""));
};

/** What is recorded of a click; nothing within `data-augury-ignore`. */
export function clickFacts(event: MouseEvent): Properties | undefined {
  // The composed path goes through open shadow roots, where `closest` stops.
  const path = event.composedPath().filter((node): node is Element => (node as Node).nodeType == 1);
  const find = (selector: string) => path.find((element) => element.matches(selector));
  const target = path[0];
  if (!target || find(IGNORED)) return;
  const named = find(ACTIVE) || (target.firstElementChild ? undefined : target);
  const { clientWidth, clientHeight, scrollWidth, scrollHeight } = document.documentElement;
  return {
    element: path.slice(0, LEVELS).map(step).reverse().join(">").slice(-250),
    text: named && !find(WRITTEN) ? textOf(named, 100) : undefined,
    href: clip((find("a[href],area[href]") as HTMLAnchorElement | undefined)?.href, 500),
    x: Math.round(event.pageX),
    y: Math.round(event.pageY),
    page_width: scrollWidth,
    page_height: scrollHeight,
    viewport_width: clientWidth,
    viewport_height: clientHeight,
  };
}
