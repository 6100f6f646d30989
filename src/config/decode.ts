import { isUtf8 } from 'node:buffer'

export type Decoded =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly line: number; readonly reason: string; readonly hint: string }

/** Bytes to text: UTF-8, with or without a byte order mark, and nothing else. */
export function decode(bytes: Buffer): Decoded {
  const mark = bytes.subarray(0, 2).toString('hex')
  if (mark === 'fffe' || mark === 'feff')
    return no(1, 'is written in UTF-16', 'save the file as UTF-8')
  const nul = bytes.indexOf(0)
  if (nul >= 0) {
    const line = lineAt(bytes, nul)
    return no(line, 'has a NUL byte: it is not a text file', 'name a configuration file')
  }
  if (!isUtf8(bytes)) {
    const hint = 'save the file as UTF-8, for instance with iconv -f GB18030 -t UTF-8'
    return no(firstBadLine(bytes), 'is not valid UTF-8', hint)
  }
  const text = bytes.toString('utf8')
  return { ok: true, text: text.startsWith('\uFEFF') ? text.slice(1) : text }
}

function no(line: number, reason: string, hint: string): Decoded {
  return { ok: false, line, reason, hint }
}

function lineAt(bytes: Buffer, end: number): number {
  let line = 1
  for (let at = bytes.indexOf(10); at >= 0 && at < end; at = bytes.indexOf(10, at + 1)) line += 1
  return line
}

function firstBadLine(bytes: Buffer): number {
  let line = 1
  for (let from = 0; ; line += 1) {
    const end = bytes.indexOf(10, from)
    // A line feed is never part of a longer character, so each line stands for itself.
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) return line
    from = end + 1
  }
}
