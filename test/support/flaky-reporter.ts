import type { Reporter, TestCase } from 'vitest/node'

/** Names at the end of a run the tests that passed only when tried again: each is a fault to find. */
export default class FlakyReporter implements Reporter {
  readonly #flaky: TestCase[] = []

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky) this.#flaky.push(test)
  }

  onTestRunEnd(): void {
    if (this.#flaky.length === 0) return
    process.stdout.write(`\nPassed only when tried again: ${this.#flaky.length}\n`)
    for (const test of this.#flaky) {
      process.stdout.write(`  ${test.module.relativeModuleId} > ${test.fullName}\n`)
      for (const error of test.result().errors ?? [])
        process.stdout.write(`    ${error.message.split('\n', 3).join('\n    ')}\n`)
    }
  }
}
