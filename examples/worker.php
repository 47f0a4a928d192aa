<?php
// A worker for preforkd: answers HTTP on the socket it inherits as descriptor 3. (For a site of PHP
// pages there is FastCGI, see conf/fastcgi.ini: this is for programs in PHP that stay.)
//
// [socket:web]  listen = :8080      [pool:php]  command = php worker.php   sockets = web
$libc = FFI::cdef('int accept(int fd, void *address, void *size); int close(int fd);');
$listener = fopen('php://fd/3', 'r+');
stream_set_blocking($listener, false);    // a connection may be gone already; holds for all that share it
$fd = getenv('PREFORKD_SCOREBOARD_FD');   // none: run without a supervisor
$line = (int) getenv('PREFORKD_SCOREBOARD_OFFSET');
$board = $fd === false ? null : fopen("php://fd/$fd", 'r+');
$board && stream_set_read_buffer($board, 0);
$put = fn($at, $text) => $board && fseek($board, $line + $at) === 0 && fwrite($board, $text);
$is_leaving = fn() => $board && fseek($board, $line + 2) === 0 && fread($board, 1) === 'R';
$readable = function ($stream, $seconds) {
    [$read, $none] = [[$stream], null];
    return stream_select($read, $none, $none, $seconds);
};
for ($jobs = 0;;) {
    $put(0, '_');
    pcntl_sigprocmask(SIG_UNBLOCK, [SIGTERM]);    // idle: TERM ends us
    $board && flock($board, LOCK_EX);             // one waits, so that a connection wakes one
    $readable($listener, null);
    pcntl_sigprocmask(SIG_BLOCK, [SIGTERM]);      // busy: TERM waits for the end
    $put(0, 'W');                                 // first busy, then the mark, then the job: none is lost
    if ($is_leaving()) exit(0);
    $client = $libc->accept(3, null, null);
    $board && flock($board, LOCK_UN);
    if ($client < 0) continue;
    $stream = fopen("php://fd/$client", 'r+');
    for ($request = ''; !str_contains($request, "\r\n\r\n") && $readable($stream, 10); $request .= $part)
        if (($part = fread($stream, 4096)) === '' || $part === false) break;
    @fwrite($stream, "HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\nHello from PHP\n");
    fclose($stream);
    $libc->close($client);
    $put(12, sprintf('%-12d', ++$jobs));
}
