// What the scripts for real pages share: a Chromium, a site on 127.0.0.1, and how a script is called and answers.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
// The collection drops robots, and a headless browser says that it is one. A flag, since what the debugger sets is gone
// while a page is left.
const AGENT =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/** Reads what the test asks for from standard input, and prints what `work` answers as one line of JSON. */
export async function answer(work) {
  const asked = JSON.parse(readFileSync(0, "utf8"));
  console.log(JSON.stringify(await work(asked)));
}

/** Calls `work` with a browser context of its own profile. */
export async function browsing(executablePath, work) {
  const profile = mkdtempSync(join(tmpdir(), "augury-profile-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: [...FLAGS, `--user-agent=${AGENT}`],
    viewport: { width: 1280, height: 720 },
  });
  context.setDefaultTimeout(20_000);
  try {
    return await work(context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Calls `work` with the address of a site whose pages are `pages[path]`, as HTML or as [type, text]. */
export async function site(pages, work) {
  const server = createServer((request, response) => {
    const found = pages[new URL(request.url, "http://site").pathname];
    const [type, text] = Array.isArray(found) ? found : ["text/html; charset=utf-8", found];
    response.writeHead(found ? 200 : 404, { "Content-Type": type });
    response.end(text ?? "");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  try {
    return await work(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
