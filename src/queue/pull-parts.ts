/**
 * The items with an id that did not come before in the list, and what spreads their answers over
 * the whole list again: a later one gets what `again` makes of the answer to the first.
 */
export function onceEach<T extends { readonly id: string }>(items: readonly T[]) {
  const places = new Map<string, number>()
  const first: T[] = []
  for (const item of items) {
    if (places.has(item.id)) continue
    places.set(item.id, first.length)
    first.push(item)
  }
  const spread =
    <A>(answers: readonly A[]) =>
    (again: (first: A) => A): A[] => {
      if (first.length === items.length) return [...answers]
      const seen = new Set<string>()
      return items.map(({ id }) => {
        const answer = answers[places.get(id) ?? 0] as A
        if (seen.has(id)) return again(answer)
        seen.add(id)
        return answer
      })
    }
  return { first, spread }
}

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
 * Hands on the items part by part; `act` answers with a letter for each, or for the first ones
 * when it has had enough, and then gets the others again.
 */
export async function inTurn<T>(
  items: readonly T[],
  count: number,
  act: (chunk: readonly T[]) => Promise<string>,
): Promise<string[]> {
  const letters: string[] = []
  while (letters.length < items.length) {
    const answered = await act(items.slice(letters.length, letters.length + count))
    if (answered === '') throw new Error('a script has answered nothing')
    letters.push(...answered)
  }
  return letters
}
