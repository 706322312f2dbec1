import { describe, expect, it, vi } from "vitest";
import { collect, pass, Service } from "./service";

const paths = (service: Service) => service.taken.map((message: any) => message.properties.path + (message.properties.search ?? ""));

async function visited(service: Service): Promise<string[]> {
  await pass(3000);
  return paths(service);
}

describe("page views", () => {
  it("are recorded with address, title and referrer, also where Segment's warehouse schema looks", async () => {
    const service = new Service();
    document.title = "Shoes";
    vi.spyOn(document, "referrer", "get").mockReturnValue("https://www.google.com/");
    collect({ pages: true });
    await pass(3000);
    const facts = {
      url: "https://shop.example/shoes?size=42#top",
      path: "/shoes",
      search: "?size=42",
      title: "Shoes",
      referrer: "https://www.google.com/",
    };
    expect(service.taken).toHaveLength(1);
    expect(service.taken[0]).toMatchObject({ type: "page", properties: facts, context: { page: facts } });
  });

  it("follow single-page navigation, the way back too, with the page before as the referrer", async () => {
    const service = new Service();
    collect({ pages: true });
    history.pushState({}, "", "/cart");
    history.pushState({}, "", "/cart?step=2");
    history.pushState({}, "", "/cart?step=2"); // to where we are
    history.replaceState({}, "", "/thanks");
    expect(location.pathname).toBe("/thanks");
    window.dispatchEvent(new PopStateEvent("popstate"));
    expect(await visited(service)).toEqual(["/shoes?size=42", "/cart", "/cart?step=2", "/thanks"]);
    expect(service.taken.map((message: any) => message.properties.referrer)).toEqual([
      undefined,
      "https://shop.example/shoes?size=42#top",
      "https://shop.example/cart",
      "https://shop.example/cart?step=2",
    ]);
  });

  it("are none where a search box rewrites the query, or a link jumps within the page", async () => {
    const service = new Service();
    collect({ pages: true });
    history.replaceState({}, "", "/shoes?q=r");
    history.replaceState({}, "", "/shoes?q=re");
    history.replaceState({}, "", "/shoes?q=re#reviews");
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    expect(await visited(service)).toEqual(["/shoes?size=42"]);
  });

  it("follow routes in the fragment", async () => {
    const service = new Service();
    collect({ pages: true });
    history.pushState({}, "", "/shoes?size=42#/cart");
    history.pushState({}, "", "/shoes?size=42#!/pay");
    await pass(3000);
    expect(service.taken.map((message: any) => message.properties.url.split("#")[1])).toEqual(["top", "/cart", "!/pay"]);
  });

  it("come again with a page that the browser had put aside", async () => {
    const service = new Service();
    vi.spyOn(document, "referrer", "get").mockReturnValue("https://www.google.com/");
    collect({ pages: true });
    for (const persisted of [false, true]) {
      window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
    }
    expect(await visited(service)).toEqual(["/shoes?size=42", "/shoes?size=42"]);
    expect(service.taken[1]!.properties!.referrer).toBe("https://www.google.com/");
  });

  it("wait while a page is rendered ahead of time", async () => {
    const service = new Service();
    Object.defineProperty(document, "prerendering", { configurable: true, value: true });
    collect({ pages: true });
    await pass(3000);
    expect(service.sent).toEqual([]);
    Reflect.deleteProperty(document, "prerendering");
    document.dispatchEvent(new Event("prerenderingchange"));
    expect(await visited(service)).toEqual(["/shoes?size=42"]);
  });

  it("can be recorded by hand, named", async () => {
    const service = new Service();
    collect().page("Cart", { items: 2 });
    await pass(3000);
    expect(service.taken[0]).toMatchObject({ type: "page", name: "Cart", properties: { name: "Cart", items: 2 } });
  });

  it("never keep a page from navigating, nor swallow its own mistakes", () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    collect({
      pages: true,
      beforeSend: () => {
        throw Error("ours");
      },
    });
    history.pushState({ mine: 1 }, "", "/cart");
    expect(location.pathname).toBe("/cart");
    expect(() => history.pushState({}, "", "https://elsewhere.example/")).toThrow();
  });

  it("hold texts of any length within limits", async () => {
    const service = new Service();
    document.title = "t".repeat(5000);
    history.replaceState({}, "", `/${"p".repeat(5000)}?${"q".repeat(5000)}`);
    collect({ pages: true });
    await pass(3000);
    const { url, path, search, title } = service.taken[0]!.properties as Record<string, string>;
    expect([url, path, search, title].map((text) => text!.length)).toEqual([2000, 1000, 1000, 300]);
  });
});
