import { Turns } from '../lib/turns.ts'

/** How long writing answers may keep everything else from its turn, ms. */
const SLICE_MS = 8
/** Entries that are written in one go. */
const STEP = 100

const turns = new Turns(SLICE_MS)

/** `{"name":[…]}` as JSON, as fast as it is taken and with turns of the event loop between. */
export function listText(name: string, list: readonly unknown[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let at = 0
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(`{${JSON.stringify(name)}:[`))
    },
    async pull(controller) {
      await turns.wait()
      // Without the brackets of its own.
      const text = JSON.stringify(list.slice(at, at + STEP)).slice(1, -1)
      const isLast = at + STEP >= list.length
      controller.enqueue(encoder.encode(`${at === 0 ? '' : ','}${text}${isLast ? ']}' : ''}`))
      at += STEP
      if (isLast) controller.close()
    },
  })
}
