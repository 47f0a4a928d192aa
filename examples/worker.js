// A worker for preforkd: answers HTTP on the socket it inherits as descriptor 3.
//
// [socket:web]  listen = :8080      [pool:js]  command = node worker.js   sockets = web
//
// Node accepts before it tells anybody, and serves many connections at a time. So this worker is busy
// while there are any, and TERM, which would end another while idle, only ends the listening: what was
// accepted is answered. All idle workers wake for a connection; Node knows no other way.
const fs = require('fs')
const http = require('http')

const board = Number(process.env.PREFORKD_SCOREBOARD_FD ?? -1) // none: run without a supervisor
const line = Number(process.env.PREFORKD_SCOREBOARD_OFFSET ?? 0)
const put = (at, text) => board < 0 || fs.writeSync(board, text, line + at)
const isAskedToLeave = () => {
  const mark = Buffer.alloc(1)
  return board >= 0 && fs.readSync(board, mark, 0, 1, line + 2) === 1 && mark.toString() === 'R'
}
let connections = 0
let jobs = 0

const server = http.createServer((request, response) => {
  response.writeHead(200, { Connection: 'close', 'Content-Length': 16 })
  response.end('Hello from Node\n')
})
server.on('connection', (client) => {
  connections++
  put(0, 'W')
  client.on('close', () => {
    put(12, String(++jobs).padEnd(12))
    if (isAskedToLeave()) server.close()
    if (--connections === 0) put(0, '_')
  })
})
process.on('SIGTERM', () => server.close()) // ends when the last connection has
server.listen({ fd: 3 }, () => put(0, '_'))
