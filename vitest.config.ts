import { defineConfig } from 'vitest/config'

/** Unit and property tests take seconds; the others raise real servers and processes. */
const project = (name: string, files: string[], extra: Record<string, unknown> = {}) => ({
  test: { name, include: files, testTimeout: 60_000, hookTimeout: 60_000, ...extra },
})

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      project('unit', ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts']),
      project('integration', ['test/integration/**/*.test.ts']),
      project('process', ['test/process/**/*.test.ts'], { fileParallelism: false }),
      project('fault', ['test/fault/**/*.test.ts'], {
        fileParallelism: false,
        testTimeout: 300_000,
      }),
    ],
  },
})
