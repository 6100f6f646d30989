import { z } from 'zod'

/**
 * Fields that may come as JSON, where a number is a number, or in a query or form, where all is
 * text. For JSON's sake the text must be exactly what the number would look like.
 */

/** A whole number. */
export function integer(least: number, most: number): z.ZodType<number, number> {
  const whole = z.int().min(least).max(most)
  return z.preprocess(fromText, whole) as unknown as z.ZodType<number, number>
}

function fromText(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value
}

const YES = ['true', '1', 'yes', 'on']
const NO = ['false', '0', 'no', 'off', '']

/** True or false. */
export function flag(): z.ZodType<boolean, boolean> {
  return z.preprocess(toBoolean, z.boolean()) as unknown as z.ZodType<boolean, boolean>
}

function toBoolean(value: unknown): unknown {
  const word = typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
  if (word === undefined) return value
  if (YES.includes(word.toLowerCase())) return true
  return NO.includes(word.toLowerCase()) ? false : value
}

/**
 * The names of the fields that are lists: a query or a form says one of those by a single pair.
 * @param schema an object; of any other it says none
 */
export function listsOf(schema: z.ZodType): ReadonlySet<string> {
  if (!(schema instanceof z.ZodObject)) return new Set()
  const fields: [string, unknown][] = Object.entries(schema.shape)
  return new Set(fields.filter(([, field]) => listOf(field)).map(([name]) => name))
}

/** The list that a field is, also one that may be left out; undefined when it is none. */
export function listOf(field: unknown): z.ZodArray | undefined {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault)
    return listOf(field.def.innerType)
  return field instanceof z.ZodArray ? field : undefined
}
