/** `3 tasks`, `1 task`. @param many the plural where it is not the noun with an s: `batches` */
export function count(number: number, noun: string, many = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : many}`
}
