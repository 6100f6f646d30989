import { no, type Read, yes } from './fields.ts'

/**
 * `script_allow =`: files, folders (all that is below them) and shell patterns, with blanks or
 * commas between them. A relative one starts where `script` of a job does.
 */
export const readScripts: Read<readonly string[]> = text => {
  const parts = text.split(/[\s,]+/).filter(one => one !== '')
  if (parts.length === 0) return no('names no file')
  const everything = parts.find(one => /^[/.*?]*$/.test(one))
  if (everything === undefined) return yes(parts)
  return no(
    `has ${JSON.stringify(everything.slice(0, 60))}, which is everything`,
    'name the folder of your scripts; a caller with the scope admin may name any file',
  )
}
