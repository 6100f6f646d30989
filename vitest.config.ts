import { defineConfig } from 'vitest/config'

// With it every Node reads all certificates at its start, 45 ms of CPU each, and no test needs it.
delete process.env['NODE_EXTRA_CA_CERTS']

/** Unit and property tests take seconds; the others raise real servers and processes. */
const project = (name: string, files: string[], extra: Record<string, unknown> = {}) => ({
  test: {
    name,
    include: files,
    setupFiles: ['test/support/guarded-kill.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    diff: { truncateThreshold: 60 },
    ...extra,
  },
})

/** A process that has loaded the sources runs many files: a file of its own takes longer than most of them. */
const quick = { isolate: false, maxWorkers: 2 }

/**
 * Those that raise servers and daemons mostly wait: for a restart, a lease, a database that comes
 * back. Three files at a time keep two cores busy, and leave each enough of them. What fails is
 * tried once more, as a machine may stand still for seconds; it is named at the end of the run.
 */
const waiting = { maxWorkers: 3, sequence: { groupOrder: 1 }, retry: 1 }

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './test/support/flaky-reporter.ts', './test/support/stuck-reporter.ts'],
    projects: [
      project('unit', ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'], quick),
      project('integration', ['test/integration/**/*.test.ts'], waiting),
      project('process', ['test/process/**/*.test.ts'], { ...waiting, testTimeout: 120_000 }),
      project('fault', ['test/fault/**/*.test.ts'], { ...waiting, testTimeout: 300_000 }),
    ],
  },
})
