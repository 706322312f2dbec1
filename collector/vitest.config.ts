import { defineConfig } from "vitest/config";

export default defineConfig({
  define: { VERSION: JSON.stringify("1.2.3") },
  test: {
    environment: "happy-dom",
    environmentOptions: { happyDOM: { url: "https://shop.example/shoes?size=42#top" } },
    setupFiles: ["test/clean.ts"],
    include: ["test/**/*.test.ts"],
    typecheck: { enabled: false },
  },
});
