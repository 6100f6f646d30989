import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Which connections have answers that are not out yet. */
export class Pending {
  readonly #answers = new WeakMap<Socket, Set<ServerResponse>>()

  add(socket: Socket, response: ServerResponse): void {
    const answers = this.#answers.get(socket) ?? new Set()
    this.#answers.set(socket, answers)
    answers.add(response)
    response.once('close', () => answers.delete(response))
  }

  /** Whether anything of an answer has gone out on it, or might in a moment. */
  hasBegun(socket: Socket): boolean {
    return [...(this.#answers.get(socket) ?? [])].some(response => response.headersSent)
  }

  /**
   * Nothing has come or gone for a while. Whoever waits for an answer that is not there yet may
   * wait on; who does not take what is there, or has asked for nothing, is let go.
   */
  onQuiet(socket: Socket, againMs: number): void {
    const waits = (this.#answers.get(socket)?.size ?? 0) > 0
    if (waits && socket.writableLength === 0) socket.setTimeout(againMs)
    else socket.destroy()
  }
}
