// Builds dist/augury.js (a script tag's), dist/augury.mjs (a bundler's) and serving/static/augury.js (the first, as served).
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));

/** Bundles one entry; the same sources and lock file give the same bytes. */
export async function bundle(entry, format) {
  const bundled = await build({
    absWorkingDir: here,
    entryPoints: [`src/${entry}.ts`],
    bundle: true,
    format,
    target: "es2020",
    define: { VERSION: JSON.stringify(version) },
    legalComments: "none",
    write: false,
  });
  const small = await minify(bundled.outputFiles[0].text, {
    ecma: 2020,
    module: format === "esm",
    toplevel: true,
    compress: { passes: 3, unsafe_arrows: true, unsafe_methods: true, pure_getters: true, keep_fargs: false },
    format: { comments: false },
  });
  return `/*! augury.js ${version}, Apache-2.0 */\n${small.code}\n`;
}

/** The size that a server sends at best: what `gzip -9 -n` makes of it. */
export const packedSize = (text) => gzipSync(text, { level: 9 }).length;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(here, "dist");
  mkdirSync(dist, { recursive: true });
  const script = await bundle("script", "iife");
  writeFileSync(join(dist, "augury.js"), script);
  writeFileSync(join(dist, "augury.mjs"), await bundle("index", "esm"));
  copyFileSync(join(dist, "augury.js"), join(here, "..", "serving", "static", "augury.js"));
  console.log(`augury.js: ${script.length} bytes, ${packedSize(script)} compressed`);
}
