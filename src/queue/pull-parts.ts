/** Parts of at most `count` items, and of not much more than `bytes` together; none is empty. */
export function* inChunks<T>(
  items: readonly T[],
  count: number,
  bytes = Number.POSITIVE_INFINITY,
  sizeOf: (item: T) => number = () => 0,
): Generator<T[]> {
  let chunk: T[] = []
  let size = 0
  for (const item of items) {
    chunk.push(item)
    size += sizeOf(item)
    if (chunk.length < count && size < bytes) continue
    yield chunk
    chunk = []
    size = 0
  }
  if (chunk.length > 0) yield chunk
}

/**
 * Hands the items to `act` part by part. It answers with a letter for each, or only for the first
 * ones; then it gets the others again.
 */
export async function inTurn<T>(
  items: readonly T[],
  count: number,
  act: (chunk: readonly T[]) => Promise<string>,
): Promise<string> {
  let letters = ''
  while (letters.length < items.length) {
    const answered = await act(items.slice(letters.length, letters.length + count))
    if (answered === '') throw new Error('a script has answered nothing')
    letters += answered
  }
  return letters
}
