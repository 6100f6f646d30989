/** What Node, PHP, Python, Ruby, Go and shells write where an error is named. */
const ERROR_LINE =
  /^(?:PHP )?(?:Uncaught |Fatal |Parse )?[\w.\\]*(?:Error|Exception|Warning|error)\b.*:|^(?:fatal|panic|error|ERROR)\b/

/** The line that says most: in a stack trace the one that names the error, else the first. */
export function tellingLine(text: string): string {
  const lines = text.trim().split(/\r?\n|\r/)
  const found = lines.find(line => ERROR_LINE.test(line.trim()))
  return (found ?? lines[0] ?? '').trim()
}
