import { defineConfig } from 'vitest/config';

// Tests in a real browser against a real server. One after the other: they share the processor
// with the server, its runners and the browser.
export default defineConfig({
  test: { include: ['e2e/**/*.e2e.ts'], fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 },
});
