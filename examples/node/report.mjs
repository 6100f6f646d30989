// A synchronous task: runs a moment, says what it does, and answers on its last line.
//   node examples/node/report.mjs api/Report execute 'rows=3'
// taskd calls every script like this: script controller function param, the last URL-encoded.
import { setTimeout as delay } from 'node:timers/promises'

const [controller = '', action = '', param = ''] = process.argv.slice(2)
const rows = Math.min(Number(new URLSearchParams(param).get('rows') ?? 3) || 3, 100)

console.log(`${controller} ${action}: collecting ${rows} rows`)
let total = 0
for (let row = 1; row <= rows; row += 1) {
  await delay(200)
  total += row * 100
  console.log(`row ${row} of ${rows}`)
}
// JSON.stringify writes one line, as the answer must be when anything stands before it.
console.log(
  JSON.stringify({ code: 'succ', msg: `${rows} rows, total ${total}`, data: { rows, total } }),
)
