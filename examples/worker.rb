#!/usr/bin/env ruby
# A worker for preforkd: answers HTTP on the socket it inherits as descriptor 3.
#
# [socket:web]  listen = :8080      [pool:rb]  command = ruby worker.rb   sockets = web
require 'socket'
require 'io/wait'

listener = Socket.for_fd(3)
fd = ENV['PREFORKD_SCOREBOARD_FD']             # none: run without a supervisor
board = fd && File.for_fd(fd.to_i, 'r+b')
line = ENV['PREFORKD_SCOREBOARD_OFFSET'].to_i
put = ->(at, text) { board&.pwrite(text, line + at) }
serve = lambda do |client, body = "Hello from Ruby\n"|
  request = +''
  request << client.readpartial(4096) while !request.include?("\r\n\r\n") && client.wait_readable(10)
  client.write("HTTP/1.0 200 OK\r\nContent-Length: #{body.size}\r\n\r\n#{body}")
end

busy = leaving = false
trap('TERM') { busy ? leaving = true : exit! } # runs between two statements of the loop
jobs = 0
loop do
  put.(0, '_')
  busy = false
  break if leaving
  board&.flock(File::LOCK_EX)                  # one waits, so that a connection wakes one
  listener.wait_readable
  busy = true
  put.(0, 'W')                                 # first busy, then the mark, then the job: none is lost
  break if board && board.pread(1, line + 2) == 'R'
  client, = listener.accept_nonblock(exception: false)
  board&.flock(File::LOCK_UN)
  begin
    serve.(client) && put.(12, (jobs += 1).to_s.ljust(12)) if client.is_a?(Socket)
  rescue IOError, SystemCallError              # the client went away
  ensure
    client.close if client.is_a?(Socket)
  end
end
