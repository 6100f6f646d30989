/**
 * The lists that features add to the status, by their names in its JSON. Each feature declares its own
 * here: `declare module '../../api/part-status.ts' { interface FeatureLists { … } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: features fill it.
export interface FeatureLists {}

/** One section of a feature, such as a relay, in the form that every list of parts shows. */
export interface PartStatus {
  readonly name: string
  /** Of its section: `relay`. */
  readonly kind: string
  /** The list of the status that says more of it: `relays`. */
  readonly list: keyof FeatureLists
  /** In one word: OPEN, AWAY, FULL, … */
  readonly state: string
  /** null: not known. */
  readonly ok: boolean | null
  /** It works, and yet somebody should look. */
  readonly warning: boolean
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601; '' when that is not known. */
  readonly since: string
  /** What it is, in a few words: `channel into orders`. */
  readonly what: string
  /** What else is worth a word in one line. */
  readonly details: readonly string[]
  /** What `taskd why` says of it: sentences. */
  readonly reasons: readonly string[]
}
