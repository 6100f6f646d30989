// A task that fails, so that there is something to see in fail_log:
//   node examples/node/failing.mjs api/Bill execute          answers code fail
//   node examples/node/failing.mjs api/Bill crash 'exit=3'   says why on standard error and exits 3
const [, action = 'execute', param = ''] = process.argv.slice(2)

if (action === 'crash') {
  console.error('the bank did not answer')
  process.exitCode = Number(new URLSearchParams(param).get('exit') ?? 3)
} else {
  console.log(JSON.stringify({ code: 'fail', msg: 'the account is overdrawn', data: [] }))
}
