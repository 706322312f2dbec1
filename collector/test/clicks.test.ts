import { describe, expect, it, vi } from "vitest";
import { collect, pass, Service } from "./service";

/** Clicks on what a selector finds in a page and returns what was recorded of it. */
async function click(html: string, selector: string, inside?: (found: Element) => Element): Promise<any> {
  const service = new Service();
  document.body.innerHTML = html;
  vi.spyOn(document.documentElement, "scrollWidth", "get").mockReturnValue(1280);
  vi.spyOn(document.documentElement, "scrollHeight", "get").mockReturnValue(2400);
  vi.spyOn(document.documentElement, "clientWidth", "get").mockReturnValue(1280);
  vi.spyOn(document.documentElement, "clientHeight", "get").mockReturnValue(720);
  collect({ clicks: true });
  const found = document.querySelector(selector)!;
  const event = new MouseEvent("click", { bubbles: true, composed: true });
  Object.defineProperties(event, { pageX: { value: 100.4 }, pageY: { value: 1500.6 } });
  (inside?.(found) ?? found).dispatchEvent(event);
  await pass(3000);
  // A click on a label is one on its field as well, made by the browser.
  if (selector !== "label") expect(service.taken.length).toBeLessThan(2);
  expect(JSON.stringify(service.taken)).not.toContain("secret");
  return service.taken[0]?.properties;
}

describe("a click", () => {
  it("says on what, where on the page, and how large the page was", async () => {
    const html = `<main id="shop"><ul class="list wide dark"><li>
      <a class="buy" href="/cart?add=1"><img alt=""><b>Add  to
      cart</b></a></li></ul></main>`;
    expect(await click(html, "b")).toEqual({
      element: "html>body>main#shop>ul.list.wide>li>a.buy>b",
      text: "Add to cart",
      href: "https://shop.example/cart?add=1",
      x: 100,
      y: 1501,
      page_width: 1280,
      page_height: 2400,
      viewport_width: 1280,
      viewport_height: 720,
    });
  });

  it("is recorded although the page stops it", async () => {
    document.addEventListener("click", (event) => event.stopImmediatePropagation());
    expect(await click("<button>Buy</button>", "button")).toMatchObject({ text: "Buy" });
  });

  it.each([
    ["input", `<input value="secret" placeholder="Card">`, "input"],
    ["button made of an input", `<input type="submit" value="secret">`, "input"],
    ["text area", `<textarea>secret</textarea>`, "textarea"],
    ["list", `<select><option selected>secret</option></select>`, "option"],
    ["text being edited", `<div contenteditable><p>secret</p></div>`, "p"],
    ["link in a text being edited", `<div contenteditable="true"><a href="#x">secret</a></div>`, "a"],
  ])("never tells what is in a field: %s", async (_, html, selector) => {
    expect((await click(html, selector)).element).toContain(selector);
  });

  it("on a label tells its text, not that of the fields in it", async () => {
    const html = `<label>Your <textarea>secret</textarea><select><option>secret</option></select> note
      <script>secret()</script><span data-augury-ignore>secret</span></label>`;
    expect((await click(html, "label")).text).toBe("Your note");
  });

  it.each(["button", "b", "div"])("within data-augury-ignore is none: %s", async (selector) => {
    expect(await click(`<div data-augury-ignore><button><b>Sign out Ann</b></button></div>`, selector)).toBeUndefined();
  });

  it("on a whole region tells no text: that would be the page's", async () => {
    expect((await click("<section><p>Dear Ann</p></section>", "section")).text).toBeUndefined();
  });

  it("on a single text tells it", async () => {
    expect((await click("<section><p>Dear reader</p></section>", "p")).text).toBe("Dear reader");
  });

  it("stays within limits", async () => {
    const deep = "<div class='a-class-with-a-long-name another-long-class-name'>".repeat(40);
    const html = `${deep}<a href="/${"h".repeat(3000)}">${"text ".repeat(300)}</a>`;
    const found = await click(html, "a");
    expect(found.text).toHaveLength(100);
    expect(found.href).toHaveLength(500);
    expect(found.element.length).toBeLessThanOrEqual(250);
    expect(found.element).toMatch(/>a$/);
  });

  it("is seen through an open shadow root, whose ignored parts stay ignored", async () => {
    const within = (html: string, selector: string) => (host: Element) => {
      const root = host.attachShadow({ mode: "open" });
      root.innerHTML = html;
      return root.querySelector(selector)!;
    };
    const shown = within("<button id='buy'>Buy</button>", "button");
    expect(await click("<my-shop></my-shop>", "my-shop", shown)).toMatchObject({
      element: "html>body>my-shop>button#buy",
      text: "Buy",
    });
    new Service();
    const hidden = within("<p data-augury-ignore><button>Buy</button></p>", "button");
    expect(await click("<my-shop></my-shop>", "my-shop", hidden)).toBeUndefined();
  });

  it("within a form tells its id, not its field of that name", async () => {
    const html = '<form id="buy"><input name="id" type="hidden" value="secret"><b>now</b></form>';
    const named = (found: Element) => {
      // As browsers have it: a form's fields are its properties, before those of an element.
      const form = found.closest("form")!;
      Object.defineProperty(form, "id", { value: form.firstElementChild });
      return found;
    };
    expect(await click(html, "b", named)).toMatchObject({ element: "html>body>form#buy>b" });
  });

  it("on a drawing is told too", async () => {
    const svg = `<a href="/map"><svg class="icon big"><path d=""></path></svg></a>`;
    expect(await click(svg, "path")).toMatchObject({
      element: "html>body>a>svg.icon.big>path",
      href: "https://shop.example/map",
    });
  });
});
