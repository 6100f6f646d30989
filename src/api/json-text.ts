import { turns } from './body.ts'

/** Characters that are handed on in one go. */
const STEP = 64 << 10

/** `{"name":[…]}` as JSON, as fast as it is taken and with turns of the event loop between entries. */
export function listText(name: string, list: readonly unknown[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let at = 0
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(`{${JSON.stringify(name)}:[`))
    },
    async pull(controller) {
      let text = ''
      for (; at < list.length && text.length < STEP; at += 1) {
        await turns.wait()
        text += `${at === 0 ? '' : ','}${JSON.stringify(list[at])}`
      }
      const isLast = at === list.length
      controller.enqueue(encoder.encode(isLast ? `${text}]}` : text))
      if (isLast) controller.close()
    },
  })
}
