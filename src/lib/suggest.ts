import type { ErrorCode } from './error-codes.ts'
import { TaskdError } from './errors.ts'

/** Longer words and lists are not compared: they are not typing errors, and it takes time. */
const MAX_WORD = 64
const MAX_WORDS = 1000

/** The known word that `word` was most likely meant to be, or undefined when none is near. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word === '' || word.length > MAX_WORD || known.length > MAX_WORDS) return undefined
  const plain = normal(word)
  let best: string | undefined
  let least = Math.max(1, Math.floor(plain.length / 3)) + 1
  for (const one of known) {
    if (one === word || one === '' || Math.abs(one.length - plain.length) >= least) continue
    const steps = distance(plain, normal(one))
    if (steps < least) {
      least = steps
      best = one
    }
  }
  return best
}

/** How a near word stands in a hint: as a value of the configuration. */
export const quoted = (word: string) => `"${word}"`

/**
 * The hint for an unknown word: `did you mean NEAR?`, or `otherwise` when no known word is near.
 * @param show how the near word is written there
 */
export function didYouMean(
  word: string,
  known: readonly string[],
  otherwise = '',
  show = (near: string) => near,
): string {
  const near = suggest(word, known)
  return near === undefined ? otherwise : `did you mean ${show(near)}?`
}

/** The same where the choice is small: the list of it always follows. */
export function didYouMeanOneOf(
  word: string,
  known: readonly string[],
  list: string,
  show = quoted,
): string {
  const near = didYouMean(word, known, '', show)
  return near === '' ? list : `${near} ${list}`
}

/**
 * The error for a name that nothing has, with the known name that is near as its hint.
 * @param message says that nothing has the name
 * @param otherwise the hint when no known name is near
 */
export function unknownName(
  code: ErrorCode,
  message: string,
  name: string,
  known: readonly string[],
  otherwise: string,
): TaskdError {
  return new TaskdError(code, message, didYouMean(name, known, otherwise))
}

/** `Task-Key`, `task key` and `task_key` are the same slip. */
function normal(word: string): string {
  return word.toLowerCase().replace(/[\s-]/g, '_')
}

/** Letters to add, drop, change or swap with a neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let steps = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) steps = Math.min(steps, at(before, j - 2) + 1)
      row.push(steps)
    }
    before = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
