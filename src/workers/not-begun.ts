/** Tasks that are taken and not begun, with the reason when one is cancelled meanwhile. */
export class NotBegun {
  readonly #reasons = new Map<string, string>()

  cancel(id: string, reason: string): void {
    if (this.#reasons.has(id)) this.#reasons.set(id, reason)
  }

  /** @returns what was waited for, and why the task was cancelled meanwhile, or '' */
  async during<T>(id: string, wait: () => Promise<T>): Promise<readonly [T, string]> {
    this.#reasons.set(id, '')
    try {
      const value = await wait()
      return [value, this.#reasons.get(id) ?? '']
    } finally {
      this.#reasons.delete(id)
    }
  }
}
