import { readFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/** Longer than any file takes, on the slowest machine. */
const STUCK_MS = 20 * 60_000

/**
 * Ends a run in which no file has begun or ended for long, and names those that have not ended. A test that
 * holds up its process (a read that waits, a process that was stopped) holds up its own time limit too.
 */
export default class StuckReporter implements Reporter {
  readonly #running = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  onTestModuleStart(module: TestModule): void {
    this.#running.set(module.relativeModuleId, performance.now())
    this.#watch()
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module.relativeModuleId)
    this.#watch()
  }

  onTestRunEnd(): void {
    clearTimeout(this.#timer)
  }

  #watch(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#end(), STUCK_MS).unref()
  }

  #end(): void {
    process.stdout.write('\nStuck: no test file has begun or ended for long. Still running:\n')
    for (const [file, begun] of this.#running)
      process.stdout.write(`  ${file}, for ${Math.round((performance.now() - begun) / 1000)} s\n`)
    for (const pid of childrenOf(process.pid)) process.kill(pid, 'SIGKILL')
    process.exit(1)
  }
}

/** A worker that is held up hears no other signal. */
function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return children === '' ? [] : children.split(' ').map(Number)
}
